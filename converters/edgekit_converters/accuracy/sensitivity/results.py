"""What quantization costs, operation by operation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class OperationCost:
    """What the quantization of one operation costs. Decibels are signal to quantization noise, 10·log10(Σf² / Σ(f-q)²)
    against the float model: infinite where nothing differs, None where it could not be measured.

    Attributes:
        index: Number of the operation in the float model, in execution order.
        type: Such as CONV_2D.
        tensor: Name of its first output.
        layer: Name of the Keras layer that it comes from, inside of nested models as `block/conv`; where that is not
            known, the operation's scope in the graph.
        kind: Class of that layer; empty where it is not known.
        alone_db: Of the model's outputs, where this operation alone is quantized.
        left_out_db: Of the model's outputs, where this operation alone stays in float.
        inside_db: Of its own output in the quantized model: what has gathered up to here.
    """

    index: int
    type: str
    tensor: str
    layer: str
    kind: str
    alone_db: float | None
    left_out_db: float | None
    inside_db: float | None

    @property
    def alone_error(self) -> float:
        """Error of the outputs relative to their size, root mean square, where it alone is quantized: 0.1 is 20 dB."""
        return 0.0 if self.alone_db is None else 10 ** (-self.alone_db / 20)

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON; an infinite figure becomes null, with `exact` true."""
        decibels = ("alone_db", "left_out_db", "inside_db")
        return {
            "index": self.index, "type": self.type, "tensor": self.tensor, "layer": self.layer, "kind": self.kind,
            **{name: _finite(getattr(self, name)) for name in decibels},
            "exact": self.alone_db == math.inf,
        }


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """How each operation of a model takes quantization.

    Attributes:
        samples: How many samples the figures are from.
        sqnr_db: Of the outputs with all operations quantized, before biases are corrected.
        operations: In execution order.
        seconds: How long it took.
        warnings: On the calibration data: few samples, or made-up ones.
    """

    samples: int
    sqnr_db: float
    operations: tuple[OperationCost, ...]
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()

    @property
    def ranked(self) -> tuple[OperationCost, ...]:
        """The operations, those first that cost most alone."""
        return tuple(sorted(self.operations, key=lambda cost: -cost.alone_error))

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "samples": self.samples, "sqnr_db": _finite(self.sqnr_db), "seconds": round(self.seconds, 2),
            "operations": [cost.to_dict() for cost in self.operations],
        }


def _finite(decibels: float | None) -> float | None:
    return round(decibels, 2) if decibels is not None and math.isfinite(decibels) else None
