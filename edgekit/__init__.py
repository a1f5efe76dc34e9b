"""EdgeKit: edge inference for embedded devices.

::

    import edgekit

    model = edgekit.load("model.tflite")
    print(model(picture).best())                        # picture: uint8, (height, width, 3)
    for result in edgekit.run("model.tflite", "photos/"):
        print(result.source, result.best())
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from edgekit._version import __version__
from edgekit.errors import (
    ConversionError,
    DataError,
    DeviceError,
    EdgeKitError,
    HungError,
    MissingDependencyError,
    MissingFileError,
    ModelFileError,
    OutputError,
    UsageError,
)

if TYPE_CHECKING:
    from edgekit import after as after
    from edgekit.cascade import Cascade as Cascade
    from edgekit.explaining import Explanation as Explanation
    from edgekit.explaining import explain as explain
    from edgekit.loading import load as load
    from edgekit.metadata.types import Metadata as Metadata
    from edgekit.metadata.types import Normalization as Normalization
    from edgekit.model import Model as Model
    from edgekit.pipeline import Pipeline as Pipeline
    from edgekit.pipeline import run as run
    from edgekit.results import Classification as Classification
    from edgekit.results import Latency as Latency
    from edgekit.results import Result as Result
    from edgekit.results import ScoredClass as ScoredClass
    from edgekit.results import Values as Values
    from edgekit_converters import convert as convert

__all__ = [
    "Cascade",
    "Classification",
    "ConversionError",
    "DataError",
    "DeviceError",
    "EdgeKitError",
    "Explanation",
    "HungError",
    "Latency",
    "Metadata",
    "MissingDependencyError",
    "MissingFileError",
    "Model",
    "ModelFileError",
    "Normalization",
    "OutputError",
    "Pipeline",
    "Result",
    "ScoredClass",
    "UsageError",
    "Values",
    "__version__",
    "convert",
    "explain",
    "load",
    "run",
]


# Imported when first used, so that `import edgekit` costs a robot's start-up next to nothing.
_HOMES = {
    "edgekit.cascade": ("Cascade",),
    "edgekit.explaining": ("Explanation", "explain"),
    "edgekit.metadata.types": ("Metadata", "Normalization"),
    "edgekit.loading": ("load",),
    "edgekit.model": ("Model",),
    "edgekit.pipeline": ("Pipeline", "run"),
    "edgekit.results": ("Classification", "Latency", "Result", "ScoredClass", "Values"),
}


def __getattr__(name: str) -> Any:
    """The public name, or package; `convert` comes from the workstation's package, which a device need not have."""
    if name == "convert":
        value = _converter()
    elif name == "after":
        value = import_module("edgekit.after")
    else:
        home = next((module for module, names in _HOMES.items() if name in names), None)
        if home is None:
            raise AttributeError(f"module 'edgekit' has no attribute '{name}'")
        value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def _converter() -> Any:
    """What is registered as the converter for Keras models; a copy of the package without its metadata has none."""
    points = import_module("edgekit.plugins").registered("edgekit.converters")
    if "keras" not in points:
        raise MissingDependencyError(
            "no converter for Keras models is registered, since EdgeKit was not installed by pip",
            hint="Install it on the workstation with pip install 'edgekit-sdk[convert]'.",
        )
    return points["keras"].load()


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
