"""Quantized models held against the float one on the user's data, in the process that makes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgekit.errors import ConversionError, DeviceError, ModelFileError
from edgekit_converters.accuracy.gate import POINTS, Gate, Verdict, judge
from edgekit_converters.accuracy.ladder import Candidate, Technique, climb
from edgekit_converters.accuracy.recovery import Recovery
from edgekit_converters.accuracy.techniques import Techniques, way
from edgekit_converters.evaluating.dataset import Dataset, Samples
from edgekit_converters.evaluating.metrics.names import OF_TASK
from edgekit_converters.evaluating.reading.opening import open_dataset
from edgekit_converters.evaluating.results import Evaluation
from edgekit_converters.evaluating.running.answers import Predictions, Predictor
from edgekit_converters.evaluating.running.interpreting import for_task
from edgekit_converters.evaluating.running.keras import KerasPredictor
from edgekit_converters.evaluating.running.predicting import predict
from edgekit_converters.evaluating.running.tflite import TflitePredictor
from edgekit_converters.evaluating.scoring import require_sklearn, score
from edgekit_converters.evaluating.subject import Subject, float_inputs
from edgekit_converters.events import OnProgress
from edgekit_converters.preparing import Lowered, fixed_tensors
from edgekit_converters.process import Job
from edgekit_converters.samples.calibration import Calibration
from edgekit_converters.tracing.freezing import Frozen
from edgekit_devices.targets import TARGETS

FLOAT, SQNR = "the float model", "sqnr"
MOST_KEPT_BYTES = 512 << 20
Write = Callable[[Lowered, Path], object]
"""Writes a model with its metadata, as it would go to the user."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A model from which quantized ones are made.

    Attributes:
        job: What was asked for.
        frozen: The float model.
        calibration: The calibration samples, where there are some.
        source: What it is quantized from.
    """

    job: Job
    frozen: Frozen
    calibration: Calibration | None
    source: Lowered


@dataclass(frozen=True, slots=True)
class Held:
    """A model that was held against the gate.

    Attributes:
        lowered: The model that is to be used.
        evaluation: Of it on the user's data, where there is some.
        recovery: What was tried, where the user said what may be lost.
    """

    lowered: Lowered
    evaluation: Evaluation | None = None
    recovery: Recovery | None = None


def hold(opened: Opened, lowered: Lowered, write: Write, report: OnProgress) -> Held:
    """Evaluate a model, and where it loses more than may be, find another that does not.

    Args:
        opened: What it was made from; the job has a gate.
        lowered: The model as it was converted.
        write: For the evaluation, which takes a file.
        report: Told of the progress.

    Raises:
        ConversionError: none was found.
        DataError: the evaluation data does not fit the model.
        UsageError: what may be lost does not fit the metric.
    """
    gate, options = opened.job.gate, opened.job.options
    assert gate is not None
    first = Candidate(
        lowered.flatbuffer, "as converted", way(lowered.calibrated), opened.source.flatbuffer, lowered.calibrated,
        options.precision,
    )
    referee = Referee(opened, gate, write, report)
    if gate.max_drop is None:
        return Held(lowered, referee.evaluate(first))
    ladder: list[Technique] = []
    if lowered.calibrated is not None and opened.calibration is not None:
        fixed = fixed_tensors(opened.frozen, opened.calibration)
        ladder = Techniques(options, opened.calibration.samples, fixed, opened.source.places, report).ladder()
    best, recovery = climb(first, ladder, referee.score, report)
    if not recovery.holds:
        raise missed(recovery, referee.evaluate(best), gate, options.target)
    return Held(_lowered(opened.source, best), referee.evaluate(best), recovery)


def _lowered(source: Lowered, candidate: Candidate) -> Lowered:
    of_integers = candidate.calibrated.cures if candidate.calibrated else frozenset[str]()
    return replace(
        source, flatbuffer=candidate.flatbuffer, cures=source.cures | of_integers, in_float=candidate.in_float,
        calibrated=candidate.calibrated, precision=candidate.precision,
        kept_float=candidate.kept_float,
    )


class Referee:
    """Evaluates models that were made from one float model. That one answers the data once.

    Args:
        opened: The float model.
        gate: The data, and what may be lost.
        write: Writes a model with its metadata, as it would go to the user.
        report: Told of the progress.
    """

    def __init__(self, opened: Opened, gate: Gate, write: Write, report: OnProgress) -> None:
        require_sklearn()
        self._opened, self._gate, self._write, self._report = opened, gate, write, report
        self._float: tuple[Dataset, Predictions] | None = None
        self._asked = 0

    def score(self, candidate: Candidate) -> tuple[Verdict, float]:
        """Hold it against what may be lost; and its SQNR, 0 where the task has none.

        Raises:
            DataError: the data does not fit the model.
            UsageError: what may be lost does not fit the metric.
        """
        assert self._gate.max_drop is not None
        found = self.evaluate(candidate, of_ladder=True)
        sqnr = [metric.model.value for metric in found.metrics if metric.name == SQNR]
        return judge(found.main, self._gate.max_drop), sqnr[0] if sqnr else 0.0

    def evaluate(self, candidate: Candidate, *, of_ladder: bool = False) -> Evaluation:
        """Its figures, against the float model's.

        Args:
            candidate: The model.
            of_ladder: Leave out what no step goes by; intervals take time.

        Raises:
            DataError: the data does not fit the model.
            ModelFileError: the quantizer gave a model that cannot be read.
        """
        # A file for each: an interpreter may still hold the one before.
        path = self._opened.job.folder / f"candidate-{self._asked}.tflite"
        self._asked += 1
        self._write(_lowered(self._opened.source, candidate), path)
        try:
            predictor = TflitePredictor(path, device="cpu")
        except (ModelFileError, DeviceError) as error:
            said = error.message.replace(str(path), "it")
            raise ModelFileError(f"{candidate.name} gave a file that cannot be used: {said}") from error
        subject = predictor.subject
        dataset, answers = self._float = self._float or self._ask_float(subject)
        found = self._ask(predictor, dataset, subject, "evaluating")
        names = OF_TASK[dataset.task]
        chosen = tuple(dict.fromkeys((names[0], *(name for name in names if name == SQNR)))) if of_ladder else ()
        return score(found, dataset, subject, against=answers, against_name=FLOAT, metrics=chosen)

    def _ask_float(self, subject: Subject) -> tuple[Dataset, Predictions]:
        opened = open_dataset(
            self._gate.data, subject, target_column=self._gate.target_column, group_by=self._gate.group_by
        )
        dataset = replace(opened, name=self._gate.data_name, samples=_Kept(opened.samples))
        predictor = KerasPredictor(self._opened.frozen, float_inputs(subject.inputs))
        return dataset, self._ask(predictor, dataset, subject, "evaluating the float model")

    def _ask(self, predictor: Predictor, dataset: Dataset, subject: Subject, stage: str) -> Predictions:
        wanted = for_task(predictor, subject, dataset.task)
        return predict(wanted, dataset, stage=stage, report=self._report)


class _Kept:
    """Samples that are read once, as far as memory is set aside for them: each candidate is asked all of them."""

    def __init__(self, samples: Samples) -> None:
        self.channels = samples.channels
        self._samples, self._room = samples, MOST_KEPT_BYTES
        self._read: dict[int, Any] = {}

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> Any:
        if index in self._read:
            return self._read[index]
        sample = self._samples[index]
        self._room -= sum(array.nbytes for array in (sample.values() if isinstance(sample, Mapping) else [sample]))
        if self._room > 0:
            self._read[index] = sample
        return sample

    def part(self, indices: Sequence[int]) -> Samples:
        return self._samples.part(indices)


def missed(recovery: Recovery, evaluation: Evaluation, gate: Gate, target: str) -> ConversionError:
    """Why no file was written.

    Args:
        recovery: What was tried.
        evaluation: Of the best model.
        gate: What may be lost.
        target: What the conversion was for.
    """
    verdict = recovery.best.verdict
    form = ".1%" if verdict.unit == POINTS else ".4g"
    was = "" if verdict.reference is None else f", from {verdict.reference:{form}} to {verdict.value:{form}}"
    tried = ". ".join(recovery.lines())
    others = [name for name in ("int16x8", "float16", "dynamic") if name in TARGETS[target].precisions]
    return ConversionError(
        f"too much accuracy is lost, and nothing was written: {verdict.said}{was} on {evaluation.samples} samples of "
        f"{gate.data_name}, by the best of {len(recovery.steps)} "
        f"{'ways' if len(recovery.steps) > 1 else 'way'} to quantize. {tried}.",
        hint=(
            f"Try --precision {', '.join(others)}" if others else f"Target {target} computes in int8 alone"
        ) + "; see edgekit sensitivity for the layers that lose most; or train the model with quantization in mind.",
    )
