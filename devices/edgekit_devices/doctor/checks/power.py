"""Power, heat and clocks, as the board's firmware and the kernel tell."""

from __future__ import annotations

from collections.abc import Iterator

from edgekit_devices import telemetry
from edgekit_devices.doctor.finding import Check, Finding, note, ok, warning
from edgekit_devices.machine import Machine

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
    mode = telemetry.read(machine.root).power_mode
    if mode and not mode.upper().startswith("MAXN"):
        yield note(f"the power mode is {mode}", "It holds clocks and cores below what the module can.",
                   "sudo nvpmodel -m 0 && sudo jetson_clocks   # where supply and cooling allow it")
    elif mode:
        yield ok(f"the power mode is {mode}")


CHECKS = (
    Check("throttling", GROUP, throttling),
    Check("power-mode", GROUP, power_mode),
)
