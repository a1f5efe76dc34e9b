"""What a model runs on: the processor, or an accelerator that an installed package registered.

A package adds a device by registering a `Device` in the entry point group `edgekit.devices`. The Edge TPU comes in by
the same door (`edgekit_devices.coral`). In full, for a delegate of your own::

    class Npu:
        options = (Option("speed", ("slow", "fast")),)

        def check(self, spec: str) -> None:
            pass

        def open(self, request: Request) -> dict[str, Runner]:
            delegate = load_delegate("libnpu.so", dict(request.options))
            return {request.name: Engine(request.model.path, threads=request.threads, delegates=[delegate])}

    NPU = Npu()     # pyproject.toml: [project.entry-points."edgekit.devices"] npu = "my_package:NPU"
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from numpy.typing import NDArray

from edgekit import plugins
from edgekit.choices import one_of
from edgekit.errors import DeviceError, EdgeKitError, UsageError
from edgekit.interpreter import Engine
from edgekit.tflite import ModelFile
from edgekit.twin import find_twin, read_twin, twin_name

AUTO = "auto"
CPU = "cpu"
EDGE_TPU = "coral"
"""Name under which the Edge TPU is registered: the one accelerator whose models are of no use elsewhere."""
SEPARATOR = ","


class Runner(Protocol):
    """Runs tensors; `edgekit.interpreter.Engine` is one."""

    @property
    def threads(self) -> int:
        """Threads of the processor that it may use."""

    def run(self, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """Run the network once, as `Engine.run` does.

        Raises:
            DeviceError: the device failed.
        """

    def reset(self) -> None:
        """Forget what the network remembers of earlier samples."""


@dataclass(frozen=True, slots=True)
class Option:
    """An option that a device takes.

    Attributes:
        name: As the user writes it.
        values: Those that it may have; any where empty.
        shown: How the values are told to the user; by default all of them.
    """

    name: str
    values: tuple[str, ...] = ()
    shown: str = ""

    def __str__(self) -> str:
        return f"{self.name}={self.shown or '|'.join(self.values)}"


@dataclass(frozen=True, slots=True)
class Request:
    """What a device is asked to open.

    Attributes:
        model: The file, which has been looked through and is sound.
        name: The device in the user's words, such as `coral:usb:0`.
        spec: What follows the first colon of that; empty where nothing does.
        options: Those of the user's options that the device takes, with values that it allows.
        threads: Threads of the processor to use; None for the default.
        keeps_state: Whether what the network's variables hold outlives a run; a runner that cannot is refused.
        fallback: Whether the user named other devices too, so that another file of the same network will do.
    """

    model: ModelFile
    name: str
    spec: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    threads: int | None = None
    keeps_state: bool = False
    fallback: bool = False


class Device(Protocol):
    """What is registered in the entry point group `edgekit.devices`, by the name that users write."""

    @property
    def options(self) -> tuple[Option, ...] | None:
        """Options that it takes; None where any goes."""

    def check(self, spec: str) -> None:
        """See that what the user wrote behind the name can be meant, without a look at what is attached.

        Raises:
            UsageError: it cannot.
        """

    def open(self, request: Request) -> Mapping[str, Runner]:
        """Open a model.

        Returns:
            What runs it, by the name that its results carry. Where there are several, such as chips of one kind,
            samples go to them in turn, and each is asked for one at a time.

        Raises:
            UsageError: the model does not go with the device.
            DeviceError: the device is absent, or refuses.
        """


@dataclass(frozen=True, slots=True)
class _Processor:
    """The processor, which needs no package."""

    options: tuple[Option, ...] = ()

    def check(self, spec: str) -> None:
        """There is only one."""

    def open(self, request: Request) -> dict[str, Runner]:
        path = request.model.path
        if request.model.is_edgetpu:
            path = _twin_of(request)
            warnings.warn(f"{CPU} runs {path}, the uncompiled twin of {request.model.label}", stacklevel=4)
        return {request.name: Engine(path, threads=request.threads, keeps_state=request.keeps_state)}


def _twin_of(request: Request) -> str:
    """The uncompiled twin, for one who named the processor beside other devices; one who named it alone decides."""
    if request.fallback:
        return read_twin(request.model).path
    twin = find_twin(request.model.path)
    raise UsageError(
        "the model is compiled for the Edge TPU and cannot run on the cpu",
        hint=f"Run {twin}, which lies beside it, or use --device coral." if twin
        else "Use --device coral, or the file that it was compiled from"
        + (f" ({twin_name(request.model.path)})." if twin_name(request.model.path) else "."),
    )


@dataclass(frozen=True, slots=True)
class Opened:
    """A model on a device.

    Attributes:
        name: The device that was taken.
        runners: What runs the model, by the name that results carry.
    """

    name: str
    runners: Mapping[str, Runner]


def open_device(
    model: ModelFile, wanted: str, *, options: Mapping[str, object] | None = None, threads: int | None = None,
    keeps_state: bool = False,
) -> Opened:
    """Open a model on a device, or on the first of several that works.

    Args:
        model: The file.
        wanted: `auto` (the Edge TPU for a file compiled for it, else the processor), `cpu`, or a name registered in
            the entry point group `edgekit.devices`, which may be followed by a colon and what that device
            understands. Several, separated by commas, are tried in turn; why one cannot be used is told as a
            Python warning.
        options: The user's options for the device, by name.
        threads: Threads of the processor.
        keeps_state: Whether what the network's variables hold outlives a run.

    Raises:
        UsageError: nobody registered the device, it takes no such option, or it does not go with the file.
        DeviceError: the accelerator is absent, or refuses; where several were named, all of them.
    """
    names = [_settle(name.strip(), model) for name in str(wanted).split(SEPARATOR)]
    devices = [_find(name) for name in names]
    for name, device in zip(names, devices, strict=True):
        device.check(name.partition(":")[2])
    given = {str(name): str(value) for name, value in (options or {}).items()}
    _check_options(given, dict(zip(names, devices, strict=True)))
    failures: dict[str, EdgeKitError] = {}
    for at, (name, device) in enumerate(zip(names, devices, strict=True)):
        taken = {option: value for option, value in given.items() if _option(device, option)}
        request = Request(model, name, name.partition(":")[2], taken, threads, keeps_state, len(names) > 1)
        try:
            return Opened(name, device.open(request))
        except EdgeKitError as error:
            if len(names) == 1:
                raise
            failures[name] = error
            if at + 1 < len(names):
                warnings.warn(f"{name} cannot be used, trying {names[at + 1]}: {error.message}", stacklevel=3)
    raise _none_works(failures)


def _settle(name: str, model: ModelFile) -> str:
    if name == AUTO:
        return EDGE_TPU if model.is_edgetpu else CPU
    return name


def _find(wanted: str) -> Device:
    if wanted == CPU:  # looking for what is registered takes 25 ms
        return _Processor()
    name, known = wanted.partition(":")[0], plugins.registered("edgekit.devices")
    if name not in known:
        one_of("device", wanted, (AUTO, CPU, *sorted(known)))
    device: Device = known[name].load()
    return device


def _option(device: Device, name: str) -> Option | None:
    if device.options is None:
        return Option(name)
    return next((option for option in device.options if option.name == name), None)


def _check_options(given: Mapping[str, str], devices: Mapping[str, Device]) -> None:
    """See that each option is one of some device's, with a value that it allows."""
    for name, value in given.items():
        takers = [option for device in devices.values() if (option := _option(device, name))]
        if not takers:
            raise _unknown_option(name, devices)
        for option in takers:
            if option.values and value not in option.values:
                raise UsageError(
                    f"device option {name} cannot be '{value}'", hint=f"Choose one of {_values(option)}."
                )


def _values(option: Option) -> str:
    return option.shown or ", ".join(option.values)


def _unknown_option(name: str, devices: Mapping[str, Device]) -> UsageError:
    import difflib  # 4 ms, for mistakes only

    known = [option for device in devices.values() for option in device.options or ()]
    near = difflib.get_close_matches(name, [option.name for option in known], n=1)
    meant = f"Did you mean '{near[0]}'? " if near else ""
    there = f"It takes {', '.join(map(str, known))}." if known else "It takes none."
    return UsageError(f"{SEPARATOR.join(devices)} takes no device option '{name}'", hint=meant + there)


def _none_works(failures: Mapping[str, EdgeKitError]) -> EdgeKitError:
    """One error for all that was tried; that of a call which cannot work where every one of them says so."""
    reasons = "; ".join(f"{name}: {error.message}" for name, error in failures.items())
    hints = [f"{name}: {error.hint}" for name, error in failures.items() if error.hint]
    wrong = all(isinstance(error, UsageError) for error in failures.values())
    kind = UsageError if wrong else DeviceError
    return kind(f"none of the devices can be used ({reasons})", hint="\n".join(hints))
