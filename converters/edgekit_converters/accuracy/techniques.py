"""The ways to get accuracy back, in order of what they cost the user: nothing, a form, bytes and speed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from edgekit.tflite import parse_model
from edgekit_converters.accuracy.choosing import Calibrated, Chooser
from edgekit_converters.accuracy.convolving import with_convolutions
from edgekit_converters.accuracy.equalizing import equalize
from edgekit_converters.accuracy.ladder import Candidate, Technique
from edgekit_converters.accuracy.names import AUTO, CALIBRATOR_NAMES
from edgekit_converters.accuracy.sensitivity.probing import measure_sensitivity
from edgekit_converters.accuracy.widening import with_float_islands
from edgekit_converters.events import OnProgress
from edgekit_converters.lowering.quantizing import Range, to_int16x8
from edgekit_converters.options import Options
from edgekit_converters.samples.calibration import Feed
from edgekit_converters.tracing.places import Place
from edgekit_devices.targets import TARGETS

INT16X8 = "int16x8"
DENSE = "dense"


@dataclass(frozen=True, slots=True)
class Techniques:
    """What the ways have in common.

    Attributes:
        options: Of the conversion.
        samples: Calibration samples.
        fixed: Names of the inputs and outputs whose ranges stay as measured, as `Chooser` has it.
        places: Layers by the names of their operations.
        report: Told of the progress.
    """

    options: Options
    samples: Sequence[Feed]
    fixed: Mapping[str, Range | None]
    places: Mapping[str, Place]
    report: OnProgress

    def ladder(self) -> list[Technique]:
        """Those that the target permits, the cheapest first."""
        target = TARGETS[self.options.target]
        widening = [self.float_islands] if target.mixed else []
        widening += [self.int16x8] if "int16x8" in target.precisions else []
        return [self.calibrators, self.equalization, self.convolutions, *widening]

    def calibrators(self, best: Candidate) -> Iterator[Candidate]:
        """The other calibrators, with biases corrected and without."""
        chooser, tried = self._chooser(best.in_float), way(best.calibrated)
        for name in CALIBRATOR_NAMES:
            for correct in (True, False) if name != AUTO else ():
                found = chooser.quantized(name, correct=correct)
                if way(found) != tried:
                    yield Candidate(found.flatbuffer, "calibrator", way(found), best.in_float, found)

    def equalization(self, best: Candidate) -> Iterator[Candidate]:
        """Channels of one size, by their activations and by their weights."""
        for by, samples in (("activations", self.samples), ("weights", ())):
            equalized = equalize(best.in_float, samples)
            if equalized.pairs:
                did = f"{equalized.pairs} pairs of layers, by the size of their {by}"
                yield from self._again(equalized.flatbuffer, best, "cross-layer equalization", did)

    def convolutions(self, best: Candidate) -> Iterator[Candidate]:
        """Dense as 1x1 convolutions, where the runtime takes one scale for all weights of a Dense layer."""
        if self.options.per_channel_dense or DENSE in self.options.keep:
            return
        flatbuffer, count = with_convolutions(best.in_float)
        if count:
            did = f"{count} FULLY_CONNECTED, with a scale for each channel"
            yield from self._again(flatbuffer, best, "Dense as 1x1 convolution", did)

    def float_islands(self, best: Candidate) -> Iterator[Candidate]:
        """The most sensitive operations in float."""
        if best.calibrated is None:
            return
        start, chooser = best.calibrated, self._chooser(best.in_float)

        def quantized(names: set[str]) -> Calibrated:
            return chooser.quantized(start.calibrator, correct=start.corrected, keep_float=names)

        sensitivity = measure_sensitivity(
            best.in_float, start.measured, self.options, self.samples, self.places, self.report
        )
        yield from with_float_islands(best, sensitivity, quantized)

    def int16x8(self, best: Candidate) -> Iterator[Candidate]:
        """All activations of 16 bits, where inputs and outputs need not be of 8 and there is no fused LSTM."""
        operations = {operator.type for operator in parse_model(best.in_float).main.operators}
        if self.options.io != "float32" or "UNIDIRECTIONAL_SEQUENCE_LSTM" in operations:
            return
        made = to_int16x8(best.in_float, replace(self.options, precision=INT16X8), self.samples, self.report)
        did = "activations of 16 bits, which most processors compute more slowly"
        yield Candidate(made, INT16X8, did, best.in_float, None, INT16X8)

    def _again(self, flatbuffer: bytes, best: Candidate, name: str, did: str) -> Iterator[Candidate]:
        """Quantize another float model: as the best one so far was, and as is best for itself."""
        chooser = self._chooser(flatbuffer)
        tried = set()
        if best.calibrated is not None:
            found = chooser.quantized(best.calibrated.calibrator, correct=best.calibrated.corrected)
            tried.add(way(found))
            yield Candidate(found.flatbuffer, name, f"{did}; {way(found)}", flatbuffer, found)
        chosen = chooser.quantized(AUTO)
        if way(chosen) not in tried:
            yield Candidate(chosen.flatbuffer, name, f"{did}; {way(chosen)}", flatbuffer, chosen)

    def _chooser(self, flatbuffer: bytes) -> Chooser:
        return Chooser(flatbuffer, self.options, self.samples, self.fixed, self.report)


def way(found: Calibrated | None) -> str:
    """How ranges were chosen, for a person."""
    if found is None:
        return "as asked"
    return f"{found.calibrator}, biases corrected" if found.corrected else found.calibrator
