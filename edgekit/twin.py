"""Files of the same network for a processor, beside those for an accelerator.

The Edge TPU's compiler writes `NAME_edgetpu.tflite` beside `NAME.tflite`, and `edgekit convert --target jetson` writes
the int8 file `NAME_cpu.tflite` beside `NAME.tflite`. By these names a twin is found.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from edgekit import metadata
from edgekit.errors import EdgeKitError, ModelFileError, UsageError
from edgekit.tflite import ModelFile, Tensor, read_model

COMPILED = "_edgetpu"
FOR_CPU = "_cpu"
TWIN_OF = "twin_of"
"""Where the metadata of the file for the processor, among what is said of its source, names the other file."""


def twin_name(path: str | Path) -> str:
    """What the uncompiled twin of a file is called; empty where its own name does not say that it is compiled."""
    stem = Path(path).stem
    return f"{stem.removesuffix(COMPILED)}.tflite" if stem.endswith(COMPILED) and stem != COMPILED else ""


def find_twin(path: str | Path) -> Path | None:
    """Where the uncompiled twin lies; None where there is none beside the file."""
    name = twin_name(path)
    twin = Path(path).with_name(name) if name else None
    return twin if twin and twin.is_file() else None


def read_twin(model: ModelFile) -> ModelFile:
    """Read the uncompiled twin of a model.

    Raises:
        UsageError: there is none beside it.
        ModelFileError: it is damaged, compiled too, or its inputs and outputs are not those of the model.
    """
    path = find_twin(model.path)
    if path is None:
        name = twin_name(model.path)
        raise UsageError(
            f"{model.label} is compiled for the Edge TPU, and the file that it was compiled from is not beside it",
            hint=f"Put {name} beside it." if name
            else f"By their names the two belong together: NAME.tflite and NAME{COMPILED}.tflite.",
        )
    twin = read_model(path)
    if twin.is_edgetpu:
        raise ModelFileError(f"{path} is compiled for the Edge TPU too", hint="Put the file in its place that was not.")
    for what, own, other in (("input", model.inputs, twin.inputs), ("output", model.outputs, twin.outputs)):
        if [_form(tensor) for tensor in own] != [_form(tensor) for tensor in other]:
            raise ModelFileError(
                f"{path} is not what {model.label} was compiled from: it has other {what}s ({_list(other)}, and not "
                f"{_list(own)})",
                hint="Compile it again, or put the right file in its place.",
            )
    return twin


def cpu_twin_of(path: str | Path) -> Path:
    """Where the int8 file for the processor lies, beside a file for the GPU."""
    return Path(path).with_name(f"{Path(path).stem}{FOR_CPU}.tflite")


def find_cpu_twin(model: ModelFile) -> ModelFile | None:
    """The int8 file for the processor; None where there is none beside a model that was converted for a GPU.

    A file of that name which is damaged, or was not made together with this very model, is none.
    """
    path = cpu_twin_of(model.path)
    if not model.path or not path.is_file():
        return None
    try:
        twin = read_model(path)
        source = metadata.read(twin).provenance.get("source")
    except EdgeKitError:
        return None
    return twin if isinstance(source, Mapping) and source.get(TWIN_OF) == digest(model.path) else None


def digest(path: str | Path) -> str:
    """SHA-256 of a whole file, by which the file for the processor says which one it goes with."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _form(tensor: Tensor) -> tuple[object, ...]:
    # The compiler keeps all of these; an open batch dimension it fixes.
    return tensor.static_shape, tensor.dtype, tensor.quantization


def _list(tensors: tuple[Tensor, ...]) -> str:
    return ", ".join(f"{tensor.dtype}{list(tensor.static_shape)}{_scale(tensor)}" for tensor in tensors)


def _scale(tensor: Tensor) -> str:
    said = tensor.quantization
    return f" scale {said.scales[0]:g} zero point {said.zero_points[0]}" if said and said.scales else ""
