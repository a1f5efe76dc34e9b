"""How well objects are found: mean average precision as in the COCO challenge.

Boxes are matched, and the values computed, by pycocotools. Resampled values weight the pictures, in the same way: of
each class and overlap the precision at 101 recalls, each the best at that recall or above.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import MissingDependencyError
from edgekit_converters.evaluating.metrics.answers import Answers, Outputs
from edgekit_converters.evaluating.metrics.measured import ByClass, Measured, OfClass, resampled
from edgekit_converters.evaluating.metrics.resampling import Weights, affordable, resample
from edgekit_converters.evaluating.running.interpreting import MOST_OBJECTS, OBJECTS

MEAN, AT_HALF = "map", "map_50"
OVERLAPS = 10
_LOOK_UP = 2000
"""Looking up 101 recalls takes as long as looking at so many numbers."""


@dataclass(frozen=True, slots=True)
class _Matched:
    """What one model found of one class.

    Attributes:
        picture: Of each object that was found, best first.
        right: Whether it is one of those annotated, by overlap: shape (10, objects).
        counted: Whether it counts, alike: one that lies in a crowd does not.
        annotated: How many objects each picture has.
    """

    picture: NDArray[np.intp]
    right: NDArray[np.bool_]
    counted: NDArray[np.bool_]
    annotated: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Scored:
    """Average precision of each class, by overlap: shape (10, classes)."""

    values: NDArray[np.float64]
    matched: list[_Matched]


def measure_detection(answers: Answers, names: Sequence[str]) -> tuple[list[Measured], ByClass]:
    """mAP over overlaps (IoU) of 0.5 to 0.95, mAP at 0.5, and both for each class that has objects.

    Args:
        answers: With objects as targets, and `OBJECTS` as output.
        names: Which metrics.

    Raises:
        MissingDependencyError: pycocotools is not installed.
    """
    kept = [rows[rows[:, 5] == 0] for rows in answers.targets]
    numbers, counts = np.unique(np.concatenate([rows[:, 4] for rows in kept]), return_counts=True)
    wanted = [name for name in (MEAN, AT_HALF) if name in names]
    if not len(numbers) or not wanted:
        return [], {}
    scored = [_score(answers.targets, outputs, numbers.astype(int).tolist()) for outputs in answers.models]
    drawn = _draw(scored, len(answers))
    everything = np.ones(len(numbers), bool)
    by_class = {}
    for at, (number, count) in enumerate(zip(numbers, counts, strict=True)):
        own = np.arange(len(numbers)) == at
        others = None if own.all() else _measure(wanted[0], scored, drawn, ~own)
        by_class[int(number)] = OfClass(int(count), [_measure(name, scored, drawn, own) for name in wanted], others)
    measured = [_measure(name, scored, drawn, everything) for name in wanted]
    return sorted(measured, key=lambda one: names.index(one.metric.name)), by_class


def _measure(
    name: str, scored: Sequence[_Scored], drawn: Sequence[NDArray[np.float64] | None], classes: NDArray[np.bool_]
) -> Measured:
    """The mean over some classes, and the overlaps that the metric is of."""
    overlaps = slice(None) if name == MEAN else slice(1)
    values = [float(one.values[overlaps][:, classes].mean()) for one in scored]
    means = [None if one is None else _mean(one[:, overlaps][:, :, classes]) for one in drawn]
    against = (values[1], means[1]) if len(values) > 1 else (None, None)
    return resampled(name, values[0], against[0], means[0], against[1])


def _mean(drawn: NDArray[np.float64]) -> NDArray[np.float64]:
    """Over all but the resamplings; a class that a resampling has no objects of is left out."""
    rows = drawn.reshape(len(drawn), -1)
    known = np.isfinite(rows)
    sums: NDArray[np.float64] = np.where(known, rows, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return np.where(known.any(axis=1), sums, np.nan)


def _score(targets: Sequence[NDArray[np.float64]], outputs: Outputs, classes: list[int]) -> _Scored:
    coco, evaluator = _libraries()
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints what it does
        truth = coco()
        truth.dataset = _dataset(targets, classes)
        truth.createIndex()
        found = _found(outputs[OBJECTS])
        run = evaluator(truth, truth.loadRes(found) if found else _nothing(coco, truth), "bbox")
        run.params.catIds, run.params.maxDets = classes, [MOST_OBJECTS]
        run.params.areaRng, run.params.areaRngLbl = [[0, 1e10]], ["all"]
        run.evaluate()
        run.accumulate()
    precision = run.eval["precision"][:, :, :, 0, 0]
    images = len(targets)
    per_class = [run.evalImgs[at * images : (at + 1) * images] for at in range(len(classes))]
    return _Scored(precision.mean(axis=1), [_matched(entries) for entries in per_class])


def _libraries() -> tuple[Any, Any]:
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise MissingDependencyError(
            f"mAP needs pycocotools ({error})", hint="Install it with pip install 'edgekit-sdk[evaluate]'."
        ) from error
    return COCO, COCOeval


def _dataset(targets: Sequence[NDArray[np.float64]], classes: Sequence[int]) -> dict[str, Any]:
    annotations = [
        {
            "id": 0, "image_id": image, "category_id": int(number), "iscrowd": int(crowd),
            "bbox": [left, top, right - left, bottom - top], "area": (right - left) * (bottom - top),
        }
        for image, rows in enumerate(targets)
        for left, top, right, bottom, number, crowd in rows.tolist()
    ]
    return {
        "info": {}, "images": [{"id": image} for image in range(len(targets))],
        "categories": [{"id": number} for number in classes],
        # pycocotools takes an annotation of number 0 for one that nothing matches.
        "annotations": [{**annotation, "id": number} for number, annotation in enumerate(annotations, 1)],
    }


def _found(objects: NDArray[np.float32]) -> list[dict[str, Any]]:
    return [
        {"image_id": image, "category_id": int(number), "bbox": [left, top, right - left, bottom - top], "score": score}
        for image, rows in enumerate(objects)
        for left, top, right, bottom, score, number in rows[np.isfinite(rows[:, 4])].tolist()
    ]


def _nothing(coco: Any, truth: Any) -> Any:
    empty = coco()
    empty.dataset = {**truth.dataset, "annotations": []}
    empty.createIndex()
    return empty


def _matched(entries: Sequence[Any]) -> _Matched:
    """The pictures' matches of one class together; a picture without any has no entry."""
    known = [(image, entry) for image, entry in enumerate(entries) if entry is not None]
    scores = np.concatenate([np.asarray(entry["dtScores"], float) for _, entry in known] or [np.zeros(0)])
    order = np.argsort(-scores, kind="mergesort")
    blank = [np.zeros((OVERLAPS, 0))]
    right = np.concatenate([np.asarray(entry["dtMatches"]) for _, entry in known] or blank, axis=1)[:, order] > 0
    ignored = np.concatenate([np.asarray(entry["dtIgnore"]) for _, entry in known] or blank, axis=1)[:, order] > 0
    annotated = np.zeros(len(entries))
    for image, entry in known:
        annotated[image] = np.count_nonzero(np.asarray(entry["gtIgnore"]) == 0)
    places = np.concatenate([np.full(len(e["dtScores"]), image) for image, e in known] or [np.zeros(0, int)])
    return _Matched(places[order].astype(np.intp), right & ~ignored, ~ignored, annotated)


