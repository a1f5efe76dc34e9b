"""Where quantization costs accuracy: each operation quantized alone, left in float alone, and seen from inside.

A measured float model is quantized in milliseconds, so that two variants for each operation take seconds. The way of
`tf.lite.experimental.QuantizationDebugger` and of NNCF's accuracy control, without a conversion for each.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from edgekit.errors import ConversionError
from edgekit.tflite import ModelFile, Operator, Subgraph, parse_model
from edgekit_converters.accuracy.running import Network, Values, outputs_of, sqnr_db
from edgekit_converters.accuracy.sensitivity.results import OperationCost, Sensitivity
from edgekit_converters.events import OnProgress, Progress
from edgekit_converters.lowering.quantizing import quantize
from edgekit_converters.options import Options
from edgekit_converters.samples.calibration import Feed, spread
from edgekit_converters.tracing.places import Place, first_place

MOST_SAMPLES, LEAST_SAMPLES = 50, 8
MOST_RUNS = 4000
"""Of the model in all: one with many operations is run on fewer samples each."""
_STAYS_FLOAT = "float32"
_RECURRENT = frozenset({"LSTM", "RNN", "Bidirectional"})


def measure_sensitivity(
    flatbuffer: bytes, measured: bytes, options: Options, samples: Sequence[Feed], places: Mapping[str, Place],
    report: OnProgress,
) -> Sensitivity:
    """Quantize each operation alone, and all but each.

    Args:
        flatbuffer: A float model.
        measured: The same with ranges, as `lowering.quantizing.measure` gives it.
        options: Of the conversion.
        samples: What to measure on: `MOST_SAMPLES` of them at most.
        places: Layers by the names of their operations.
        report: Told of the progress.

    Raises:
        ConversionError: the model cannot be quantized at all.
    """
    started = time.monotonic()
    float_options = replace(options, io="float32")
    graph = parse_model(flatbuffer).main
    computed = [each for each in graph.operators if _is_float(graph, each)]
    names = frozenset(graph.tensors[each.outputs[0]].name for each in computed)
    chosen = spread(list(samples), _sample_count(len(computed)))
    outputs = _Outputs(flatbuffer, chosen)

    def without(kept: frozenset[str]) -> float | None:
        try:
            return outputs.sqnr_db(quantize(measured, float_options, keep_float=kept)[0])
        except (ConversionError, RuntimeError, ValueError):  # TensorFlow cannot quantize, or the interpreter not run it
            return None

    whole = without(frozenset())
    if whole is None:
        raise ConversionError(
            "the model cannot be run when it is quantized", hint="Look for outliers in the calibration data."
        )
    inside = _inside(flatbuffer, quantize(measured, float_options)[0], chosen)
    costs = []
    for done, (operator, place) in enumerate(zip(computed, _layers(graph, computed, places), strict=True), 1):
        report(Progress("quantizing each operation alone", done, len(computed)))
        name = graph.tensors[operator.outputs[0]].name
        layer = place.path if place else name.split(";")[0].rpartition("/")[0] or name
        costs.append(OperationCost(
            operator.index, operator.type, name, layer, place.kind if place else "",
            without(names - {name}), without(frozenset({name})), inside.get(name),
        ))
    return Sensitivity(len(chosen), whole, tuple(costs), time.monotonic() - started)


def _layers(graph: Subgraph, operators: Sequence[Operator], places: Mapping[str, Place]) -> list[Place | None]:
    """The layer of each operation. A fused LSTM has lost its name: it is of the only layer that is missing there."""
    found = [first_place(graph.tensors[operator.outputs[0]].name, places) for operator in operators]
    used = {place.number for place in found if place}
    missing = {place.number: place for place in places.values() if place.number not in used}
    named = list(found)
    for at, operator in enumerate(operators):
        if found[at] is None:
            before = max((place.number for place in found[:at] if place), default=0)
            after = min((place.number for place in found[at:] if place), default=math.inf)
            between = [place for number, place in missing.items() if before < number < after]
            recurrent = [place for place in between if place.kind in _RECURRENT]
            likely = recurrent if operator.type == "UNIDIRECTIONAL_SEQUENCE_LSTM" else between
            named[at] = likely[0] if len(likely) == 1 else None
    return named


def _sample_count(operations: int) -> int:
    return min(MOST_SAMPLES, max(LEAST_SAMPLES, MOST_RUNS // (2 * operations + 1)))


def _is_float(graph: Subgraph, operator: Operator) -> bool:
    return any(graph.tensors[index].dtype == _STAYS_FLOAT for index in operator.outputs)


class _Outputs:
    """The float model's outputs, and how far others are from them.

    Outputs of whole numbers, such as those of an argmax, count as right or wrong: 10 % of wrong ones are 10 dB.
    """

    def __init__(self, flatbuffer: bytes, samples: Sequence[Feed]) -> None:
        self._samples = samples
        self._whole = [tensor.dtype != _STAYS_FLOAT for tensor in parse_model(flatbuffer).outputs]
        self._expected = outputs_of(flatbuffer, samples)

    def sqnr_db(self, flatbuffer: bytes) -> float:
        signal = noise = 0.0
        for expected, found in zip(self._expected, outputs_of(flatbuffer, self._samples), strict=True):
            for wanted, values, whole in zip(expected, found, self._whole, strict=True):
                more = _wrong(wanted, values) if whole else _sums(wanted, values)
                signal, noise = signal + more[0], noise + more[1]
        return sqnr_db(signal, noise)


def _inside(flatbuffer: bytes, quantized: bytes, samples: Sequence[Feed]) -> dict[str, float]:
    """Signal to quantization noise of each computed tensor that both models have, by name."""
    networks = Network(flatbuffer, inside=True), Network(quantized, inside=True)
    first, second = (_computed(network.file) for network in networks)
    sums = {name: (0.0, 0.0) for name in first if name in second}
    for sample in samples:
        for network in networks:
            network.run(sample)
        for name, (signal, noise) in sums.items():
            more = _sums(networks[0].tensor(first[name]), networks[1].tensor(second[name]))
            sums[name] = signal + more[0], noise + more[1]
    return {name: sqnr_db(*each) for name, each in sums.items()}


def _computed(file: ModelFile) -> dict[str, int]:
    """The tensors that operations give, by name."""
    tensors = file.main.tensors
    return {tensors[index].name: index for each in file.main.operators for index in each.outputs}


def _wrong(expected: Values, found: Values) -> tuple[float, float]:
    """How many numbers there are, and how many differ."""
    return float(expected.size), float(np.count_nonzero(expected != found))


def _sums(expected: Values, found: Values) -> tuple[float, float]:
    """Σf² and Σ(f-q)²."""
    wide = expected.astype(np.float64)
    return float(np.sum(np.square(wide))), float(np.sum(np.square(wide - found)))
