"""All checks of a machine, in the order in which their findings are shown."""

from __future__ import annotations

from importlib import import_module

from edgekit_devices.doctor.finding import Check, warning

MODULES = (
    "board", "python", "packages", "imports", "processor", "coral", "graphics", "system", "cameras", "power", "storage",
    "memory", "clock",
)
"""Modules of `edgekit_devices.doctor.checks`, each with `CHECKS`."""


def machine_checks() -> list[Check]:
    """What is asked of a machine, whatever is to be run on it."""
    return [check for name in MODULES for check in _checks(name)]


def _checks(name: str) -> tuple[Check, ...]:
    """Those of one module; on a broken install, where it cannot be imported, one that says so."""
    try:
        checks: tuple[Check, ...] = import_module(f"edgekit_devices.doctor.checks.{name}").CHECKS
    except ImportError as error:
        found = warning(f"the checks of {name} cannot be made: {error}", "What they need is not installed, or broken.",
                        "pip install --force-reinstall edgekit-sdk")
        return (Check(name, "Checks", lambda _machine: (found,)),)
    return checks
