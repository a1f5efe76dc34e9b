"""Holds rewritten forms against what they stand for: trained weights have to give the same answers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import ConversionError
from edgekit_converters.tracing.specs import InputSpec

TOLERANCE = 1e-4
"""Largest difference of a rewritten form's float results, as a share of the largest result, or of 1 if that is less."""


def random_sample(inputs: Sequence[InputSpec]) -> dict[str, NDArray[Any]]:
    """One sample of numbers from 0 to 1, the same each time, by input name."""
    random = np.random.default_rng(0)
    return {spec.name: random.uniform(0, 1, spec.shape).astype(spec.dtype) for spec in inputs}


def check_same(name: str, values: NDArray[Any], expected: NDArray[Any], cures: Collection[str]) -> None:
    """Refuse an output that is not what it was before something was rewritten.

    Raises:
        ConversionError: it differs by more than `TOLERANCE`.
    """
    difference = np.abs(np.asarray(values, np.float64) - np.asarray(expected, np.float64))
    if difference.max(initial=0) > TOLERANCE * max(1.0, float(np.abs(expected).max(initial=0))):
        keep = " ".join(f"--keep {name}" for name in sorted(set(cures)))
        raise ConversionError(
            f"the rewritten form of a layer changes the output '{name}'",
            hint=f"Keep Keras's own form with {keep}, and please report the model.",
        )
