"""What an explanation holds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["picture", "window", "features"]
Method = Literal["occlusion", "rise"]

MOST_JSON_CELLS = 32
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Region:
    """A connected part of the sample whose importance is at least half of the highest.

    Attributes:
        box: First row, first column, last row and last column, the last ones excluded: pixels of a picture (y0, x0,
            y1, x1), steps and channels of a window, 0, feature, 1, feature + 1 of features.
        share: Its share of all importance above 0, from 0 to 1.
        without: The score where this region alone is hidden.
    """

    box: tuple[int, int, int, int]
    share: float
    without: float


@dataclass(frozen=True, slots=True)
class Importance:
    """A channel of a window, or a feature.

    Attributes:
        index: Its place, from 0.
        name: As the user or the file calls it; else `channel 3` or `feature 3`.
        drop: How far the score falls where it is hidden as a whole; below 0 where it rises. By `rise` for features: the
            mean score where it is seen less the mean of all.
    """

    index: int
    name: str
    drop: float


@dataclass(frozen=True, slots=True)
class Curve:
    """The score while more and more of the sample is hidden (or shown).

    Attributes:
        hidden: Shares, from 0 to 1, ascending.
        scores: The score at each.
        area: Under the curve, by the trapezoidal rule; for a score that is no probability the curve is first
            scaled so that the whole sample has 1 and the hidden one 0.
    """

    hidden: tuple[float, ...]
    scores: tuple[float, ...]
    area: float


@dataclass(frozen=True, slots=True)
class Faithfulness:
    """Whether the model itself agrees with the map: deletion and insertion (Petsiuk, Das, Saenko 2018, section 4.3).

    Deletion hides the most important parts first: the lower its area the better. Insertion starts from nothing and
    shows them first: the higher the better.

    Attributes:
        deletion: Of the map's order; `insertion` alike.
        random_deletion: Area in random order, mean of `random_orders`; `random_insertion` alike.
    """

    deletion: Curve
    insertion: Curve
    random_deletion: float
    random_insertion: float
    random_orders: int

    @property
    def gain(self) -> float:
        """Insertion less deletion, less the same in random order: above 0 where the map knows more than chance."""
        return (self.insertion.area - self.deletion.area) - (self.random_insertion - self.random_deletion)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Which part of a sample made the decision.

    Attributes:
        kind: `picture`, `window` (steps by channels) or `features`.
        task: The model's task.
        device: What the model ran on; `model` is its file.
        explained: What the score is, in words, such as `score of class 286 (Egyptian cat)`.
        index: Of the class, or of the output number; None where the score belongs to neither.
        label: Of the class; empty where there is none.
        score: Of the sample as it is; `hidden_score` where all of it is hidden.
        method: `occlusion` or `rise`.
        baseline: What hidden parts show, in words.
        masks: How many masks the map was made with; `runs` is how often the model ran in all.
        seconds: How long it took.
        cells: Importance, float32 of shape (rows, columns), for cells of equal size; rows and columns are at most 128
            where neighbours belong together. The score's fall where the cell is hidden; below 0 where it rises.
        size: Rows and columns of the sample: height and width, steps and channels, 1 and features.
        regions: The most important first.
        columns: Channels or features, the most important first; empty for pictures.
        faithfulness: None where it was not asked for.
        notes: What else to know, sentence by sentence.
    """

    kind: Kind
    model: str
    task: str
    device: str
    explained: str
    index: int | None
    label: str
    score: float
    hidden_score: float
    method: Method
    baseline: str
    masks: int
    runs: int
    seconds: float
    seed: int
    cells: NDArray[np.float32]
    size: tuple[int, int]
    regions: tuple[Region, ...]
    columns: tuple[Importance, ...]
    faithfulness: Faithfulness | None
    notes: tuple[str, ...]

    @property
    def heat(self) -> NDArray[np.float32]:
        """Importance for each pixel, or each step and channel: float32 of shape `size`."""
        return spread(self.cells, self.size)

    def to_dict(self) -> dict[str, Any]:
        """The same, ready for JSON; `heat` has at most 32 cells a side, the mean of those they stand for."""
        facts = {name: getattr(self, name) for name in _PLAIN}
        faithfulness = None
        if self.faithfulness:
            faithfulness = {**asdict(self.faithfulness), "gain": self.faithfulness.gain}
        shown: dict[str, Any] = _rounded({
            **facts,
            "size": list(self.size),
            "regions": [asdict(region) for region in self.regions],
            "columns": [asdict(column) for column in self.columns],
            "faithfulness": faithfulness,
            "heat": pooled(self.cells, MOST_JSON_CELLS).tolist(),
            "notes": list(self.notes),
        })
        return shown


_PLAIN = (
    "kind", "model", "task", "device", "explained", "index", "label", "score", "hidden_score", "method", "baseline",
    "masks", "runs", "seconds", "seed",
)


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    if isinstance(value, float):
        return round(value, _DIGITS) if np.isfinite(value) else None
    return value


def places(size: int, cells: int) -> NDArray[np.intp]:
    """For each of `size` places the cell that it lies in, of `cells` (at most `size`) of about the same length."""
    return np.arange(size) * cells // size


def span(first: int, last: int, size: int, cells: int) -> tuple[int, int]:
    """The places of the cells from `first` to just before `last`: the first one and the end, as `places` has them."""
    return -(-first * size // cells), -(-last * size // cells)


def spread(cells: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Values of cells, for each place of a sample of that size."""
    rows, columns = (places(length, count) for length, count in zip(size, cells.shape, strict=True))
    return cells[np.ix_(rows, columns)]


def pooled(cells: NDArray[np.float32], most: int) -> NDArray[np.float64]:
    """Cells brought to at most `most` rows and columns by their means; a third dimension stays as it is."""
    means = cells.astype(np.float64)
    for axis, length in enumerate(cells.shape[:2]):
        groups = places(length, min(length, most))
        starts = np.flatnonzero(np.r_[True, np.diff(groups) > 0])
        sizes = np.diff(np.r_[starts, length])
        means = np.add.reduceat(means, starts, axis=axis)
        means /= sizes.reshape([-1 if other == axis else 1 for other in range(means.ndim)])
    return means
