"""Calibration data made up, for a model of which nobody has any: better than none, and no match for real samples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.inputs import is_picture_shape
from edgekit.metadata import Normalization
from edgekit_converters.options import Options
from edgekit_converters.samples.calibration import Calibration, Feed, pixel_normalization, prepared_picture, summary_of
from edgekit_converters.samples.names import SYNTHETIC
from edgekit_converters.tracing.specs import InputSpec

COUNT = 64
WARNING = (
    "CALIBRATED ON SYNTHETIC DATA: {how}. Ranges, and the accuracy told, say nothing of the data that the device will "
    "see: convert again with real samples (50 are mostly enough) before anything depends on it"
)
_LEAST_CONTRAST, _MOST_CONTRAST = 20.0, 80.0
_GREY = 127.5
_TOKENS = 100
"""What token numbers stay below where no embedding says how many there are."""


def synthetic_calibration(inputs: Sequence[InputSpec], layers: Iterable[Any], options: Options) -> Calibration:
    """`COUNT` samples of the kind that each input takes, the same ones each time.

    Pictures are coloured noise with the spectrum of natural ones, an amplitude that falls as 1 over the frequency
    (D. J. Field, Relations between the statistics of natural images, 1987), of differing brightness and contrast,
    normalized as `normalize` says. Numbers have the mean and variance of the model's Normalization layer, else 0 and
    1. Token numbers stay below the size of the smallest embedding.

    Args:
        inputs: The model's inputs.
        layers: Its Keras layers; none where they are not known.
        options: Normalization and colours of pictures.
    """
    random = np.random.default_rng(0)
    layers = list(layers)
    columns, how = {}, []
    normalizations: dict[str, Normalization] = {}
    for spec in inputs:
        values, kind = _column(spec, layers, options, random)
        columns[spec.name] = values
        how.append(kind if len(inputs) == 1 else f"{spec.name} {kind}")
        if kind.startswith("pictures"):
            normalizations[spec.name] = pixel_normalization(options)
    samples: list[Feed] = [{name: values[at : at + 1] for name, values in columns.items()} for at in range(COUNT)]
    warning = WARNING.format(how="; ".join(how))
    return Calibration(samples, normalizations, summary_of(SYNTHETIC, SYNTHETIC, samples), (warning,))


def _column(
    spec: InputSpec, layers: Sequence[Any], options: Options, random: np.random.Generator
) -> tuple[NDArray[Any], str]:
    """All values for one input, shape (`COUNT`, ...), and what they are."""
    shape = (COUNT, *spec.shape[1:])
    if is_picture_shape(spec.shape) and spec.dtype.startswith("float"):
        pictures = [_picture(spec.shape[1], spec.shape[2], spec.shape[3], random) for _ in range(COUNT)]
        return np.concatenate([prepared_picture(picture, spec, options) for picture in pictures]), "pictures of noise"
    if not spec.dtype.startswith("float"):
        most = min((int(layer.input_dim) for layer in layers if type(layer).__name__ == "Embedding"), default=_TOKENS)
        return random.integers(0, most, shape).astype(spec.dtype), f"random whole numbers below {most}"
    mean, deviation, told = _statistics(spec, layers)
    return (random.normal(size=shape) * deviation + mean).astype(spec.dtype), f"random numbers {told}"


def _statistics(spec: InputSpec, layers: Sequence[Any]) -> tuple[Any, Any, str]:
    for layer in layers:
        if type(layer).__name__ == "Normalization" and np.size(layer.mean) in (1, spec.shape[-1]):
            mean, variance = (np.asarray(value, np.float64).reshape(-1) for value in (layer.mean, layer.variance))
            return mean, np.sqrt(variance), f"as layer '{layer.name}' (Normalization) expects"
    return 0.0, 1.0, "of mean 0 and variance 1"


def _picture(height: int, width: int, depth: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Noise whose amplitude falls as 1 over the frequency, uint8 of shape (height, width, depth)."""
    frequency = np.hypot(np.fft.fftfreq(height)[:, np.newaxis], np.fft.fftfreq(width)[np.newaxis])
    frequency[0, 0] = np.inf
    phases = np.exp(2j * np.pi * random.random((depth + 1, height, width)))
    planes = np.fft.ifft2(phases / frequency).real
    planes = planes[:1] + planes[1:] / 2 if depth > 1 else planes[1:]  # colours go together in the main
    planes /= planes.std() + 1e-12
    contrast = random.uniform(_LEAST_CONTRAST, _MOST_CONTRAST)
    brightness = random.uniform(_GREY / 2, _GREY * 1.5)
    return np.clip(np.moveaxis(planes, 0, -1) * contrast + brightness, 0, 255).astype(np.uint8)
