"""What `auto` means for a model on this machine: which device, which others may take over, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgekit.choosing import reasons, records
from edgekit.choosing.attached import Found, look
from edgekit.choosing.records import Findings
from edgekit.errors import EdgeKitError
from edgekit.onnx.devices import built_in
from edgekit.onnx.reader import ONNX
from edgekit.tflite import ModelFile

if TYPE_CHECKING:
    from edgekit.choosing.trial import Open

CPU = "cpu"
EDGE_TPU = "coral"
"""Name under which the Edge TPU is registered: the one accelerator whose models are of no use elsewhere."""
MADE_FOR = {"jetson": "gpu"}
"""Devices by the name of the target that a model was converted for, where the two have not the same name."""
MADE_FOR_SHARE = 0.8
"""A device that the model was made for is chosen where it takes at most 1 / 0.8 of the time of the fastest: it leaves
the processor to the rest of the program."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen.

    Attributes:
        names: The device, and those that may take over should it fail: slower ones, and last the processor.
        reason: Why, in one line; the device is not named in it.
    """

    names: tuple[str, ...]
    reason: str


def _foregone(model: ModelFile) -> Choice | None:
    """The choice for a file that leaves none; None where a trial decides."""
    if model.is_edgetpu:
        return Choice((EDGE_TPU,), "the model is compiled for it")
    if model.format == ONNX:  # TensorRT takes minutes for a trial
        names = built_in()
        return Choice(names, f"the first of what onnxruntime is built for: {', '.join(names)}")
    return None


class Weighing:
    """What may run a model, and which of it does so best.

    Args:
        model: The file.
        target: What its metadata says that it was converted for; empty where they do not.

    Attributes:
        names: The devices that come into question.
        choice: What was chosen; None where it takes a trial.
    """

    def __init__(self, model: ModelFile, target: str) -> None:
        self._model, self._target, self._made_for = model, target, MADE_FOR.get(target, target)
        self._found = Found({}, {})
        self.choice = _foregone(model)
        if self.choice:
            self.names = self.choice.names
            return
        self._found = look(model)
        self.names = (*self._found.usable, CPU)
        self.choice = self._without_trial()

    def _without_trial(self) -> Choice | None:
        if not self._found.usable:
            reason = reasons.nothing_attached(self._found.barred)
            return Choice(self.names, self._reason(reason, Findings(), self._found.barred))
        known = records.recall(self._about())
        # What failed before is tried again.
        return self._choice(known, {}, "before") if known and known.known.issuperset(self.names) else None

    def _about(self) -> dict[str, object]:
        return records.subject(self._model.path, attached=dict(self._found.usable))

    def try_out(self, open_on: Open, seconds: float) -> Choice:
        """Choose by a trial, and remember what it found.

        Args:
            open_on: Opens the model on one of `names`.
            seconds: Longest that one inference may take.
        """
        from edgekit.choosing.trial import try_out  # what no ordinary load needs

        findings, failures = try_out(self._model, CPU, [*self._found.usable], open_on, seconds)
        records.keep(self._about(), findings)
        return self._choice(findings, failures, "now")

    def _choice(self, findings: Findings, failures: Mapping[str, EdgeKitError], when: str) -> Choice:
        ranked = self._ranked(findings)
        compared = reasons.times(findings, ranked[0], when)
        return Choice(ranked, self._reason(compared, findings, {**self._found.barred, **failures}))

    def _ranked(self, findings: Findings) -> tuple[str, ...]:
        """The fastest first, as far as the processor; that alone where no trial came to an end."""
        times = {
            name: time * (MADE_FOR_SHARE if name == self._made_for else 1) for name, time in findings.times.items()
        }
        ranked = sorted(times, key=lambda name: times[name])
        return tuple(ranked[: ranked.index(CPU) + 1] if CPU in ranked else ranked) or (CPU,)

    def _reason(self, why: str, findings: Findings, failures: Mapping[str, EdgeKitError]) -> str:
        wanted = self._made_for
        is_missing = wanted and wanted not in self.names and wanted not in failures
        missing = reasons.missing(self._target, wanted) if is_missing else ""
        return reasons.in_one_line(why, missing, *reasons.left_out(findings, failures))
