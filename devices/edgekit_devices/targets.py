"""What a model can be converted for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Precision = Literal["int8", "int16x8", "float16", "dynamic", "float32"]
TensorType = Literal["int8", "uint8", "int16", "float32"]


@dataclass(frozen=True, slots=True)
class Target:
    """A kind of hardware, as far as conversion has to know it.

    Attributes:
        name: As on the command line.
        description: One sentence.
        precisions: Number formats that it computes.
        io: Types that a quantized model's inputs and outputs may have.
        per_channel_dense: Whether Dense layers may have one scale a channel.
        compiler: Program that the converted file has to go through; empty for none.
    """

    name: str
    description: str
    precisions: tuple[Precision, ...]
    io: tuple[TensorType, ...]
    per_channel_dense: bool = True
    compiler: str = ""

    def allows(self, precision: Precision) -> bool:
        """Whether it computes that format."""
        return precision in self.precisions


TARGETS: Mapping[str, Target] = MappingProxyType(
    {
        target.name: target
        for target in (
            Target(
                name="cpu",
                description="Processors with a current TensorFlow Lite runtime.",
                precisions=("int8", "int16x8", "float16", "dynamic", "float32"),
                io=("int8", "uint8", "int16", "float32"),
            ),
            Target(
                name="coral",
                description="Coral Edge TPU: int8 only; the file then goes through edgetpu_compiler.",
                precisions=("int8",),
                io=("int8", "uint8"),
                # The compiler is of 2021; runtimes of that time compute Dense with a scale a channel wrong,
                # in silence.
                per_channel_dense=False,
                compiler="edgetpu_compiler",
            ),
        )
    }
)
"""Targets by name."""
