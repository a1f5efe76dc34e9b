"""Wider types where int8 costs most: operations left in float, the most sensitive first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from edgekit_converters.accuracy.choosing import Calibrated
from edgekit_converters.accuracy.ladder import Candidate
from edgekit_converters.accuracy.sensitivity.results import OperationCost, Sensitivity

MOST_SHARE = 0.5
"""Of all operations: a model that is float for more than that is better converted as float16."""
GROWTH = 1.5
"""By how much the number of operations left in float grows from one try to the next."""
SHOWN = 4


def with_float_islands(
    best: Candidate, sensitivity: Sensitivity, quantized: Callable[[set[str]], Calibrated]
) -> Iterator[Candidate]:
    """Models of which ever more operations stay in float, in the order of what they cost alone.

    Args:
        best: The int8 model to start from.
        sensitivity: Of its float model, with its ranges.
        quantized: Gives the model again, with the operations in float whose outputs have these names.

    Raises:
        ConversionError: TensorFlow's quantizer fails.
    """
    ranked = [cost for cost in sensitivity.ranked if cost.alone_error > 0]
    most = int(len(sensitivity.operations) * MOST_SHARE)
    count = 1
    while count <= min(most, len(ranked)):
        chosen = ranked[:count]
        made = quantized({cost.tensor for cost in chosen}).flatbuffer
        did = f"in float: {_said(chosen)}; {len(made) - len(best.flatbuffer):+,} bytes"
        kept = tuple(_said([cost]) for cost in chosen)
        yield replace(best, flatbuffer=made, name="mixed precision", did=did, kept_float=kept)
        count = max(count + 1, int(count * GROWTH))


def _said(costs: Sequence[OperationCost]) -> str:
    shown = [f"{cost.type} of {cost.layer}" for cost in costs[:SHOWN]]
    return ", ".join(shown) + (f" and {len(costs) - SHOWN} more" if len(costs) > SHOWN else "")
