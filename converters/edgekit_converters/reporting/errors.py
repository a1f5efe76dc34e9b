"""How far the outputs of two models are apart, sample by sample: the distribution of the error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DataError

BINS = 41
_PERCENTILES = (1, 50, 99)


@dataclass(frozen=True, slots=True)
class OutputErrors:
    """The model's outputs less the float model's, all numbers of all samples together.

    Attributes:
        samples: How many samples there are; `numbers` is how many numbers their outputs have.
        mean: A mean far from 0 is a shift, which correcting biases takes away.
        rms: Root mean square.
        largest: The largest size of an error.
        percentiles: Of the error: the 1st, 50th and 99th.
        reference_rms: Root mean square of the float model's outputs, to hold the error against.
        edges: Of the bins, one more than there are; `counts` how many errors lie in each.
    """

    samples: int
    numbers: int
    mean: float
    rms: float
    largest: float
    percentiles: tuple[float, float, float]
    reference_rms: float
    edges: tuple[float, ...]
    counts: tuple[int, ...]

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        facts = asdict(self)
        return {key: list(value) if isinstance(value, tuple) else value for key, value in facts.items()}


def output_errors(
    found: Mapping[str, NDArray[Any]], expected: Mapping[str, NDArray[Any]]
) -> OutputErrors:
    """Compare the outputs of two models on the same samples.

    Args:
        found: The model's outputs by name, shape (samples, ...); such as `Predictions.at(...)`.
        expected: The float model's, of the same names and shapes.

    Raises:
        DataError: names or shapes differ, there are none, or numbers are not finite.
    """
    if set(found) != set(expected) or not found:
        raise DataError(f"the models' outputs are not the same: {', '.join(found)}, and {', '.join(expected)}")
    for name, values in found.items():
        if values.shape != expected[name].shape or not values.size:
            raise DataError(f"output {name} has shapes {values.shape} and {expected[name].shape}")
    first, second = (
        np.concatenate([np.asarray(side[name], np.float64).reshape(-1) for name in found]) for side in (found, expected)
    )
    errors = first - second
    if not np.isfinite(errors).all():
        raise DataError("an output holds NaN or infinity")
    low, middle, high = (float(value) for value in np.percentile(errors, _PERCENTILES))
    reach = float(np.abs(errors).max()) or 1e-9
    counts, edges = np.histogram(errors, BINS, (-reach, reach))
    return OutputErrors(
        samples=len(next(iter(found.values()))), numbers=errors.size, mean=float(errors.mean()),
        rms=float(np.sqrt(np.mean(errors**2))), largest=float(np.abs(errors).max()), percentiles=(low, middle, high),
        reference_rms=float(np.sqrt(np.mean(second**2))), edges=tuple(edges.tolist()), counts=tuple(counts.tolist()),
    )
