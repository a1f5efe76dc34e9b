"""Opens Keras files of any age, with Keras 3 or else with Keras 2, without running code from them."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from edgekit.errors import ModelFileError
from edgekit_converters.failing.reasons import reason_of
from edgekit_converters.loading.keras2 import load_keras2
from edgekit_converters.loading.keras_files import KerasFile, Layer, linked, read_config
from edgekit_converters.loading.repairing import HARD_SIGMOID, repaired

_UNKNOWN_CLASS = re.compile(r"Could not locate (?:class|function) '([\w>.]+)'|Unknown layer: '?([\w>.]+)")
_OF_KERAS_2 = {
    "TFOpLambda", "SlicingOpLambda", "ClassMethod", "InstanceMethod", "InstanceProperty", "TensorFlowOpLayer",
    "LocallyConnected1D", "LocallyConnected2D", "RandomFourierFeatures", "DenseFeatures", "SequenceFeatures",
    "SyncBatchNormalization", "CuDNNLSTM", "CuDNNGRU",
}
"""Layers of Keras 2 that Keras 3 does not have."""


def load_keras(file: KerasFile, folder: Path, custom: Mapping[str, Any]) -> Any:
    """The model of a `.keras` or `.h5` file: a Keras 3 model, or one of Keras 2 where only that can read it.

    Args:
        file: The file.
        folder: A folder for what is made on the way.
        custom: Custom objects by name.

    Raises:
        ModelFileError: the model cannot be built from its file.
        MissingDependencyError: it takes Keras 2, which is not installed.
    """
    try:
        path = _for_keras_3(file, folder)
        objects = {HARD_SIGMOID: keras2_hard_sigmoid, **custom}
        with keras.saving.custom_object_scope(objects):  # layers inside of wrappers see no other
            return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises whatever its layers do
        refused = _cannot_load(file, error)
        if file.is_keras2 and not _unknown(error) - _OF_KERAS_2:
            return load_keras2(file, folder, custom, refused)
        raise refused from error


def keras2_hard_sigmoid(x: Any) -> Any:
    """As Keras 2 has it; the function goes by the name that the repaired configuration gives, where it is copied."""
    return keras.ops.clip(0.2 * x + 0.5, 0, 1)


def _for_keras_3(file: KerasFile, folder: Path) -> Path:
    """The file itself, or a copy with its configuration repaired."""
    if file.kind != "h5" or not file.is_keras2:
        return linked(file, folder, "source")
    import h5py

    copy = folder / "repaired.h5"
    shutil.copyfile(file.path, copy)
    with h5py.File(copy, "r+") as target:
        target.attrs["model_config"] = json.dumps(repaired(read_config(file.path, "h5")))
    return copy


def _unknown(error: Exception) -> set[str]:
    return {name for match in _UNKNOWN_CLASS.finditer(str(error)) for name in match.groups() if name}


def _cannot_load(file: KerasFile, error: Exception) -> ModelFileError:
    unknown = _unknown(error)
    if unknown:
        found = [layer for layer in file.layers if layer.kind in unknown]
        shown = ", ".join(dict.fromkeys(map(str, found))) or ", ".join(sorted(unknown))
        return ModelFileError(
            f"{file.path} uses classes that Keras does not know: {shown}",
            hint=f"Say where they are defined: {_option(found, sorted(unknown)[0])}. Or build the model in Python and "
            "pass it in memory: edgekit.convert(model, ...).",
        )
    if _is_newer(file.version):
        return ModelFileError(
            f"{file.path} was written by Keras {file.version}, and Keras {keras.__version__} here cannot read it: "
            f"{reason_of(error)}",
            hint=f"Update it: pip install 'keras>={file.version}'",
        )
    if isinstance(error, OSError):  # of h5py: the archive is whole, and the file in it is not
        return ModelFileError(
            f"{file.path} is damaged: its weights cannot be read ({reason_of(error)})",
            hint="Copy or save the model again.",
        )
    return ModelFileError(
        f"Keras {keras.__version__} cannot load {file.path}: {reason_of(error)}",
        hint="See the whole of its message with --debug.",
    )


def _option(found: list[Layer], name: str) -> str:
    known = [(layer.module or "FILE.py", layer.kind) for layer in found] or [("FILE.py", name.rpartition(">")[2])]
    return " ".join(f"--custom-objects {module}:{kind}" for module, kind in dict.fromkeys(known))


def _is_newer(version: str) -> bool:
    """Whether a file's version of Keras is newer than the one installed, by its first two numbers."""
    numbers = re.match(r"(\d+)\.(\d+)", version)
    own = re.match(r"(\d+)\.(\d+)", keras.__version__)
    return bool(numbers and own and tuple(map(int, numbers.groups())) > tuple(map(int, own.groups())))
