"""EdgeKit: edge inference for embedded devices.

::

    import edgekit

    model = edgekit.load("model.tflite")
    print(model(picture).best())                        # picture: uint8, (height, width, 3)
    for result in edgekit.run("model.tflite", "photos/"):
        print(result.source, result.best())
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgekit import plugins
from edgekit._version import __version__
from edgekit.errors import (
    ConversionError,
    DataError,
    DeviceError,
    EdgeKitError,
    MissingDependencyError,
    MissingFileError,
    ModelFileError,
    OutputError,
    UsageError,
)
from edgekit.metadata.types import Metadata
from edgekit.model import Model, load
from edgekit.pipeline import run
from edgekit.results import Classification, Latency, Result, ScoredClass, Values

if TYPE_CHECKING:
    from edgekit_converters import convert as convert

__all__ = [
    "Classification",
    "ConversionError",
    "DataError",
    "DeviceError",
    "EdgeKitError",
    "Latency",
    "Metadata",
    "MissingDependencyError",
    "MissingFileError",
    "Model",
    "ModelFileError",
    "OutputError",
    "Result",
    "ScoredClass",
    "UsageError",
    "Values",
    "__version__",
    "convert",
    "load",
    "run",
]


def __getattr__(name: str) -> Any:
    """`convert` comes from the workstation's package, which a device need not have."""
    if name != "convert":
        raise AttributeError(f"module 'edgekit' has no attribute '{name}'")
    return plugins.load("edgekit.converters", "keras")
