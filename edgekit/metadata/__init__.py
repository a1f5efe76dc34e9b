"""What a model file says of itself: reading what anyone wrote, and writing it so that anyone can read it."""

from edgekit.metadata.reading import read
from edgekit.metadata.types import (
    HostArgmax,
    HostResize,
    HostStep,
    InputMetadata,
    Metadata,
    Normalization,
    OutputMetadata,
    State,
)
from edgekit.metadata.writing import write, write_onnx

__all__ = [
    "HostArgmax",
    "HostResize",
    "HostStep",
    "InputMetadata",
    "Metadata",
    "Normalization",
    "OutputMetadata",
    "State",
    "read",
    "write",
    "write_onnx",
]
