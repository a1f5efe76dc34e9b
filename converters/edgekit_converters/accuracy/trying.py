"""How far a quantized model is from its float self, measured where differences show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.tflite import parse_model
from edgekit_converters.accuracy.running import Values, distance, energy, outputs_of, sqnr_db
from edgekit_converters.lowering.flatbuffer_editing import packed, unpacked
from edgekit_converters.samples.calibration import Feed

BEST_DB = 60.0
"""As good as exact, for one sample: more than 8 bits can tell apart."""


@dataclass(frozen=True, slots=True)
class Nearness:
    """How near a quantized model comes to its float self.

    Attributes:
        inner_db: For each sample the signal to quantization noise of what goes into a final softmax or sigmoid, which
            hides most differences and makes much of undecided samples; else of the outputs. None beyond `BEST_DB`.
        outer_db: Of the outputs, all samples together, in decibels up to `BEST_DB`.
    """

    inner_db: tuple[float, ...]
    outer_db: float


class Bench:
    """Compares quantized forms of a float model with it, on the same samples.

    Args:
        flatbuffer: The float model.
        samples: What to compare on.
    """

    def __init__(self, flatbuffer: bytes, samples: Sequence[Feed]) -> None:
        self._samples = samples
        self._expected = _run(flatbuffer, samples)

    def __call__(self, quantized: bytes) -> Nearness:
        """Run a model on the samples and compare. One that the runtime cannot run is as far as can be."""
        try:
            found = _run(quantized, self._samples)
        except RuntimeError:  # XNNPACK refuses scales that lie too far apart
            return Nearness((-BEST_DB,) * len(self._samples), -BEST_DB)
        pairs = list(zip(self._expected, found, strict=True))
        inner = tuple(_decibels([(e[1], f[1])]) for e, f in pairs)
        return Nearness(inner, _decibels([(e[0], f[0]) for e, f in pairs]))


def _decibels(pairs: Sequence[tuple[Sequence[Values], Sequence[Values]]]) -> float:
    signal, noise = sum(energy(e) for e, _ in pairs), sum(distance(e, f) for e, f in pairs)
    return float(np.clip(sqnr_db(signal, noise), -BEST_DB, BEST_DB))


def _run(flatbuffer: bytes, samples: Sequence[Feed]) -> list[tuple[list[Values], list[Values]]]:
    """For each sample the outputs, and for each of them what goes into the activation that ends it, else itself."""
    file = parse_model(flatbuffer)
    outputs = list(file.main.outputs)
    ends = [file.before_activation(place) for place in range(len(outputs))]
    wanted = list(dict.fromkeys((*outputs, *ends)))  # XNNPACK refuses an output that is named twice
    model = unpacked(flatbuffer)
    model.subgraphs[0].outputs = np.array(wanted, np.int32)
    places = [wanted.index(end) for end in ends]
    rows = outputs_of(packed(model), samples)
    return [(row[: len(outputs)], [row[place] for place in places]) for row in rows]
