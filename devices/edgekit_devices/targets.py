"""What a model can be converted for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Precision = Literal["int8", "int16x8", "float16", "dynamic", "float32"]
"""What is quantized: weights and activations (int8; int16x8 with activations of 16 bits), weights (dynamic), or
nothing."""
Io = Literal["int8", "uint8", "int16", "float32"]
"""Types that a quantized model's inputs and outputs may have."""


@dataclass(frozen=True, slots=True)
class Target:
    """A kind of hardware, as far as conversion has to know it.

    Attributes:
        name: As on the command line.
        title: What its accelerator is called in a sentence; empty where it has none.
        precisions: Number formats that it computes; the first is what a model is converted to where nobody says.
        io: Types of inputs and outputs that it takes.
        runtime: The interpreter that the file has to suit, unless the user names another.
    """

    name: str
    title: str
    precisions: tuple[Precision, ...]
    io: tuple[Io, ...]
    runtime: str

    @property
    def precision(self) -> Precision:
        """What a model is converted to where nobody says."""
        return self.precisions[0]

    @property
    def mixed(self) -> bool:
        """Whether parts of a network may be of another type than the rest."""
        return "float32" in self.precisions


TARGETS: Mapping[str, Target] = MappingProxyType(
    {
        target.name: target
        for target in (
            Target(
                name="cpu",
                title="",
                precisions=("int8", "int16x8", "float16", "dynamic", "float32"),
                io=("int8", "uint8", "int16", "float32"),
                runtime="litert",
            ),
            Target(
                name="coral",
                title="the Edge TPU",
                precisions=("int8",),
                io=("int8", "uint8"),
                runtime="edgetpu",
            ),
            Target(
                name="jetson",
                title="the GPU",
                # Not int16x8: LiteRT's GPU accelerator refuses every operation on 16-bit integers.
                precisions=("float16", "float32", "int8", "dynamic"),
                io=("int8", "uint8", "float32"),
                runtime="litert",
            ),
        )
    }
)
"""Targets by name."""
