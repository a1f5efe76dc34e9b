"""From a model and a sample to an explanation. No gradients are needed: the very model on the very device is asked."""

from __future__ import annotations

import time
from collections.abc import Sequence
from os import PathLike
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from edgekit.choices import check_count, one_of
from edgekit.errors import UsageError
from edgekit.explaining import faithfulness, regions
from edgekit.explaining.objectives import Objective, objective_of
from edgekit.explaining.occlusion import Heat, occlude
from edgekit.explaining.planes import BASELINES, plane_of
from edgekit.explaining.probing import OnProgress, Probe
from edgekit.explaining.rise import rise
from edgekit.explaining.types import Explanation, Method, Region
from edgekit.loading import load
from edgekit.metadata.types import ColourOrder
from edgekit.model import Model
from edgekit.preprocess import check_image
from edgekit.tasks.classification import BINARY_CLASSES

METHODS: tuple[str, ...] = get_args(Method)
MASKS = {"occlusion": 200, "rise": 1000}
"""How many by default."""
LEAST_MASKS = 32
SECONDS = 60.0
SATURATED = (
    "Hiding the first region alone does not lower the score: it is near its limit. The method rise, which hides half "
    "at once, may show more."
)
ALL_CLASSES = 2**31 - 1
FLAT = 1e-6
MOST_HIDDEN = 0.8
"""Of the score: where hiding everything leaves more, the map says little."""


def explain(
    model: Model | str | PathLike[str],
    data: Any,
    *,
    target: str | int | None = None,
    method: str = "occlusion",
    masks: int | None = None,
    seconds: float = SECONDS,
    baseline: str | NDArray[Any] = "auto",
    names: Sequence[str] = (),
    channels: ColourOrder = "rgb",
    faithful: bool = True,
    seed: int = 0,
    progress: OnProgress | None = None,
    **options: Any,
) -> Explanation:
    """Find which part of a sample made a model say what it says, by hiding parts of it.

    Parts of a picture are hidden in the frame itself, before it is resized and quantized, so that all that runs is
    what runs in use.

    Args:
        model: A `.tflite` file, or an opened model of one input (a classifier opened with `top` as large as the
            number of its classes).
        data: One sample, as a call of the model takes it: a picture, a window of shape (steps, channels), a row of
            features.
        target: Label or index of the class to explain (default: the best), or index of an output number.
        method: `occlusion` (patches, from coarse to fine) or `rise` (random masks).
        masks: How many, 32 or more; by default 200, or 1000 for `rise`.
        seconds: What the whole may take, about: fewer masks are used on a slow device, and a note says so.
        baseline: What hidden parts show: `blur` (default for pictures), `mean` (of the picture; of each channel, the
            default for windows), `zero` (default for features), or normal data of shape (rows, ...), whose mean is
            taken.
        names: Of channels or features.
        channels: Order of a picture's colours, `rgb` or `bgr`.
        faithful: Whether to measure deletion and insertion too, which takes 120 runs.
        seed: For what is random. The same seed, masks and model give the same explanation.
        progress: Called with what is being done, runs done and runs to do.
        options: As for `edgekit.load`, where `model` is a path.

    Raises:
        UsageError: an option that does not exist or fit, a model of several inputs or with a memory, a task without a
            score.
        DataError: the sample does not fit the model, or hiding gives no finite score.
        EdgeKitError: as in `edgekit.load`.
    """
    one_of("method", method, METHODS)
    if isinstance(baseline, str):
        one_of("baseline", baseline, BASELINES)
    wanted = _masks(method, masks)
    started = time.monotonic()
    opened = _opened(model, options)
    whole = opened(data, channels=channels)
    objective = objective_of(whole, target, _classes(opened))
    array = np.asarray(data)
    if opened.inputs[0].image is not None and array.dtype == np.uint8 and array.ndim < 4:
        check_image(array)
    plane = plane_of(array, opened.inputs[0], baseline, names)
    probe = Probe(opened, plane, channels, objective, progress or (lambda _stage, _done, _total: None))
    planned, notes = _within(probe, wanted, seconds, faithfulness.RUNS if faithful else 0)
    ends = _ends(probe)
    random = np.random.default_rng(seed)
    heat, used = _heat(probe, method, planned, ends[0], random)
    notes += _remarks(heat, ends, objective)
    found = regions.regions(probe, heat)
    notes += _saturated(method, found, ends[0]) if objective.bounded else []
    columns = regions.columns(probe, heat, ends[0])
    faith = faithfulness.measure(probe, heat, ends, objective.bounded, random) if faithful else None
    return Explanation(
        kind=plane.kind, model=str(opened.path), task=opened.task, device=whole.device, explained=objective.said,
        index=objective.index, label=objective.label, score=ends[0], hidden_score=ends[1],
        method="rise" if method == "rise" else "occlusion", baseline=plane.said, masks=used, runs=probe.runs,
        seconds=time.monotonic() - started, seed=seed, cells=heat.astype(np.float32), size=plane.size, regions=found,
        columns=columns, faithfulness=faith, notes=tuple(notes),
    )


