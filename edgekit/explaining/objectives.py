"""The one number that is explained: what is taken from a result depends on its task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DataError, UsageError
from edgekit.results import Classification, Result, ScoredClass, Values

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Objective:
    """A score to explain.

    Attributes:
        said: What it is, in words.
        score: Takes it from a result.
        index: Of the class or the output number; None where there is none.
        label: Of the class.
        bounded: Whether it lies within 0 and 1, as a probability does.
    """

    said: str
    score: Callable[[Result], float]
    index: int | None = None
    label: str = ""
    bounded: bool = True


def objective_of(first: Result, wanted: str | int | None, classes: int) -> Objective:
    """Choose the score.

    - classification: the score of the class, by default of the best one.
    - objects: the score of the best object (of that class), times its overlap (IoU) with the nearest object of the
      same class in the masked picture, as in D-RISE (Petsiuk et al. 2021) for one box.
    - anomaly: its score.
    - values: the number, where the model gives one or `wanted` is the place of one; else how near the outputs stay to
      those of the whole sample, 1 / (1 + |y - y0| / |y0|).

    Args:
        first: The result for the whole sample.
        wanted: Label or index of a class, index of an output number; None for the best class.
        classes: How many classes the model tells apart.

    Raises:
        UsageError: there is no such class or number, or the task has no score.
        DataError: the score of the whole sample is no finite number.
    """
    objective = _objective(first, wanted, classes)
    if not isfinite(objective.score(first)):
        raise DataError(f"the {objective.said} is no finite number, so that nothing can explain it")
    return objective


def _objective(first: Result, wanted: str | int | None, classes: int) -> Objective:
    if isinstance(first, Classification):
        return _of_class(first, wanted, classes)
    if isinstance(first, Values):
        return _of_values(first, wanted)
    payload = first.payload()
    if "objects" in payload:
        return _of_object(payload["objects"], wanted)
    if isinstance(payload.get("score"), float) and wanted is None:
        return Objective(f"{first.task} score", lambda result: float(result.payload()["score"]), bounded=False)
    raise UsageError(
        f"the results of task {first.task} have no score to explain" + (f" for '{wanted}'" if wanted else ""),
        hint="Classification, detection, anomaly scores and values can be explained; --task values takes the outputs "
        "of any model as they are.",
    )


def _of_class(first: Classification, wanted: str | int | None, classes: int) -> Objective:
    if len(first.classes) < classes:
        raise UsageError(
            f"the model was opened to name {len(first.classes)} of {classes} classes, and all scores are needed",
            hint=f"Open it with edgekit.load(path, top={classes}), or give its path.",
        )
    chosen = first.classes[0] if wanted is None else _find(first.classes, wanted)
    named = f" ({chosen.label})" if chosen.label else ""

    def score(result: Result) -> float:
        found = result.classes if isinstance(result, Classification) else ()
        return next((entry.score for entry in found if entry.index == chosen.index), 0.0)

    return Objective(f"score of class {chosen.index}{named}", score, chosen.index, chosen.label)


def _find(classes: tuple[ScoredClass, ...], wanted: str | int) -> ScoredClass:
    """By label, else by index."""
    for entry in classes:
        if entry.label == wanted:
            return entry
    index = int(wanted) if str(wanted).isdecimal() else -1
    for entry in classes:
        if entry.index == index:
            return entry
    import difflib  # for mistakes only

    labels = [entry.label for entry in classes if entry.label]
    near = difflib.get_close_matches(str(wanted), labels, n=1)
    meant = f"Did you mean '{near[0]}'? " if near else ""
    raise UsageError(f"no class '{wanted}'", hint=f"{meant}Give a label, or an index from 0 to {len(classes) - 1}.")


def _of_values(first: Values, wanted: str | int | None) -> Objective:
    whole = _flat(first)
    if wanted is None and whole.size > 1:
        length = float(np.linalg.norm(whole)) or 1.0

        def likeness(result: Result) -> float:
            return 1.0 / (1.0 + float(np.linalg.norm(_flat(result) - whole)) / length)

        return Objective("likeness of the outputs to those of the whole sample", likeness)
    place = 0 if wanted is None else int(wanted) if str(wanted).isdecimal() else -1
    if not 0 <= place < whole.size:
        raise UsageError(f"no output number '{wanted}'", hint=f"Give an index from 0 to {whole.size - 1}.")
    said = "output" if whole.size == 1 else f"output number {place}"
    return Objective(said, lambda result: float(_flat(result)[place]), place, bounded=False)


def _flat(result: Result) -> NDArray[np.float64]:
    arrays = result.values.values() if isinstance(result, Values) else ()
    return np.concatenate([np.asarray(array, np.float64).reshape(-1) for array in arrays])


def _of_object(objects: list[dict[str, Any]], wanted: str | int | None) -> Objective:
    fitting = [found for found in objects if wanted is None or str(wanted) in (found["label"], str(found["index"]))]
    if not fitting:
        raise UsageError(
            f"no object{f' of class {wanted!r}' if wanted is not None else ''} was found, so that there is none to "
            "explain",
            hint="Give another sample, another --class or a lower --threshold of the model.",
        )
    best = max(fitting, key=lambda found: float(found["score"]))
    box: Box = tuple(best["box"])

    def score(result: Result) -> float:
        same = (found for found in result.payload()["objects"] if found["index"] == best["index"])
        return max((float(found["score"]) * overlap(box, tuple(found["box"])) for found in same), default=0.0)

    name = best["label"] or f"class {best['index']}"
    said = f"score of the best {name}, times the overlap with its box"
    return Objective(said, score, int(best["index"]), best["label"])


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes (x0, y0, x1, y1), 0 to 1."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    common = width * height
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return common / (areas - common)
