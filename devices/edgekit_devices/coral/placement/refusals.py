"""Why the Edge TPU's compiler takes no part of a file at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from edgekit.placement import Refusal
from edgekit.tflite import Operator, Subgraph
from edgekit_devices.coral.placement import phrases
from edgekit_devices.coral.placement.advice import TOO_NEW
from edgekit_devices.coral.placement.step import Step, steps
from edgekit_devices.runtimes import highest_versions

RUNTIME = "edgetpu"
"""Under which name the compiler's interpreter stands among the runtimes."""

KNOWN_CUSTOM = frozenset({"TFLite_Detection_PostProcess", "PosenetDecoderOp", "edgetpu-custom-op"})
"""Custom operations that the compiler reads and leaves on the CPU."""

_SIZES: Mapping[str, tuple[int, ...]] = {
    "BROADCAST_TO": (1,),
    "EXPAND_DIMS": (1,),
    "FILL": (0,),
    "MEAN": (1,),
    "MIRROR_PAD": (1,),
    "NON_MAX_SUPPRESSION_V4": (2,),
    "NON_MAX_SUPPRESSION_V5": (2,),
    "PAD": (1,),
    "PADV2": (1,),
    "RANGE": (0, 1, 2),
    "REDUCE_MAX": (1,),
    "REDUCE_MIN": (1,),
    "RESHAPE": (1,),
    "RESIZE_BILINEAR": (1,),
    "RESIZE_NEAREST_NEIGHBOR": (1,),
    "SLICE": (1, 2),
    "STRIDED_SLICE": (1, 2, 3),
    "SUM": (1,),
    "TILE": (1,),
    "TOPK_V2": (1,),
    "TRANSPOSE_CONV": (0,),
}
"""Places of the inputs that say how large the output is: computed ones make its size known only while it runs."""
_FREE = frozenset({"WHERE", "UNIQUE"})
"""Operations whose output's size depends on what they find."""


def refusals(graph: Subgraph, others: Sequence[Subgraph] = ()) -> tuple[Refusal, ...]:
    """Everything for which the compiler refuses the file; empty where it takes it.

    Args:
        graph: The graph that runs.
        others: Further graphs of the file, which count for the versions of operations.
    """
    elsewhere = [operator for other in others for operator in other.operators]
    found = (
        _not_quantized(graph), _dynamic(steps(graph)), _too_new(graph.operators, elsewhere),
        _unknown(graph.operators, elsewhere),
    )
    return tuple(refusal for refusal in found if refusal)


def _not_quantized(graph: Subgraph) -> Refusal | None:
    computed = (graph.tensors[index] for operator in graph.operators for index in operator.outputs)
    if any(tensor.quantization and any(tensor.quantization.scales) for tensor in computed):
        return None
    return Refusal(
        phrases.NOT_QUANTIZED,
        "No operation gives a quantized tensor: weights of 8 bits alone (dynamic range) do not count.",
        "Convert with full integer quantization: edgekit convert --target coral --calibration DATA.",
    )


def _dynamic(found: Iterable[Step]) -> Refusal | None:
    causes = tuple(step.operator.index for step in found if _size_is_computed(step))
    if not causes:
        return None
    return Refusal(
        phrases.DYNAMIC,
        "The size of a tensor is computed while the model runs.",
        "Fix the batch and all other sizes before conversion: keras.Input(batch_shape=(1, ...)).",
        causes,
    )


def _size_is_computed(step: Step) -> bool:
    sizes = (step.input(place) for place in _SIZES.get(step.type, ()))
    return step.type in _FREE or any(tensor is not None and not tensor.constant for tensor in sizes)


def _too_new(operators: Sequence[Operator], elsewhere: Sequence[Operator]) -> Refusal | None:
    newest = highest_versions(RUNTIME)

    def is_newer(operator: Operator) -> bool:
        return operator.type != "CUSTOM" and operator.version > newest.get(operator.type, 0)

    kinds = sorted({(operator.type, operator.version) for operator in (*operators, *elsewhere) if is_newer(operator)})
    if not kinds:
        return None
    said = ", ".join(
        f"{type_} version {version} (it knows up to {newest[type_]})" if type_ in newest
        else f"{type_} (it does not know it)" for type_, version in kinds
    )
    cures = dict.fromkeys(TOO_NEW.get(type_, TOO_NEW[""]) for type_, _ in kinds)
    return Refusal(
        phrases.NOT_PARSED, f"The compiler is of 2021, and the model has operations that are newer: {said}.",
        " ".join(cures), tuple(operator.index for operator in operators if is_newer(operator)),
    )


def _unknown(operators: Sequence[Operator], elsewhere: Sequence[Operator]) -> Refusal | None:
    def is_unknown(operator: Operator) -> bool:
        return operator.type == "CUSTOM" and operator.custom_code not in KNOWN_CUSTOM

    names = sorted({operator.custom_code for operator in (*operators, *elsewhere) if is_unknown(operator)})
    if not names:
        return None
    return Refusal(
        phrases.NOT_PARSED, f"Encountered unresolved custom op: {', '.join(names)}.",
        "Leave it out of the model (convert without SELECT_TF_OPS and custom operations) and compute it on the host.",
        tuple(operator.index for operator in operators if is_unknown(operator)),
    )