def _draw(scored: Sequence[_Scored], pictures: int) -> list[NDArray[np.float64] | None]:
    """Average precisions in the same resamplings of the pictures for each model: (rows, 10, classes)."""
    cost = max(
        sum(OVERLAPS * (len(found.picture) * 4 + _LOOK_UP) for found in one.matched) for one in scored
    )
    count = affordable(cost)

    def of(one: _Scored) -> NDArray[np.float64] | None:
        def statistic(weights: Weights) -> NDArray[np.float64]:
            return np.stack([_average_precisions(found, weights) for found in one.matched], axis=2)

        return resample(pictures, count, statistic)

    return [of(one) for one in scored]


RECALLS = np.linspace(0, 1, 101)


def _average_precisions(found: _Matched, weights: Weights) -> NDArray[np.float64]:
    """Of one class in each resampling, by overlap: (rows, 10); NaN where it has no objects."""
    annotated: NDArray[np.float64] = found.annotated @ weights
    of_object = weights[found.picture]
    columns = []
    for right, counted in zip(found.right, found.counted, strict=True):
        hits = np.cumsum(of_object * right[:, None], axis=0, dtype=np.float64)
        taken = np.cumsum(of_object * counted[:, None], axis=0, dtype=np.float64)
        precision = np.divide(hits, taken, out=np.zeros_like(hits), where=taken > 0)
        best = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
        columns.append(_at_recalls(hits / np.maximum(annotated, 1), best))
    return np.where(annotated[:, None] > 0, np.stack(columns, axis=1), np.nan)


def _at_recalls(recall: NDArray[np.floating[Any]], best: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Mean of the best precision at each of the recalls, those that are not reached being 0."""
    means = np.zeros(recall.shape[1])
    for column in range(recall.shape[1]):
        places = np.searchsorted(recall[:, column], RECALLS)
        means[column] = best[places[places < len(best)], column].sum() / len(RECALLS)
    return means
