"""The device `coral`: models compiled for the Edge TPU, run on one by libedgetpu.

The delegate gives no reason when it fails (measured with Google's libraries of 2020 and 2021), and one of another
build crashes. So each step on the way is tried and named, in a child process first.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from weakref import WeakKeyDictionary

from edgekit.device import Option, Request
from edgekit.errors import DeviceError, ModelFileError, UsageError
from edgekit.interpreter import Engine
from edgekit.tflite import ModelFile
from edgekit_devices import isolation, opening_time
from edgekit_devices.coral import diagnosis, selection, temperature
from edgekit_devices.coral.compiled import read_packages
from edgekit_devices.coral.runtime import LIBRARY_OPTION, library_path
from edgekit_devices.coral.trial import Trial, attempt, name_of, open_engine, probe

DEFAULT_SECONDS = 30.0
"""Time limit of the trial. The first use of a USB device loads its firmware, after which it comes back as another."""
RETRIES, RETRY_SECONDS = 6, 0.5
"""For a device that the child process has just let go of."""

OPTIONS = (
    Option("Performance", ("Low", "Medium", "High", "Max")),
    Option("Usb.AlwaysDfu", ("True", "False")),
    Option("Usb.MaxBulkInQueueLength", tuple(str(length) for length in range(256)), "0 to 255"),
    Option(LIBRARY_OPTION, (), "PATH"),
    opening_time.OPTION,
)
_OWN = (LIBRARY_OPTION, opening_time.TIMEOUT)
"""Options for EdgeKit itself; libedgetpu is told the others."""


class Coral:
    """What is registered as `coral`."""

    options = OPTIONS

    def check(self, spec: str) -> None:
        """See that the spec is one of `selection.parse`."""
        selection.parse(spec)

    def open(self, request: Request) -> dict[str, Engine]:
        """Open a compiled model on an Edge TPU, or on all of them.

        Raises:
            UsageError: the model is not compiled, or the time limit is no number of seconds.
            DeviceError: what is missing or wrong, each with its cure.
        """
        seconds = opening_time.seconds_of(
            request.options, DEFAULT_SECONDS, zero="leaves out the trial in a child process"
        )
        if not request.model.is_edgetpu:
            raise UsageError(
                "the model is not compiled for the Edge TPU, which would run none of it",
                hint="Compile it with edgetpu_compiler, or use --device cpu.",
            )
        trial = Trial(
            model=str(request.model.path), library=library_path(request.options), spec=request.spec,
            options={name: value for name, value in request.options.items() if name not in _OWN},
            threads=request.threads, keeps_state=request.keeps_state, needed=needed_runtime(request.model),
        )
        found = _try(trial, seconds)
        _warn_of_heat(found)
        engines = {name_of(spec): _open(trial, spec) for spec in found}
        _opened.update(zip(engines.values(), found.values(), strict=True))
        return engines


CORAL = Coral()
_opened: WeakKeyDictionary[Engine, str] = WeakKeyDictionary()
"""Paths of the devices that this process holds, by what runs on them."""


def needed_runtime(model: ModelFile) -> int | None:
    """Version of the Edge TPU's runtime that a compiled model needs, from 10 to 14; None where it cannot be read."""
    try:
        packages = read_packages(model, Path(model.path).read_bytes())
    except ModelFileError:  # what is wrong with it, the runtime will know better
        return None
    return max((package.min_runtime_version for package in packages), default=None)


def _try(trial: Trial, seconds: float) -> dict[str, str]:
    """Go the whole way in a child process, and return what it found; with no time for that, only look.

    Only look, too, where this process holds the device: it is shared within a process, and no other gets it.
    """
    held = set(_opened.values())
    if seconds == 0 or held:
        found = probe(trial, lambda step: None)
        if seconds == 0 or held.intersection(found.values()):
            return found
    name = name_of(trial.spec)
    try:
        tried: dict[str, str] = isolation.call(f"{attempt.__module__}:attempt", asdict(trial), seconds=seconds)
    except isolation.HungError as error:
        raise diagnosis.hung(name, trial.library, error) from error
    except isolation.CrashedError as error:
        raise diagnosis.crashed(name, trial.library, error) from error
    return tried


def _open(trial: Trial, spec: str) -> Engine:
    for _ in range(RETRIES - 1):
        try:
            return open_engine(trial, spec)
        except DeviceError:
            time.sleep(RETRY_SECONDS)
    return open_engine(trial, spec)


def _warn_of_heat(found: Mapping[str, str]) -> None:
    """Say of those on PCIe that are to be used when they are too warm to be fast."""
    used = {Path(path).name for path in found.values()}
    for chip in temperature.read():
        if chip.name in used and chip.warning:
            warnings.warn(f"the Edge TPU {chip.warning}", stacklevel=5)
