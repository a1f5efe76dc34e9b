"""Which calibrator serves a model best, tried on samples that it did not see."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from edgekit.tflite import parse_model
from edgekit_converters.accuracy.calibrators import CALIBRATORS
from edgekit_converters.accuracy.correcting import corrected, layer_inputs
from edgekit_converters.accuracy.histograms import Observed, Observer
from edgekit_converters.accuracy.names import AUTO
from edgekit_converters.accuracy.trying import Bench, Nearness
from edgekit_converters.events import OnProgress, Progress
from edgekit_converters.lowering.quantizing import Range, measure, quantize, with_ranges
from edgekit_converters.options import Options
from edgekit_converters.samples.calibration import Feed, spread

LEAST_TO_CHOOSE = 8
"""Samples below which nothing can be held back to try calibrators on."""
MOST_VALUES, MOST_OPERATIONS = 500_000, 150
"""A network that computes more, or in more operations, is large: less is tried, and on fewer samples."""
TRIED_ON_LARGE = ("minmax", "percentile-99.99", "mse")
MOST_HELD_BACK = 50
MOST_HELD_BACK_LARGE = 16
COUNTS = (1, 5, 10, 20, 50, 100)
"""Numbers of samples for which the error is told, up to the half that is not held back."""
STANDARD_ERRORS = 3
"""By how many the best of several ways has to be better: with two, one of twenty would be taken by chance."""
ENOUGH_DB = 0.5
"""So many samples are enough from which on more of them change the error by less than this."""
_AS_MEASURED = frozenset({"UNIDIRECTIONAL_SEQUENCE_LSTM"})
"""Operations whose output has to agree with the state that they keep."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One way to quantize, tried on samples held back from calibration.

    Attributes:
        calibrator: Its name.
        corrected: Whether biases were corrected.
        samples_db: For each sample that was held back, as in `Nearness.inner_db`.
        outer_db: As in `Nearness`; the mean, where either half was held back in turn.
    """

    calibrator: str
    corrected: bool
    samples_db: tuple[float, ...]
    outer_db: float

    @property
    def inner_db(self) -> float:
        """The mean over the samples, so that one that is far off does not hide the others."""
        return float(np.mean(self.samples_db))

    def to_dict(self) -> dict[str, Any]:
        """For people, ready for JSON; decibels to two places."""
        decibels = {"inner_db": round(self.inner_db, 2), "outer_db": round(self.outer_db, 2)}
        return {"calibrator": self.calibrator, "corrected": self.corrected, **decibels}


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A quantized model, and how its ranges were found.

    Attributes:
        flatbuffer: The int8 model.
        measured: The float model that it was made from, with the ranges that were chosen.
        cures: Names of the cures that were used on it.
        calibrator: The calibrator that was used.
        corrected: Whether biases were corrected.
        trials: What was tried to choose it; empty where the user said it, or there were too few samples.
        error_by_count: `inner_db`, as in a `Trial`, by number of calibration samples, with the ranges that they span.
        clipped: Share of the values of each tensor that lie outside its range, 0 to 1, where some do.
    """

    flatbuffer: bytes
    measured: bytes
    cures: frozenset[str]
    calibrator: str
    corrected: bool
    trials: tuple[Trial, ...] = ()
    error_by_count: tuple[tuple[int, float], ...] = ()
    clipped: Mapping[str, float] = field(default_factory=dict)

    @property
    def enough(self) -> int | None:
        """How many samples were enough, those before which the error changed; None where more may help, or unknown."""
        if not self.error_by_count:
            return None
        last = self.error_by_count[-1][1]
        count = next(count for count, error in self.error_by_count if error > last - ENOUGH_DB)
        return None if count == self.error_by_count[-1][0] else count

    def way(self) -> dict[str, Any]:
        """How the ranges were found, for the file's metadata."""
        return {"calibrator": self.calibrator, "bias_corrected": self.corrected}

    def summary(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        return {
            **self.way(),
            "trials": [trial.to_dict() for trial in self.trials],
            "error_by_count": [[count, round(error, 2)] for count, error in self.error_by_count],
            "enough_samples": self.enough,
            "clipped": {name: round(share, 6) for name, share in self.clipped.items()},
        }


class _Maker:
    """Makes int8 models of one float model."""

    def __init__(
        self, flatbuffer: bytes, options: Options, samples: Sequence[Feed], known: Mapping[str, Range],
        report: OnProgress,
    ) -> None:
        self.flatbuffer, self.options, self.report = flatbuffer, options, report
        self.measured = with_ranges(measure(flatbuffer, samples, report), known)
        self.large = _is_large(flatbuffer)

    def __call__(
        self, calibrator: str, observed: Observed, *, correct: bool, keep_float: Collection[str] = ()
    ) -> Calibrated:
        """The model by one calibrator; nothing observed leaves the ranges as measured."""
        choose, found = CALIBRATORS[calibrator], observed.histograms.items()
        ranges = {name: choose(histogram) for name, histogram in found if histogram.low < histogram.high}
        measured = with_ranges(self.measured, ranges)
        made, cures = quantize(measured, self.options, keep_float=keep_float)
        if correct:
            made = corrected(made, self.flatbuffer, observed.means)
        shares = {name: observed.histograms[name].clipped(found) for name, found in ranges.items()}
        clipped = {name: share for name, share in shares.items() if share}
        return Calibrated(made, measured, cures, calibrator, correct, clipped=clipped)


class _Fold:
    """One part of the samples to calibrate on, and another to try the result on."""

    def __init__(self, make: _Maker, observed: Observed, held: Sequence[Feed]) -> None:
        self._make, self._observed = make, observed
        self.bench = Bench(make.flatbuffer, spread(held, MOST_HELD_BACK_LARGE if make.large else MOST_HELD_BACK))

    def __call__(self, calibrator: str, *, correct: bool) -> Nearness:
        """How near a model comes that is made so."""
        self._make.report(Progress(f"trying calibrator {calibrator}"))
        return self.bench(self._make(calibrator, self._observed, correct=correct).flatbuffer)


class Chooser:
    """Quantizes one float model by one calibrator or another.

    Args:
        flatbuffer: The float model, with all rewrites done.
        options: Of the conversion.
        samples: All calibration samples.
        fixed: By name of an input or output whose range is not to be chosen, the range, or None to leave it as
            measured: pictures, whose pixels it holds exactly, and state that is carried from an output to an input.
        report: Told of the progress.
    """

    def __init__(
        self, flatbuffer: bytes, options: Options, samples: Sequence[Feed], fixed: Mapping[str, Range | None],
        report: OnProgress,
    ) -> None:
        self._samples = samples
        self._make = _Maker(flatbuffer, options, samples, _known(flatbuffer, fixed), report)
        self._names = _free_tensors(flatbuffer, fixed)
        self._averaged = layer_inputs(flatbuffer)

    def quantized(
        self, calibrator: str, *, correct: bool = False, keep_float: Collection[str] = ()
    ) -> Calibrated:
        """The model by a calibrator of that name; `auto` chooses one, and whether to correct biases.

        Args:
            calibrator: Its name.
            correct: Whether to correct biases.
            keep_float: Names of the first output tensors of operations that are to stay in float, which `auto` heeds
                not.
        """
        if calibrator == AUTO and len(self._samples) >= LEAST_TO_CHOOSE:
            return self._best()
        name = "minmax" if calibrator == AUTO else calibrator
        as_measured = name == "minmax" and not correct
        return self._make(
            name, Observed({}, {}) if as_measured else self._observed, correct=correct, keep_float=keep_float
        )

    @cached_property
    def _observed(self) -> Observed:
        return self._observe(self._samples)

    def _best(self) -> Calibrated:
        halves = (self._samples[0::2], self._samples[1::2])
        observed = [self._observe(half) for half in halves]
        ways = (0,) if self._make.large else (0, 1)  # either half is held back in turn
        folds = [_Fold(self._make, observed[way], halves[1 - way]) for way in ways]
        names = TRIED_ON_LARGE if self._make.large else tuple(CALIBRATORS)
        trials = [_trial(folds, name, correct=True) for name in names]  # minmax is the first of them
        first = best_of(trials)
        plain = _trial(folds, first.calibrator, correct=False)
        trials = [first, *(trial for trial in trials if trial is not first), plain]
        best = best_of(trials)
        counts = () if self._make.large else _error_by_count(self._make, observed[0], folds[0].bench)
        made = self._make(best.calibrator, observed[0] + observed[1], correct=best.corrected)
        return replace(made, trials=tuple(trials), error_by_count=counts)

    def _observe(self, samples: Sequence[Feed]) -> Observed:
        observer = Observer(self._make.measured, self._names, self._averaged, len(self._samples))
        return observer.observe(samples, self._make.report)


def _trial(folds: Sequence[_Fold], calibrator: str, *, correct: bool) -> Trial:
    found = [fold(calibrator, correct=correct) for fold in folds]
    samples = tuple(decibels for nearness in found for decibels in nearness.inner_db)
    return Trial(calibrator, correct, samples, float(np.mean([nearness.outer_db for nearness in found])))


def best_of(trials: Sequence[Trial]) -> Trial:
    """The best, where it beats the first by more than chance would, three standard errors sample by sample, and its
    outputs are no worse.

    Few samples tell little apart; then the first of the trials, the plainest, is as good a choice as any.
    """
    first, best = trials[0], max(trials, key=lambda trial: trial.inner_db)
    gains = np.subtract(best.samples_db, first.samples_db)
    chance = STANDARD_ERRORS * float(np.std(gains)) / math.sqrt(gains.size)
    return best if float(np.mean(gains)) > chance and best.outer_db >= first.outer_db else first


def _error_by_count(make: _Maker, observed: Observed, bench: Bench) -> tuple[tuple[int, float], ...]:
    """With the ranges that the first samples span."""
    found, histograms = [], observed.histograms
    most = min((len(histogram.lows) for histogram in histograms.values()), default=0)
    for count in [*(count for count in COUNTS if count < most), most]:
        make.report(Progress(f"trying {count} samples"))
        ranges = {name: (float(h.lows[:count].min()), float(h.highs[:count].max())) for name, h in histograms.items()}
        made, _ = quantize(with_ranges(make.measured, ranges), make.options)
        found.append((count, float(np.mean(bench(made).inner_db))))
    return tuple(found)


def _known(flatbuffer: bytes, fixed: Mapping[str, Range | None]) -> dict[str, Range]:
    """Ranges by the names of tensors, for those by the names of inputs."""
    file = parse_model(flatbuffer)
    names = {name: tensor.name for name, tensor in zip(file.input_names, file.inputs, strict=True)}
    return {names[name]: found for name, found in fixed.items() if found is not None}


def _free_tensors(flatbuffer: bytes, fixed: Collection[str]) -> list[str]:
    """Names of the float tensors whose range may be chosen."""
    file = parse_model(flatbuffer)
    ends = [*zip(file.input_names, file.inputs, strict=True), *zip(file.output_names, file.outputs, strict=True)]
    held = {tensor.index for name, tensor in ends if name in fixed}
    held |= {index for each in file.main.operators if each.type in _AS_MEASURED for index in each.outputs}
    computed = {index for operator in file.main.operators for index in operator.outputs}
    free = (computed | set(file.main.inputs)) - held
    return [tensor.name for tensor in file.main.tensors if tensor.index in free and tensor.dtype == "float32"]


def _is_large(flatbuffer: bytes) -> bool:
    """Whether trying takes so long that less has to do."""
    graph = parse_model(flatbuffer).main
    outputs = (graph.tensors[index] for operator in graph.operators for index in operator.outputs)
    values = sum(math.prod(tensor.static_shape) for tensor in outputs)
    return values > MOST_VALUES or len(graph.operators) > MOST_OPERATIONS
