"""How the device itself fares beside the pipeline: heat, clocks, throttling, power, load.

What reads it comes in through the entry point group `edgekit.telemetry`, as `device`: called once, it gives a function
that is called for each reading. `edgekit_devices.telemetry` is registered there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from edgekit import plugins

INPUT_RAILS = ("VDD_IN", "POM_5V_IN", "5V_IN")
"""Rails through which all of a Jetson's power comes, where one of them is measured."""
_NONE: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Clock:
    """How fast something runs, in MHz.

    Attributes:
        name: `cpu0-3` for cores that share a clock, `gpu`, `memory`.
        now: What it runs at.
        lowest: The least that it can run at; None where that is not told.
        highest: The most that it can run at; None where that is not told.
        limit: The most that the system allows it now; None where that is not told.
        governor: By which rule the system chooses, such as `ondemand`; empty where that is not told.
    """

    name: str
    now: float
    lowest: float | None = None
    highest: float | None = None
    limit: float | None = None
    governor: str = ""


@dataclass(frozen=True, slots=True)
class Throttle:
    """Whether something slows the device down; None where that is not told.

    Attributes:
        now: At this moment.
        since_boot: At any time since the device was started.
    """

    now: bool | None = None
    since_boot: bool | None = None


@dataclass(frozen=True, slots=True)
class Telemetry:
    """One reading. What is not known is None, or left out of the mappings.

    Attributes:
        temperatures: Degrees Celsius by sensor, such as `cpu-thermal`.
        clocks: Of the processor's cores, the GPU and the memory.
        throttling: By cause: `under-voltage`, `frequency-capped`, `throttled`, `soft-temperature-limit` (Raspberry
            Pi), `over-current` (Jetson), `temperature`.
        power: Watts by rail, such as `VDD_IN`.
        power_mode: A Jetson's, such as `15W`; else empty.
        processor_load: Share of all cores' time that was used since the reading before, from 0 to 1.
        gpu_load: Likewise, of the GPU.
        memory_total: Bytes; `memory_available`, `disk_total` and `disk_available` alike.
        memory_available: What programs can still get.
        disk_total: Of the file system that holds the root folder.
        disk_available: What a user can still write to it.
    """

    temperatures: Mapping[str, float] = field(default_factory=lambda: _NONE)
    clocks: tuple[Clock, ...] = ()
    throttling: Mapping[str, Throttle] = field(default_factory=lambda: MappingProxyType({}))
    power: Mapping[str, float] = field(default_factory=lambda: _NONE)
    power_mode: str = ""
    processor_load: float | None = None
    gpu_load: float | None = None
    memory_total: int | None = None
    memory_available: int | None = None
    disk_total: int | None = None
    disk_available: int | None = None

    @property
    def throttled(self) -> tuple[str, ...]:
        """What slows the device down at this moment."""
        return tuple(cause for cause, throttle in self.throttling.items() if throttle.now)

    @property
    def hottest(self) -> float | None:
        """The highest temperature in degrees Celsius; None where none is known."""
        return max(self.temperatures.values(), default=None)

    @property
    def watts(self) -> float | None:
        """What the device takes: through its input rail where that is measured, else through all rails together."""
        whole = [self.power[rail] for rail in INPUT_RAILS if rail in self.power]
        return whole[0] if whole else sum(self.power.values()) if self.power else None

    @property
    def processor_clock(self) -> float | None:
        """MHz of the processor's fastest core at this moment; None where that is not told."""
        return max((clock.now for clock in self.clocks if clock.name.startswith("cpu")), default=None)


def telemetry_reader() -> Callable[[], Telemetry]:
    """What reads the device, for one thread at a time; where nobody registered anything, readings without content."""
    known = plugins.registered("edgekit.telemetry")
    if "device" not in known:
        return Telemetry
    reader: Callable[[], Telemetry] = known["device"].load()()
    return reader
