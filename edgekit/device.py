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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from numbers import Real
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from edgekit import plugins
from edgekit.choices import one_of
from edgekit.choosing.choice import Choice, Weighing
from edgekit.errors import DeviceError, EdgeKitError, UsageError
from edgekit.failover.announcing import Announcer
from edgekit.failover.ladder import Ladder
from edgekit.failover.rung import Rung
from edgekit.onnx.devices import for_format
from edgekit.tflite import ModelFile
from edgekit.twin import read_twin

AUTO = "auto"
CPU = "cpu"
SEPARATOR = ","


DEFAULT_SECONDS = 10.0
"""Longest that an accelerator may take for one inference."""
MOST_SECONDS = 3600.0

Tell = Callable[[str, str], None]
"""Told the kind of an event, in one word, and what happened, in one sentence."""


def warn(kind: str, detail: str) -> None:
    """Tell of an event where nobody asked to be told: as a Python warning."""
    warnings.warn(f"{kind}: {detail}", stacklevel=3)


class Runner(Protocol):
    """Runs tensors; `edgekit.interpreter.Engine` is one."""

    @property
    def threads(self) -> int:
        """Threads of the processor that it may use."""

    def run(self, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """Run the network once, as `Engine.run` does.

        Raises:
            HungError: it gave no answer within `Request.seconds`.
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
        fallback: Whether the user named other devices too, or none, so that another file of the same network will do.
        seconds: Longest that one inference may take, after which it is given up; above 0.
        tell: Told what happens to the device while it runs, such as `hung` or `slow`, as sources tell `lost` or
            `recovered`. May be called from any thread.
    """

    model: ModelFile
    name: str
    spec: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    threads: int | None = None
    keeps_state: bool = False
    fallback: bool = False
    seconds: float = DEFAULT_SECONDS
    tell: Tell = warn


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


def check_timeout(seconds: float) -> None:
    """See that a time limit for an inference is one.

    Raises:
        UsageError: it is no number above 0.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, Real) or not 0 < seconds <= MOST_SECONDS:
        raise UsageError(f"inference_timeout has to be a number of seconds up to {MOST_SECONDS:g}, not {seconds!r}")


def open_device(
    model: ModelFile, wanted: str, *, options: Mapping[str, object] | None = None, threads: int | None = None,
    keeps_state: bool = False, seconds: float = DEFAULT_SECONDS, target: str | None = None,
) -> Ladder:
    """Open a model on a device, or on the first of several that works; the next ones take over should it fail later.

    Args:
        model: The file.
        wanted: `auto` (the Edge TPU for a file compiled for it, else the fastest of what is attached and the
            processor), `cpu`, or a name registered in the entry point group `edgekit.devices`, which may be followed
            by a colon and what that device understands. Several, separated by commas, are tried in turn; why one
            cannot be used is told as a Python warning.
        options: The user's options for the device, by name.
        threads: Threads of the processor.
        keeps_state: Whether what the network's variables hold outlives a run.
        seconds: Longest that one inference may take on an accelerator, above 0.
        target: What the model was converted for, as its metadata says.

    Raises:
        UsageError: nobody registered the device, it takes no such option, or it does not go with the file.
        DeviceError: the accelerator is absent, or refuses; where several were named, all of them.
    """
    asked = [name.strip() for name in str(wanted).split(SEPARATOR)]
    weighing = Weighing(model, target or "") if AUTO in asked else None
    choice = weighing.choice if weighing else None
    # An option may be meant for a device that was weighed and not chosen.
    names = _in_place_of_auto(asked, choice.names if choice and not options else weighing.names if weighing else ())
    announcer = Announcer()
    request = Request(
        model, "", threads=threads, keeps_state=keeps_state, fallback=len(names) > 1 or weighing is not None,
        seconds=seconds,
    )
    rungs = _rungs(names, request, options or {}, announcer)
    if weighing and not choice:
        with announcer.heard_by(lambda event: None):  # what a trial finds goes into the reason
            choice = weighing.try_out(lambda name: rungs[name].open(), seconds)
    order = [rungs[name] for name in _in_place_of_auto(asked, choice.names if choice else ())]
    at, runners = _open_first(order)
    _check_twin(model, order[at:])
    taken = order[at].name
    by_auto = choice and taken in choice.names and taken not in asked[:asked.index(AUTO)]
    reason = _reason(choice, taken, runners) if choice and by_auto else ""
    return Ladder(
        order[at:], runners, seconds=seconds, announcer=announcer, keeps_state=keeps_state, reason=reason
    )


def _rungs(
    names: Sequence[str], request: Request, options: Mapping[str, object], announcer: Announcer
) -> dict[str, Rung]:
    """What opens the model on each device, by name, once all of them and their options are known to exist."""
    devices = [for_format(request.model, name, _find(name)) for name in names]
    for name, device in zip(names, devices, strict=True):
        device.check(name.partition(":")[2])
    if not isinstance(options, Mapping):
        raise UsageError(f"device_options cannot be {options!r}", hint='Give a mapping: {"precision": "float32"}.')
    given = {str(name): str(value) for name, value in options.items()}
    _check_options(given, dict(zip(names, devices, strict=True)))
    return {
        name: _rung(device, replace(
            request, name=name, spec=name.partition(":")[2], options=_options_of(device, given, devices),
            tell=partial(announcer.tell, name),
        ))
        for name, device in zip(names, devices, strict=True)
    }


def _in_place_of_auto(names: Sequence[str], meant: Sequence[str]) -> list[str]:
    """The names with those in the place of `auto` that it stands for, each once."""
    return list(dict.fromkeys(one for name in names for one in (meant if name == AUTO else (name,))))


def _reason(choice: Choice, name: str, runners: Mapping[str, Runner]) -> str:
    """Why a device was taken where `auto` chose it, in one line."""
    threads = next(iter(runners.values())).threads
    on = f"{name}, {threads} thread{'s' if threads > 1 else ''}" if name == CPU else name
    if name == choice.names[0]:
        return f"{on}: {choice.reason}"
    return f"{on}: {choice.names[0]} was chosen ({choice.reason}) and cannot be opened"


def _rung(device: Device, request: Request) -> Rung:
    before = _identity(request.model.path)

    def open_it() -> Mapping[str, Runner]:
        if _identity(request.model.path) != before:
            raise DeviceError(
                f"{request.model.path} is not the file any more that was opened at first", hint="Start anew with it."
            )
        return device.open(request)

    return Rung(request.name, open_it, accelerates=request.name.partition(":")[0] != CPU)


def _identity(path: str) -> tuple[int, int, int] | None:
    """What tells a file from one that is put in its place; None where there is none."""
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _open_first(rungs: Sequence[Rung]) -> tuple[int, Mapping[str, Runner]]:
    """The number of the first device that works, and what it gave."""
    failures: dict[str, EdgeKitError] = {}
    for at, rung in enumerate(rungs):
        try:
            return at, rung.open()
        except EdgeKitError as error:
            if len(rungs) == 1:
                raise
            failures[rung.name] = error
            if at + 1 < len(rungs):
                warnings.warn(f"{rung.name} cannot be used, trying {rungs[at + 1].name}: {error.message}", stacklevel=4)
    raise _none_works(failures)


def _check_twin(model: ModelFile, rungs: Sequence[Rung]) -> None:
    """Say at once, and not when it is needed, that the processor could not take over."""
    for rung in rungs[1:]:
        if model.is_edgetpu and not rung.accelerates:
            try:
                read_twin(model)
            except EdgeKitError as error:
                warnings.warn(f"{rung.name} could not take over from {rungs[0].name}: {error.message}", stacklevel=4)


def _options_of(device: Device, given: Mapping[str, str], devices: Sequence[Device]) -> dict[str, str]:
    """The user's options for a device; one that takes any gets those that no other device knows by name."""
    known = {option.name for other in devices for option in other.options or ()}
    return {
        name: value for name, value in given.items()
        if (name not in known if device.options is None else _option(device, name))
    }


def _find(wanted: str) -> Device:
    if wanted.partition(":")[0] == CPU:
        from edgekit.cpu_device import PROCESSOR  # which imports this module

        return PROCESSOR
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
