"""The measuring itself: everybody is opened, and then runs in turn, round by round."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from functools import partial
from os import PathLike
from statistics import median

from edgekit._version import __version__
from edgekit.errors import DeviceError, EdgeKitError, UsageError
from edgekit.telemetry import Telemetry
from edgekit_devices.bench.contender import Contender
from edgekit_devices.bench.processes import Others
from edgekit_devices.bench.subjects import subjects_of
from edgekit_devices.bench.types import TOTAL, Benchmark, Measured
from edgekit_devices.boards import board
from edgekit_devices.telemetry import Sampler

SECONDS = 10.0
ROUNDS = 20
OPERATION_SECONDS = 4.0
BUSY = 0.1
"""Processors kept busy by others from which the figures are doubtful."""
SLOWER = 0.9
"""Share of the first rounds' clock below which that of the last rounds counts as lowered."""

Tell = Callable[[str], None]
"""Told what is done now, in a line."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How long is measured.

    Attributes:
        seconds: For each subject, at least.
        runs: Instead of that, how often; None for by time.
        operations: Whether each operation is timed, too.
    """

    seconds: float = SECONDS
    runs: int | None = None
    operations: bool = True

    @property
    def rounds(self) -> int:
        """Into how many rounds that is cut."""
        return ROUNDS if self.runs is None else min(ROUNDS, self.runs)

    def runs_of(self, number: int) -> int:
        """Runs of a round; 0 where it goes by time."""
        if self.runs is None:
            return 0
        return self.runs // self.rounds + (number < self.runs % self.rounds)

    @property
    def round_seconds(self) -> float:
        """Length of a round; 0 where it goes by runs."""
        return 0.0 if self.runs is not None else self.seconds / ROUNDS

    def is_done(self, number: int, measured: Iterable[Measured]) -> bool:
        """Whether that many rounds are enough."""
        if self.runs is not None:
            return number >= self.rounds
        return all(float(one.times(TOTAL).sum()) >= self.seconds * 1000 for one in measured)


def bench(
    models: Sequence[str | PathLike[str]], devices: Sequence[str] = ("auto",), *, source: str = "",
    threads: int | None = None, device_options: Mapping[str, str] | None = None, normalize: str | None = None,
    plan: Plan | None = None, tell: Tell = lambda _text: None,
) -> Benchmark:
    """Measure every model on every device, each in a process of its own, in turn.

    Args:
        models: Paths of `.tflite` or `.onnx` files.
        devices: As for `edgekit.load`.
        source: Where samples come from, as for `edgekit run`: the first 16; empty for noise.
        threads: Threads of the processor.
        device_options: Options of the devices; each gets those that it takes.
        normalize: How pixels are normalized, where the files do not say it.
        plan: How long is measured.
        tell: Told what is done now.

    Returns:
        Also where some could not be measured, whose `error` says why; and after Ctrl-C, as far as it came.

    Raises:
        MissingFileError, ModelFileError: a model is none.
        UsageError: two subjects are the same, or none of the devices takes an option.
        EdgeKitError: the one subject that there is, or every one of them, cannot be opened.
    """
    subjects = subjects_of(models, devices, source, threads, device_options, normalize)
    with ExitStack() as stack:
        contenders = [stack.enter_context(closing(Contender(subject))) for subject in subjects]
        return _Bench(contenders, plan or Plan(), tell).carry_out()