def _saturated(method: str, found: Sequence[Region], whole: float) -> list[str]:
    """A note where the first region's patches only count together with others."""
    return [SATURATED] if method == "occlusion" and found and found[0].without >= whole else []


def _masks(method: str, masks: int | None) -> int:
    if masks is None:
        return MASKS[method]
    check_count("masks", masks)
    if masks < LEAST_MASKS:
        raise UsageError(f"{masks} masks are too few for a map", hint=f"Give {LEAST_MASKS} or more.")
    return masks


def _opened(model: Model | str | PathLike[str], options: dict[str, Any]) -> Model:
    if isinstance(model, Model) and options:
        raise UsageError(f"{', '.join(options)} can only be given with the path of a model, which is not open yet")
    opened = model if isinstance(model, Model) else load(model, top=ALL_CLASSES, **options)
    if len(opened.inputs) != 1:
        names = ", ".join(tensor.name for tensor in opened.inputs)
        raise UsageError(f"the model takes {len(opened.inputs)} inputs ({names}), and only those of one are explained")
    if opened.remembers:
        raise UsageError(
            "the model remembers earlier samples, so that one sample alone does not explain its answer",
            hint="Explain a model that takes a whole window at once.",
        )
    return opened


def _classes(model: Model) -> int:
    """Scores in the first output; one number stands for two classes."""
    return max(BINARY_CLASSES, model.outputs[0].shape[-1] if model.outputs[0].shape else 1)


def _within(probe: Probe, masks: int, seconds: float, others: int) -> tuple[int, list[str]]:
    """As many masks as the time is enough for, and a note where they are fewer."""
    probe.begin("measuring the time of a run", 4)
    a_run = probe.seconds_a_run()
    possible = max(LEAST_MASKS, int(seconds / a_run) - others)
    if possible >= masks:
        return masks, []
    kept = "to keep within" if possible > LEAST_MASKS else "the fewest that make a map, which may take more than"
    return possible, [
        f"A run takes {a_run * 1000:.3g} ms: {possible} of {masks} masks were used, {kept} {seconds:g} s, so that the "
        "map is coarser, and may differ from run to run."
    ]


def _ends(probe: Probe) -> tuple[float, float]:
    cells = probe.plane.cells
    probe.begin("scoring all and nothing", 2)
    return probe.score(np.ones(cells, np.float32)), probe.score(np.zeros(cells, np.float32))


def _heat(
    probe: Probe, method: str, masks: int, whole: float, random: np.random.Generator
) -> tuple[Heat, int]:
    return (rise(probe, masks, random), masks) if method == "rise" else occlude(probe, whole, masks)


def _remarks(heat: Heat, ends: tuple[float, float], objective: Objective) -> list[str]:
    remarks = []
    if np.abs(heat).max() < FLAT:
        remarks.append(
            f"No mask moved the {objective.said}: it does not depend on what was hidden, or is at its limit. Try "
            "the other method, or another baseline."
        )
    if objective.bounded and ends[1] >= MOST_HIDDEN * ends[0]:
        remarks.append(
            f"The score is still {ends[1]:.3f} where everything is hidden: this baseline looks to the model nearly "
            "like what is explained. Choose another baseline."
        )
    return remarks
