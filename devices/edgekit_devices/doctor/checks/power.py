"""Power, heat and clocks, as the board's firmware and the kernel tell."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from edgekit_devices import telemetry
from edgekit_devices.doctor.finding import Check, Finding, note, ok, warning
from edgekit_devices.machine import Machine
from edgekit_devices.telemetry.power import power_mode as power_mode_of
from edgekit_devices.telemetry.power import power_modes

GROUP = "Power and heat"
HOT = 80.0
"""Degrees Celsius from which a Raspberry Pi lowers its clock; a Jetson does somewhat later."""
SUPPLY = "Use the board's own supply (Raspberry Pi 5: 5.1 V, 5 A; 4: 3 A; 3: 2.5 A) and a short, thick cable."
COOLING = "Give it a heat sink and a fan; watch it with: watch -n1 cat /sys/class/thermal/thermal_zone*/temp"
CAUSES = {
    "under-voltage": ("The board gets too little voltage: it slows down, and USB devices vanish.", SUPPLY),
    "over-current": ("The board takes more current than it may, and slows down.", SUPPLY),
}
SLOWER = "The processor runs slower than it could, for heat or want of power."


def throttling(machine: Machine) -> Iterator[Finding]:
    """What slows the device down, now or since it was started."""
    now = telemetry.read(machine.root)
    for cause, throttle in now.throttling.items():
        why, mend = CAUSES.get(cause, (SLOWER, COOLING))
        if throttle.now:
            yield warning(f"slowed down now: {cause}", why, mend)
        elif throttle.since_boot:
            yield note(f"slowed down since it was started: {cause}", why, mend)
    hottest = now.hottest
    if hottest is not None and hottest >= HOT:
        yield warning(f"the hottest sensor is at {hottest:.0f} °C", SLOWER, COOLING)
    elif hottest is not None and not now.throttled:
        yield ok(f"{hottest:.0f} °C at most, and nothing slows the board down")


def power_mode(machine: Machine) -> Iterator[Finding]:
    """A Jetson runs at the power that it is told to."""
    mode, modes = power_mode_of(machine.root), power_modes(machine.root)
    most = max(modes, key=lambda number: (_watts(modes[number]), number), default=0)
    if mode and mode != modes.get(most):
        yield note(f"the power mode is {mode}", "It holds clocks and cores below what the module can.",
                   f"sudo nvpmodel -m {most} && sudo jetson_clocks   # where supply and cooling allow it")
    elif mode:
        yield ok(f"the power mode is {mode}")


def _watts(mode: str) -> float:
    """What a mode allows by its name, such as 15W, MODE_20W_6CORE or MAXN, which is without a limit."""
    watts = re.search(r"(\d+)W", mode.upper())
    return math.inf if mode.upper().startswith("MAXN") else float(watts[1]) if watts else 0.0


CHECKS = (
    Check("throttling", GROUP, throttling),
    Check("power-mode", GROUP, power_mode),
)
