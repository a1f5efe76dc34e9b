"""Whether a device computes what the processor does, as far as quantized numbers and short floats can.

How much answers may differ depends on the network: some of them magnify the least change. So it is measured, on
made-up samples: by how much the processor's answers change when each input value changes by one step, and when other
kernels of the processor compute them. What a device may differ by is a few times the larger of the two.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgekit.tflite import Tensor

if TYPE_CHECKING:
    from edgekit.device import Runner  # which imports this package

Arrays = list[NDArray[Any]]

MARGIN = 3.0
LEAST_STEPS = 0.75
"""Steps of a quantized output that are always allowed, root mean square."""
LEAST_SHARE = 0.02
"""Share of a float output's root mean square that is always allowed: GPUs compute in 16 bits."""
CONTRASTS = (1.0, 0.3, 0.1, 0.03)
"""Shares of an input's range that the samples use: some networks give the same answer to everything that is bright."""
BLOCKS = {32: 0.57, 8: 0.29, 2: 0.14}
"""Sides in pixels of the squares that make up a picture, and their shares: coarse and fine, as in real ones."""
SLOW_SECONDS = 0.2
"""Of a network that takes longer, one sample has to do."""
STEPS = 255.0
"""Steps of an input's range. Those of more than 8 bits mostly carry pictures, or are quantized on the way."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What the processor gave.

    Attributes:
        samples: Its inputs.
        outputs: For each output of the network, what it gave for the samples.
        allowed: For each output, by how much others may differ, root mean square.
    """

    samples: Sequence[Arrays]
    outputs: Sequence[Arrays]
    allowed: Sequence[float]

    def met_by(self, runner: Runner) -> bool:
        """Whether another gives the same.

        Raises:
            DeviceError: it fails.
        """
        given = _answers(runner, self.samples)
        return len(given) == len(self.outputs) and all(map(_near, self.outputs, given, self.allowed))


def expect(inputs: Sequence[Tensor], fast: Runner, plain: Runner) -> Expected:
    """Find out what a network gives, and how sure that is.

    Args:
        inputs: What it takes.
        fast: The processor.
        plain: The processor with other kernels.

    Raises:
        DeviceError: one of them fails.
    """
    samples = [made_up(inputs, contrast) for contrast in (CONTRASTS[:1] if _is_slow(fast, inputs) else CONTRASTS)]
    outputs = _answers(fast, samples)
    nudged = _answers(fast, [_nudged(inputs, sample) for sample in samples])
    others = _answers(plain, samples)
    allowed = [
        max(_least(output), *(MARGIN * _distance(output, other) for other in (moved, computed)))
        for output, moved, computed in zip(outputs, nudged, others, strict=True)
    ]
    return Expected(samples, outputs, allowed)


def _is_slow(runner: Runner, inputs: Sequence[Tensor]) -> bool:
    sample = made_up(inputs)
    started = time.perf_counter()
    runner.run(sample)
    return time.perf_counter() - started > SLOW_SECONDS


def _answers(runner: Runner, samples: Sequence[Arrays]) -> list[Arrays]:
    """For each output of the network, what comes out of the samples."""
    answers = []
    for sample in samples:
        runner.reset()
        answers.append(runner.run(sample))
    return [list(outputs) for outputs in zip(*answers, strict=True)]


def made_up(inputs: Sequence[Tensor], contrast: float = 1.0) -> Arrays:
    """A sample, the same at each call: an array for each input.

    Args:
        inputs: What the network takes.
        contrast: Share of an input's range that the values take, round its middle, above 0 to 1.
    """
    numbers = np.random.default_rng(int(contrast * 1000))
    return [_fill(tensor, contrast, numbers) for tensor in inputs]


def _fill(tensor: Tensor, contrast: float, numbers: np.random.Generator) -> NDArray[Any]:
    """Values round the middle of an input's range; zeros for integers without quantization.

    Those are mostly places in a table, of which only the first is sure to exist.
    """
    if not _is_real(tensor):
        return np.zeros(tensor.static_shape, tensor.dtype)
    low, high = _range(tensor.dtype)
    noise = _picture(tensor.static_shape, numbers) if len(tensor.static_shape) == 4 else (
        numbers.uniform(-1, 1, tensor.static_shape)
    )
    return ((low + high) / 2 + contrast * (high - low) / 2 * noise).astype(tensor.dtype)


def _picture(shape: tuple[int, ...], numbers: np.random.Generator) -> NDArray[np.float64]:
    picture = np.zeros(shape)
    for side, share in BLOCKS.items():
        coarse = numbers.uniform(-share, share, (shape[0], -(-shape[1] // side), -(-shape[2] // side), shape[3]))
        picture += coarse.repeat(side, 1)[:, : shape[1]].repeat(side, 2)[:, :, : shape[2]]
    return picture


def _nudged(inputs: Sequence[Tensor], sample: Arrays) -> Arrays:
    """A sample with one step added to each value, or taken away."""
    numbers = np.random.default_rng(len(CONTRASTS))
    return [
        _nudge(tensor, values, numbers) if _is_real(tensor) else values
        for tensor, values in zip(inputs, sample, strict=True)
    ]


def _nudge(tensor: Tensor, values: NDArray[Any], numbers: np.random.Generator) -> NDArray[Any]:
    low, high = _range(tensor.dtype)
    steps = (high - low) / STEPS * numbers.choice((-1.0, 1.0), values.shape)
    return np.clip(values + steps, low, high).astype(tensor.dtype)


def _is_real(tensor: Tensor) -> bool:
    return tensor.quantization is not None or np.dtype(tensor.dtype).kind == "f"


def _range(dtype: str) -> tuple[float, float]:
    if np.dtype(dtype).kind == "f":
        return 0.0, 1.0
    limits = np.iinfo(dtype)
    return float(limits.min), float(limits.max)


def _least(output: Arrays) -> float:
    if output[0].dtype.kind == "f":
        return LEAST_SHARE * _size(values[np.isfinite(values)] for values in output)
    return LEAST_STEPS


def _near(expected: Arrays, given: Arrays, allowed: float) -> bool:
    return all(map(_comparable, expected, given)) and _distance(expected, given) <= allowed


def _comparable(expected: NDArray[Any], given: NDArray[Any]) -> bool:
    """Whether shapes and types are the same, and what is no finite number is none in both."""
    same_form = expected.shape == given.shape and expected.dtype == given.dtype
    return same_form and bool(np.array_equal(np.isfinite(expected), np.isfinite(given)))


def _distance(one: Arrays, other: Arrays) -> float:
    """Root mean square of the differences, where both have finite numbers at the same places of equal shapes."""
    return _size(_differences(one, other))


def _differences(one: Arrays, other: Arrays) -> Iterator[NDArray[np.float64]]:
    for left, right in zip(one, other, strict=True):
        if left.shape == right.shape:
            known = np.isfinite(left) & np.isfinite(right)
            yield left[known].astype(np.float64) - right[known]


def _size(parts: Iterator[NDArray[Any]]) -> float:
    values = np.concatenate([part.ravel().astype(np.float64) for part in parts] or [np.zeros(0)])
    return float(np.sqrt(np.mean(values**2))) if values.size else 0.0
