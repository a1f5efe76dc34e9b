"""What is attached that a model could run on, as installed packages say themselves.

A package that wants its device to be weighed by `auto` registers a function in the entry point group
`edgekit.attached`, under the device's name. It is called at each load, so that it looks at files of the kernel and no
further, and its module imports little. In full::

    def attached(model: ModelFile) -> str:
        return "npu0" if Path("/dev/npu0").exists() else ""
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edgekit import plugins
from edgekit.errors import DeviceError, EdgeKitError
from edgekit.tflite import ModelFile

Attached = Callable[[ModelFile], str]
"""Says in words what is attached that could run the model; nothing where nothing is. Trials are done again when the
words change, so that they tell of what matters: a driver and its version, several chips. Raises an `EdgeKitError` with
a hint where something is attached and cannot be used."""


@dataclass(frozen=True, slots=True)
class Found:
    """What is attached.

    Attributes:
        usable: In the words of its package, by the device's name.
        barred: Why a device cannot be used, by its name.
    """

    usable: Mapping[str, str]
    barred: Mapping[str, EdgeKitError]


def look(model: ModelFile) -> Found:
    """Ask every package that registered a device for this."""
    usable: dict[str, str] = {}
    barred: dict[str, EdgeKitError] = {}
    for name, point in sorted(plugins.registered("edgekit.attached").items()):
        try:
            if words := point.load()(model):
                usable[name] = words
        except EdgeKitError as error:
            barred[name] = error
        except ImportError as error:
            barred[name] = DeviceError(f"its package cannot be imported: {error}")
    return Found(usable, barred)
