"""Which GPUs Vulkan offers, found out in a child process.

::

    from edgekit_devices.gpu.adapters import adapters

    for adapter in adapters():
        print(adapter.name, "computes on the processor" if adapter.software else adapter.kind)
"""

from __future__ import annotations

from dataclasses import dataclass

from edgekit_devices import isolation
from edgekit_devices.gpu import vulkan

SECONDS = 10.0
"""Time limit by default. Starting the child and asking a driver takes 0.2 to 1 s."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """What Vulkan calls a physical device.

    Attributes:
        name: As its driver calls it.
        kind: `discrete`, `integrated`, `virtual`, `software` or `other`.
        api: The version of Vulkan that it has, such as `1.3.250`.
    """

    name: str
    kind: str
    api: str

    @property
    def software(self) -> bool:
        """Whether it is a program that computes on the processor, slower than the processor's own kernels."""
        return self.kind == "software"


def adapters(*, seconds: float = SECONDS) -> tuple[Adapter, ...]:
    """The adapters that answer, in the order of the drivers; none where there is no driver.

    Args:
        seconds: Time limit.

    Raises:
        DeviceError: there is no Vulkan loader.
        ChildError: a driver crashed (`CrashedError`) or hung (`HungError`).
    """
    found = isolation.call(f"{vulkan.__name__}:enumerate_adapters", {}, seconds=seconds)
    return tuple(Adapter(**adapter) for adapter in found)
