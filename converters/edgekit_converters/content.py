"""What the finished file holds, held to what was asked for: types, versions of operations, and where they run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

from edgekit.errors import ConversionError
from edgekit.tflite import ModelFile
from edgekit.tflite.model_file import FLOAT_TYPES
from edgekit_converters.options import Options
from edgekit_converters.tracing.places import Place, first_place
from edgekit_devices.runtimes import RUNTIMES, highest_versions

SHOWN = 3
_BRIDGES = frozenset({"QUANTIZE", "DEQUANTIZE"})


def check_content(
    model: ModelFile, options: Options, places: Mapping[str, Place], kept_float: Sequence[str] = ()
) -> list[str]:
    """Hold the finished network to what was asked for; a warning for each thing that the user allowed.

    Args:
        model: The network.
        options: What was asked for.
        places: Layers by the names of their operations.
        kept_float: Operations that were left in float on purpose.

    Raises:
        ConversionError: part of a model that was to be quantized stays float, or the runtime cannot load it.
    """
    if options.target != "coral":  # its compiler's analyser says it better
        _check_versions(model, options.runtime, places)
    if model.external_data:
        raise ConversionError(
            "the file keeps its weights outside of the model, which older runtimes cannot read",
            hint="It is larger than 2 GB: choose a smaller model.",
        )
    if options.precision == "float16" and not any(tensor.dtype == "float16" for tensor in model.main.tensors):
        return ["no weights were stored as float16: the model has none that TensorFlow stores so"]
    if options.precision == "dynamic" and not any(tensor.dtype == "int8" for tensor in model.main.tensors):
        return ["no weights were quantized: TensorFlow leaves those of fewer than 1024 numbers as they are"]
    if not options.calibrated:
        return []
    if kept_float:
        return [f"left in float so that no more accuracy is lost: {', '.join(kept_float)}"]
    ends = {tensor.index for tensor in (*model.inputs, *model.outputs)} if options.io == "float32" else set()
    said = _float_part(model, ends, places)
    return [] if said is None else _refused_unless(options.allow_float, said)


def _refused_unless(allowed: bool, said: str) -> list[str]:
    if not allowed:
        raise ConversionError(
            said, hint="Put other layers in their place, or take it as it is with --allow-float. What TensorFlow "
            "quantizes of each layer is in docs/coverage.md.",
        )
    return [said]


def _float_part(model: ModelFile, allowed: Set[int], places: Mapping[str, Place]) -> str | None:
    """What of the network computes in float, in the user's words; None where nothing does."""
    found: dict[str, str] = {}
    for graph in model.subgraphs:
        for operator in graph.operators:
            ends = [graph.tensors[index] for index in (*operator.inputs, *operator.outputs) if index >= 0]
            inner = [t for t in ends if t.dtype in FLOAT_TYPES and t.index not in allowed]
            if inner and operator.type not in _BRIDGES:
                found.setdefault(operator.label, layer_of(graph.tensors[operator.outputs[0]].name, places))
    if not found:
        return None
    shown = ", ".join(f"{label} in {place}" for label, place in list(found.items())[:SHOWN])
    verb = "computes" if len(found) == 1 else "compute"
    more = f" and {len(found) - SHOWN} more kinds" if len(found) > SHOWN else ""
    return f"not all of the model can be quantized: {shown}{more} {verb} in float"


def _check_versions(model: ModelFile, runtime: str, places: Mapping[str, Place]) -> None:
    highest = highest_versions(runtime)
    for operator in (operator for graph in model.subgraphs for operator in graph.operators) if highest else ():
        known = highest.get(operator.type, 0)
        if operator.version <= known or operator.custom_code:
            continue
        place = layer_of(model.main.tensors[operator.outputs[0]].name, places)
        has = f"knows version {known} at most" if known else "does not know that operation"
        raise ConversionError(
            f"{RUNTIMES[runtime].title} cannot load the model: {place} needs {operator.type} version "
            f"{operator.version}, and it {has}",
            hint="Put another layer in its place, or choose another --runtime.",
        )


def layer_of(tensor: str, places: Mapping[str, Place]) -> str:
    """The layer that computes a tensor, by its name; where that is not known, the scope of the operation."""
    known, first = first_place(tensor, places), tensor.partition(";")[0]
    return str(known) if known else f"'{first.rpartition('/')[0] or first}'"
