"""The file that a model for the Edge TPU was compiled from, which any processor runs.

The compiler writes `NAME_edgetpu.tflite` beside `NAME.tflite`, and by these names a twin is found.
"""

from __future__ import annotations

from pathlib import Path

from edgekit.errors import ModelFileError, UsageError
from edgekit.tflite import ModelFile, Tensor, read_model

COMPILED = "_edgetpu"


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


def _form(tensor: Tensor) -> tuple[object, ...]:
    # The compiler keeps all of these; an open batch dimension it fixes.
    return tensor.static_shape, tensor.dtype, tensor.quantization


def _list(tensors: tuple[Tensor, ...]) -> str:
    return ", ".join(f"{tensor.dtype}{list(tensor.static_shape)}{_scale(tensor)}" for tensor in tensors)


def _scale(tensor: Tensor) -> str:
    said = tensor.quantization
    return f" scale {said.scales[0]:g} zero point {said.zero_points[0]}" if said and said.scales else ""