class _Bench:
    """One measuring, from opening to the last operation."""

    def __init__(self, contenders: Sequence[Contender], plan: Plan, tell: Tell) -> None:
        self._contenders, self._plan, self._tell = contenders, plan, tell
        self._sampler = Sampler()
        self._throttled: dict[str, None] = {}
        self._clocks: list[float] = []
        self._failures: list[EdgeKitError] = []

    def carry_out(self) -> Benchmark:
        interrupted = False
        self._each("opening", lambda contender: contender.open())
        self._refuse_where_none_opens()
        before = after = self._sampler()
        try:
            self._warm_up()
            before = after = self._sampler()
            after = self._rounds(after)
            if self._plan.operations:
                seconds, runs = OPERATION_SECONDS, self._plan.runs or 0
                self._each("timing the operations of", lambda contender: contender.operations(seconds, runs))
        except KeyboardInterrupt:
            if not any(contender.measured.rounds for contender in self._contenders):
                raise
            interrupted = True
        measured = tuple(contender.measured for contender in self._contenders)
        throttled = tuple(self._throttled)
        warnings = tuple(_doubts(measured, self._clocks, throttled))
        return Benchmark(_machine(), measured, before, after, throttled, interrupted, warnings)

    def _warm_up(self) -> None:
        seconds, runs = (0.0 if self._plan.runs else self._plan.seconds), self._plan.runs or 0
        self._each("warming up", lambda contender: contender.warm_up(seconds, runs))

    def _rounds(self, telemetry: Telemetry) -> Telemetry:
        """All rounds; every second one the other way round, so that a slow change of the machine hits all alike."""
        number = 0
        while not self._plan.is_done(number, [one.measured for one in self._running()]):
            doing = f"round {number + 1} of about {self._plan.rounds}:"
            self._each(doing, partial(self._round, number), backwards=number % 2 == 1)
            telemetry = self._sampler()
            self._throttled.update(dict.fromkeys(telemetry.throttled))
            self._clocks += [telemetry.processor_clock] if telemetry.processor_clock else []
            number += 1
        return telemetry

    def _round(self, number: int, contender: Contender) -> None:
        others = Others()
        contender.run(self._plan.round_seconds, self._plan.runs_of(number))
        foreign = others.since()
        if foreign is not None:
            contender.measured.foreign.append(foreign)

    def _running(self) -> list[Contender]:
        return [contender for contender in self._contenders if contender.running]

    def _each(self, doing: str, act: Callable[[Contender], None], *, backwards: bool = False) -> None:
        """Do something with each that has not failed; one that fails is left out from then on."""
        running = self._running()
        for contender in reversed(running) if backwards else running:
            self._tell(f"{doing} {contender.measured.name}{_so_far(contender.measured)}")
            try:
                act(contender)
            except EdgeKitError as error:
                contender.measured.error = str(error)
                self._failures.append(error)
                contender.close()

    def _refuse_where_none_opens(self) -> None:
        if self._running():
            return
        if len(self._failures) == 1:
            raise self._failures[0]
        kind = UsageError if all(isinstance(error, UsageError) for error in self._failures) else DeviceError
        reasons = "\n".join(f"{one.measured.name}: {one.measured.error}" for one in self._contenders)
        raise kind(f"nothing could be opened\n{reasons}")


def _so_far(measured: Measured) -> str:
    return f", {measured.medians('inference')[-1]:.3g} ms" if measured.rounds else ""


def _doubts(measured: Sequence[Measured], clocks: Sequence[float], throttled: Sequence[str]) -> Iterable[str]:
    """What makes the figures doubtful, in sentences."""
    busy = max((one.others or 0.0 for one in measured), default=0.0)
    if busy > BUSY:
        yield f"other programs kept {busy:.1f} processors busy meanwhile: the figures are too high, and ratios doubtful"
    if throttled:
        causes = ", ".join(throttled)
        yield f"the device slowed itself down ({causes}): cool it, or see to its supply, and measure again"
    quarter = len(clocks) // 4
    if quarter and median(clocks[-quarter:]) < SLOWER * median(clocks[:quarter]):
        first, last = median(clocks[:quarter]), median(clocks[-quarter:])
        yield f"the processor's clock fell from {first:.0f} to {last:.0f} MHz while it was measured"


def _machine() -> dict[str, object]:
    """What the figures hold for."""
    here = board()
    return {
        "board": here.name, "profile": here.profile.id, "system": here.system, "release": here.release,
        "machine": here.machine, "cores": here.cores, "memory": here.memory, "edgekit": __version__,
        "runtime": _runtime(), "python": platform.python_version(),
        "published": [asdict(latency) for latency in here.profile.latencies],
    }


def _runtime() -> str:
    from importlib.metadata import PackageNotFoundError, version

    for name in ("ai-edge-litert", "tflite-runtime"):
        try:
            return f"{name} {version(name)}"
        except PackageNotFoundError:
            continue
    return ""
