"""How the device fares: heat, clocks, throttling, power, load, from what the kernel and the firmware tell.

::

    from edgekit_devices import telemetry

    now = telemetry.read()
    print(now.hottest, now.throttled, now.watts)
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from edgekit.telemetry import Clock, Telemetry, Throttle
from edgekit_devices import sysfs
from edgekit_devices.telemetry import load
from edgekit_devices.telemetry.clocks import clocks
from edgekit_devices.telemetry.firmware import Firmware, ask_firmware
from edgekit_devices.telemetry.power import power, power_mode
from edgekit_devices.telemetry.thermal import temperatures
from edgekit_devices.telemetry.throttling import throttling

__all__ = ["Clock", "Sampler", "Telemetry", "Throttle", "read"]

FIRMWARE_SECONDS = 5.0
"""Shortest time between two questions to a Raspberry Pi's firmware, for which a program may have to be started."""


class Sampler:
    """Reads again and again. What counts on from the start, such as processor time, is told between two readings.

    Args:
        root: The folder that holds sys and proc; by default `/`, or what EDGEKIT_ROOT says.
        clock: Seconds, monotonic.
    """

    def __init__(self, root: Path | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._root, self._clock = root or sysfs.root(), clock
        self._lock = threading.Lock()
        self._times: load.Times | None = None
        self._counters: dict[str, int] = {}
        self._firmware = Firmware()
        self._asked = -FIRMWARE_SECONDS

    def __call__(self) -> Telemetry:
        """Read everything: some dozens of small files, 1 to 2 ms on a PC."""
        with self._lock:
            root, times = self._root, load.processor_times(self._root)
            used = times.load_since(self._times) if times and self._times else None
            self._times = times
            memory, disk, firmware = load.memory(root), load.disk(root), self._ask_firmware()
            return Telemetry(
                temperatures=temperatures(root), clocks=clocks(root),
                throttling=throttling(root, firmware.flags, self._counters), power={**power(root), **firmware.power},
                power_mode=power_mode(root), processor_load=used, gpu_load=load.gpu_load(root),
                memory_total=memory[0], memory_available=memory[1], disk_total=disk[0], disk_available=disk[1],
            )

    def _ask_firmware(self) -> Firmware:
        now = self._clock()
        if now - self._asked >= FIRMWARE_SECONDS:
            self._firmware, self._asked = ask_firmware(self._root), now
        return self._firmware


def read(root: Path | None = None) -> Telemetry:
    """Read once; the processor's load, and what is only counted, are not known by that.

    Args:
        root: The folder that holds sys and proc; by default `/`, or what EDGEKIT_ROOT says.
    """
    return Sampler(root)()
