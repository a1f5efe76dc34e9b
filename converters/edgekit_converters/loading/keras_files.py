"""What kind of Keras model a path holds, told from its bytes, before TensorFlow is loaded."""

from __future__ import annotations

import hashlib
import json
import platform
import sys
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from edgekit.errors import MissingDependencyError, MissingFileError, ModelFileError
from edgekit_converters.loading.foreign_code import refuse_code

Kind = Literal["keras", "h5", "savedmodel"]

_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
_ZIP_MAGIC = b"PK\x03\x04"
_WANTED = "EdgeKit converts Keras models: .keras, .h5, or a SavedModel folder."
INSTALL = "On the workstation, with Python 3.11 to 3.13: pip install 'edgekit-sdk[convert]'"
_PYTHON = platform.python_version()
_LARGEST_CONFIG = 64 << 20
_COPY = "Copy or save the model again."
_RECURRENT = {"LSTM", "GRU", "SimpleRNN", "RNN", "Bidirectional", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"}


def require_tensorflow() -> None:
    """See that conversion is possible here, without the seconds that loading TensorFlow takes.

    Raises:
        MissingDependencyError: it is not installed, or cannot be for this Python.
    """
    if sys.version_info < (3, 11):
        raise MissingDependencyError(f"conversion needs Python 3.11 to 3.13, and this is {_PYTHON}", hint=INSTALL)
    missing = [name for name in ("tensorflow", "keras") if find_spec(name) is None]
    if missing:
        raise MissingDependencyError(f"conversion needs {' and '.join(missing)}, not installed here", hint=INSTALL)


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer as the file's configuration names it; `module` is what its class was defined in, where that is said."""

    name: str
    kind: str
    module: str = ""

    def __str__(self) -> str:
        return f"'{self.name}' ({self.kind})"


@dataclass(frozen=True, slots=True)
class KerasFile:
    """A model on disk that has passed all checks that need no TensorFlow.

    Attributes:
        path: Where it is.
        kind: Its format, by content rather than by name.
        sha256: Of the file, or of a SavedModel's files in order of their names.
        size: In bytes.
        layers: Its layers, nested ones too; empty for a SavedModel, which does not say.
        version: Of the Keras that wrote it; empty where the file does not say.
    """

    path: Path
    kind: Kind
    sha256: str
    size: int
    layers: tuple[Layer, ...]
    version: str = ""

    @property
    def is_keras2(self) -> bool:
        """Whether Keras 2 wrote it, or 1; the oldest files do not say."""
        return self.kind != "savedmodel" and self.version.partition(".")[0] in ("", "1", "2")

    @property
    def recurrent(self) -> tuple[Layer, ...]:
        """Its recurrent layers, which TensorFlow's converter may fail on."""
        return tuple(layer for layer in self.layers if layer.kind in _RECURRENT)


def examine(path: Path) -> KerasFile:
    """Look at a model file or folder.

    Raises:
        MissingFileError: there is nothing at `path`.
        ModelFileError: it is no Keras model, is damaged, or holds code that would have to be run.
        MissingDependencyError: h5py is needed and not installed.
    """
    if not path.exists():
        raise MissingFileError(f"no such file: {path}", hint=_WANTED)
    try:
        kind = _kind(path)
    except OSError as error:
        raise ModelFileError(f"cannot read {path}: {error.strerror}") from error
    config = read_config(path, kind)
    try:
        layers = tuple(_layers(config))
        refuse_code(path, config)
    except RecursionError as error:
        raise ModelFileError(f"{path} is damaged: its configuration is nested without end", hint=_COPY) from error
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    size = sum(p.stat().st_size for p in files)
    return KerasFile(path, kind, _digest(path, files), size, layers, _version(path, kind))


def read_config(path: Path, kind: Kind) -> Any:
    """The configuration of a model as JSON values; None for a SavedModel.

    Raises:
        ModelFileError: the file is damaged, or holds no model.
        MissingDependencyError: h5py is needed and not installed.
    """
    return {"keras": _archive_config, "h5": _hdf5_config, "savedmodel": _no_config}[kind](path)


def linked(file: KerasFile, folder: Path, name: str) -> Path:
    """A link to the file in `folder`, with the suffix that Keras goes by."""
    link = folder / f"{name}.{file.kind}"
    link.symlink_to(file.path.resolve())
    return link


def _version(path: Path, kind: Kind) -> str:
    """Which Keras wrote the file; empty where it does not say. The file was read before."""
    if kind == "keras":
        with zipfile.ZipFile(path) as archive:
            if "metadata.json" not in archive.namelist():
                return ""
            try:
                said = json.loads(archive.read("metadata.json")).get("keras_version")
            except (ValueError, AttributeError):
                return ""
    elif kind == "h5":
        import h5py

        with h5py.File(path, "r") as file:
            said = file.attrs.get("keras_version")
    else:
        said = None
    return said.decode(errors="replace") if isinstance(said, bytes) else str(said or "")


def _kind(path: Path) -> Kind:
    if path.is_dir():
        if (path / "saved_model.pb").is_file():
            return "savedmodel"
        raise ModelFileError(f"{path} is a folder without a saved_model.pb, so not a SavedModel", hint=_WANTED)
    if not path.is_file():
        raise ModelFileError(f"{path} is not a regular file", hint=_WANTED)
    with path.open("rb") as file:
        head = file.read(64)
    if head.startswith(_ZIP_MAGIC):
        return "keras"
    if head.startswith(_HDF5_MAGIC):
        return "h5"
    if head[4:8] == b"TFL3":
        raise ModelFileError(f"{path} is a TFLite model already", hint=f"Run it: edgekit run {path} SOURCE")
    if path.suffix.lower() == ".onnx":
        raise ModelFileError(
            f"{path} is an ONNX model, which EdgeKit runs (edgekit run {path} SOURCE) and does not convert",
            hint=_WANTED,
        )
    raise ModelFileError(f"{path} is not a Keras model: {_what_it_is(head)}", hint=_WANTED)


def _what_it_is(head: bytes) -> str:
    if not head:
        return "the file is empty"
    if b"\0" not in head and all(byte >= 0x20 or byte in b"\t\r\n\f\x1b" for byte in head):
        return "it holds text"
    return "its first bytes are neither a .keras archive's nor an HDF5 file's"


def _archive_config(path: Path) -> Any:
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
            if damaged:
                raise ModelFileError(f"{path} is damaged: the checksum of {damaged} in it is wrong", hint=_COPY)
            if archive.getinfo("config.json").file_size > _LARGEST_CONFIG:
                raise ModelFileError(f"{path} is no model: its config.json is larger than any")
            return json.loads(archive.read("config.json"))
    except zipfile.BadZipFile as error:
        raise ModelFileError(f"{path} is cut short or damaged: its archive has no end", hint=_COPY) from error
    except KeyError as error:
        raise ModelFileError(f"{path} is a zip archive but holds no Keras model", hint=_WANTED) from error
    except ModelFileError:
        raise
    except (ValueError, EOFError, OSError, RuntimeError, RecursionError, zlib.error) as error:
        raise ModelFileError(f"{path} is damaged: its config.json cannot be read", hint=_COPY) from error


def _hdf5_config(path: Path) -> Any:
    try:
        import h5py
    except ImportError as error:
        raise MissingDependencyError("reading .h5 files needs h5py, which is not installed", hint=INSTALL) from error
    try:
        with h5py.File(path, "r") as file:
            text = file.attrs.get("model_config")
            _touch(file)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError) as error:
        raise ModelFileError(f"{path} is cut short or damaged: {_hdf5_reason(error)}", hint=_COPY) from error
    if text is None:
        raise ModelFileError(
            f"{path} holds weights only, no model",
            hint="Build the model in Python, load the weights into it, and save it whole: model.save('m.keras').",
        )
    try:
        return json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise ModelFileError(f"{path} is damaged: its model_config cannot be read", hint=_COPY) from error


def _touch(file: Any) -> None:
    """Read every weight, so that a file cut short is found here and not in the converter."""
    import h5py

    def read(_name: str, node: Any) -> None:
        if isinstance(node, h5py.Dataset):
            node[()]

    file.visititems(read)


def _hdf5_reason(error: Exception) -> str:
    text = str(error).lower()
    return "the end of the file is missing" if "truncated" in text else "its HDF5 structure cannot be read"


def _no_config(_path: Path) -> Any:
    return None


def _layers(config: Any) -> Iterator[Layer]:
    """All layers of a Keras configuration, in order, nested models and wrappers gone into."""
    if isinstance(config, list):
        for item in config:
            yield from _layers(item)
    elif isinstance(config, dict):
        kind, inner = config.get("class_name"), config.get("config")
        if isinstance(kind, str) and isinstance(inner, dict) and isinstance(inner.get("name"), str):
            yield Layer(inner["name"], kind, str(config.get("module") or ""))
        for value in config.values():
            yield from _layers(value)


def _digest(root: Path, files: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        if path != root:
            digest.update(path.relative_to(root).as_posix().encode() + b"\0")
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
