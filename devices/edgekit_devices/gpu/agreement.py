"""Holds what the GPU computes against the processor, when a model is opened.

An accelerator may take a network and compute another one, in silence: LiteRT 2.3's computes a Dense layer on a picture
that is not flattened first as a convolution, and drivers have faults of their own. Number formats differ too, so only
what is far off counts as wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DeviceError
from edgekit.interpreter import Engine
from edgekit.quantization import dequantize, scale_of
from edgekit.tflite import ModelFile, Tensor
from edgekit_devices.coral.placement.step import EIGHT_BIT

Arrays = Sequence[NDArray[Any]]

PATTERNS = 3
"""How many inputs are tried until one agrees: one input may be a network's breaking point."""
BLOCK = 16
"""Neighbours along a long dimension with equal values: a picture has shapes, and no network was made for noise."""
FAR_SHARE = 0.5
"""Root mean square of the differences, as a share of the output's own spread, above which it is wrong."""
FAR_STEPS = 16.0
"""And as steps of its quantization: the processor rounds between layers where the GPU does not."""

_SEARCHES = ("ARG_MAX", "ARG_MIN", "TOPK_V2", "WHERE", "NON_MAX_SUPPRESSION_V4", "NON_MAX_SUPPRESSION_V5")
"""Outputs of these, of custom operations and of plain integers jump with the least difference: they are not judged."""


def check_agreement(model: ModelFile, run: Callable[[Arrays], Arrays], threads: int) -> None:
    """Run the same inputs on both, until the outputs agree.

    Args:
        model: The file.
        run: Runs the network on the GPU.
        threads: Threads of the processor to use.

    Raises:
        DeviceError: an output is far from the processor's for every input.
        ModelFileError: the processor cannot run the file.
    """
    engine = Engine(model.path, threads=threads)
    wrong = {at for at in range(len(model.outputs)) if _is_judged(model, at)}
    for seed in range(PATTERNS):
        inputs = [_pattern(tensor, np.random.default_rng((seed, at))) for at, tensor in enumerate(model.inputs)]
        pairs = list(zip(model.outputs, engine.run(inputs), run(inputs), strict=True))
        wrong = {at for at in wrong if _is_far(*pairs[at])}
        if not wrong:
            return
    names = " and ".join(model.output_names[at] for at in sorted(wrong))
    raise DeviceError(
        f"the GPU computes another {names} than the processor, far beyond what number formats explain",
        hint=f"{_cure(model)} --device-option check=off leaves this comparison out.",
    )


def _cure(model: ModelFile) -> str:
    if any(tensor.constant and tensor.dtype in EIGHT_BIT for tensor in model.main.tensors):
        return "Convert the model with --target jetson, which keeps weights in float16. Or use --device cpu."
    return (
        "Run it on the processor: --device cpu. Where float16 may be too coarse for the network, --device-option "
        "precision=float32 could mend it."
    )


def _is_judged(model: ModelFile, at: int) -> bool:
    tensor, operator = model.outputs[at], model.final_operator(at)[0]
    kinds = {step.label: step.type for step in model.main.operators}
    is_number = scale_of(tensor) is not None or np.dtype(tensor.dtype).kind == "f"
    return is_number and kinds.get(operator) not in (*_SEARCHES, "CUSTOM")


def _pattern(tensor: Tensor, random: np.random.Generator) -> NDArray[Any]:
    """Blocks of equal values over the whole range; zeros for integers that stand for themselves, such as indices."""
    shape, dtype = tensor.static_shape, np.dtype(tensor.dtype)
    if dtype.kind != "f" and scale_of(tensor) is None:
        return np.zeros(shape, dtype)
    values = random.random([-(-size // BLOCK) if size > BLOCK else size for size in shape])
    for axis, size in enumerate(shape):
        if size > BLOCK:
            values = np.repeat(values, BLOCK, axis)
    values = values[tuple(slice(size) for size in shape)]
    if dtype.kind == "f":
        return (2 * values - 1).astype(dtype)
    limits = np.iinfo(dtype)
    return (limits.min + values * (float(limits.max) - limits.min)).astype(dtype)


def _is_far(tensor: Tensor, expected: NDArray[Any], found: NDArray[Any]) -> bool:
    scale = scale_of(tensor)
    here, there = (dequantize(array, scale) if scale else array.astype(np.float64) for array in (expected, found))
    if not np.isfinite(there).all():
        return bool(np.isfinite(here).all())
    spread = np.std(here) if here.size > 1 else np.abs(here).max(initial=0)
    allowed = max(FAR_SHARE * float(spread), FAR_STEPS * scale.scale if scale else 1e-3 * _size(here))
    return _size(there - here) > max(allowed, 1e-6)


def _size(values: NDArray[Any]) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64)))) if values.size else 0.0
