"""Opens a model on an Edge TPU step by step; called in a child process first, since the runtime may crash or hang."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.errors import DeviceError, ModelFileError
from edgekit.interpreter import DelegateError, Engine, load_delegate
from edgekit_devices.coral import diagnosis, selection
from edgekit_devices.coral.attached import look
from edgekit_devices.coral.runtime import Runtime
from edgekit_devices.isolation import Say


@dataclass(frozen=True, slots=True)
class Trial:
    """What is to be opened; all of it goes through JSON.

    Attributes:
        model: Path of the compiled file.
        library: Name or path of libedgetpu.
        spec: Which device, as in `selection.parse`.
        options: What libedgetpu is told beside the device.
        threads: Threads of the processor; None for the default.
        keeps_state: Whether what the network's variables hold outlives a run.
        needed: Version of the runtime that the model needs; None where that is not known.
    """

    model: str
    library: str
    spec: str
    options: dict[str, str]
    threads: int | None = None
    keeps_state: bool = False
    needed: int | None = None


def name_of(spec: str) -> str:
    """The device in the user's words, such as `coral:usb:0`."""
    return f"coral:{spec}" if spec else "coral"


def probe(trial: Trial, say: Say) -> dict[str, str]:
    """Find out what is there, and open nothing.

    Returns:
        For each device meant what libedgetpu is to be told, and the device's path.

    Raises:
        DeviceError: the runtime, the device, the right to open it or the runtime's version is missing.
    """
    say("it was loaded")
    runtime = Runtime(trial.library)
    say("it listed its devices")
    listed = runtime.devices()
    found = selection.select(selection.parse(trial.spec), listed, look(), trial.library)
    version = runtime.runtime_version()
    if trial.needed is not None and version is not None and version < trial.needed:
        raise diagnosis.too_old(trial.library, version, trial.needed)
    return {spec: entry.path for spec, entry in found.items()}


def open_engine(trial: Trial, spec: str) -> Engine:
    """Open the model on one device, in this process.

    Raises:
        DeviceError: the device cannot be opened, or the model does not run on it.
    """
    name = name_of(spec)
    try:
        delegate = load_delegate(trial.library, _told(spec, trial.options))
    except DelegateError as error:
        raise diagnosis.refused(name, trial.library, error.reason, look()) from error
    try:
        return Engine(
            trial.model, threads=trial.threads, delegates=[delegate], keeps_state=trial.keeps_state
        )
    except ModelFileError as error:
        raise diagnosis.not_run(name, trial.library, str(error.__cause__)) from error


def _told(spec: str, options: Mapping[str, str]) -> dict[str, str]:
    if options and spec in ("", "usb", "pci"):
        # libedgetpu heeds options only for a device with a number.
        spec = f"{spec}:0"
    return {**({"device": spec} if spec else {}), **options}


def attempt(say: Say, **arguments: Any) -> dict[str, str]:
    """Go the whole way: probe, open, run once on zeros, close.

    Args:
        say: Told what is done next.
        arguments: The fields of a `Trial`.

    Returns:
        As `probe`.

    Raises:
        DeviceError: what is wrong, in words for the user.
    """
    trial = Trial(**arguments)
    found = probe(trial, say)
    for spec in found:
        name = name_of(spec)
        say(f"it opened {name} with {Path(trial.model).name}")
        engine = open_engine(trial, spec)
        say(f"{name} ran the model for the first time")
        try:
            engine.run_zeros()
        except DeviceError as error:
            raise diagnosis.not_run(name, trial.library, str(error.__cause__)) from error
        say(f"it closed {name}")
        del engine
    return found
