"""The wall clock. EdgeKit measures with the monotonic one, but times in results, and certificates, are the wall's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone

from edgekit_devices.doctor.finding import Check, Finding, note, ok, warning
from edgekit_devices.machine import Machine

GROUP = "Clock"
BUILT = datetime(2026, 1, 1, tzinfo=timezone.utc)
"""No clock that is right shows an earlier time."""


def clock(machine: Machine) -> Iterator[Finding]:
    """Whether it can be right, and whether something keeps it right."""
    shown = datetime.fromtimestamp(machine.now(), timezone.utc)
    if shown < BUILT:
        yield warning(
            f"the clock shows {shown:%Y-%m-%d %H:%M} UTC",
            "Results carry that time, and TLS certificates count as not yet valid: mqtts: and https: fail.",
            "sudo timedatectl set-ntp true   # or: sudo date -s '2026-01-31 12:00'",
        )
        return
    if machine.synchronized() is False:
        yield note("no server keeps the clock", "Times in results drift by seconds a day.",
                   "sudo timedatectl set-ntp true   # in a container the host does it")
    else:
        yield ok(f"the clock shows {shown:%Y-%m-%d %H:%M} UTC")


def battery(machine: Machine) -> Iterator[Finding]:
    """Without a clock that runs on, time starts anew at each start."""
    if machine.path("proc/device-tree").exists() and not machine.entries("sys/class/rtc/rtc*"):
        yield note(
            "the board has no real-time clock", "After a start without network the time is that of the last shutdown, "
            "and jumps when a server is reached. EdgeKit's time-outs and ages do not heed it.",
            "sudo systemctl enable systemd-time-wait-sync   # services that need the time wait for it",
        )


CHECKS = (
    Check("clock", GROUP, clock),
    Check("real-time-clock", GROUP, battery),
)
