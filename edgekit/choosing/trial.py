"""A short trial of what a model could run on: whether each gives the processor's results, and how long it takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from edgekit.choosing.agreement import Expected, expect, made_up
from edgekit.choosing.racing import race
from edgekit.choosing.reasons import of
from edgekit.choosing.records import Findings
from edgekit.errors import EdgeKitError, UsageError
from edgekit.failover.watching import Watched, within
from edgekit.interpreter import Engine
from edgekit.tflite import ModelFile

if TYPE_CHECKING:
    from edgekit.device import Runner  # which imports this package

OPEN_SECONDS = 120.0
"""Longest that opening a device may take."""


Open = Callable[[str], "Mapping[str, Runner]"]
"""Opens the model on the device of that name, as `edgekit.device.Device.open` does."""


def try_out(
    model: ModelFile, cpu: str, names: Sequence[str], open_on: Open, seconds: float
) -> tuple[Findings, dict[str, EdgeKitError]]:
    """Run a model on several devices by turns.

    Args:
        model: The file.
        cpu: The device whose results count.
        names: The other devices.
        open_on: Opens it on one of them.
        seconds: Longest that one inference may take.

    Returns:
        What was found, and the failures that may be others another time.
    """
    failures: dict[str, EdgeKitError] = {}
    with ExitStack() as opened:
        runners = {}
        for name in (cpu, *names):
            with _noted(failures, name):
                runners[name] = opened.enter_context(
                    _opened(name, partial(open_on, name), seconds, accelerates=name != cpu)
                )
        different = _different(model, cpu, runners, failures)
        running = {name: it for name, it in runners.items() if name not in failures and name not in different}
        times = _race(model, running, failures)
    unsuited = {name: of(error) for name, error in failures.items() if isinstance(error, UsageError)}
    others = {name: error for name, error in failures.items() if name not in unsuited}
    return Findings(times, tuple(different), unsuited), others


@contextmanager
def _noted(failures: dict[str, EdgeKitError], name: str) -> Iterator[None]:
    try:
        yield
    except EdgeKitError as error:
        failures[name] = error


@contextmanager
def _opened(
    name: str, open_it: Callable[[], Mapping[str, Runner]], seconds: float, *, accelerates: bool
) -> Iterator[Runner]:
    """The first of a device's runners, until it is let go of; what may hang is waited for no longer than its limit."""
    runners = within(OPEN_SECONDS, name, open_it) if accelerates else open_it()
    try:
        runner = next(iter(runners.values()))
        keeps_limit = not accelerates or getattr(runner, "keeps_limit", False)
        yield runner if keeps_limit else Watched(name, runner, seconds)
    finally:
        for held in runners.values():
            close = getattr(held, "close", None)
            if close is not None:
                close()


def _different(
    model: ModelFile, cpu: str, runners: Mapping[str, Runner], failures: dict[str, EdgeKitError]
) -> list[str]:
    """Those whose results are not the processor's; where that cannot run the model, there is nothing to go by."""
    if cpu not in runners:
        return []
    with _noted(failures, cpu):
        expected = _expected(model, runners[cpu])
    found = []
    for name in runners if cpu not in failures else ():
        with _noted(failures, name):
            if name != cpu and not expected.met_by(runners[name]):
                found.append(name)
    return found


def _expected(model: ModelFile, fast: Runner) -> Expected:
    """What the processor gives, held against its plain kernels where they can run the model."""
    try:
        return expect(model.inputs, fast, Engine(model.path, threads=1, kernels="plain"))
    except EdgeKitError:
        return expect(model.inputs, fast, fast)


def _race(
    model: ModelFile, runners: Mapping[str, Runner], failures: dict[str, EdgeKitError]
) -> dict[str, float]:
    """Times of those that do not fail meanwhile."""
    inputs = made_up(model.inputs)

    def run(name: str) -> None:
        try:
            runners[name].run(inputs)
        except EdgeKitError as error:
            failures[name] = error
            raise

    while running := [name for name in runners if name not in failures]:
        try:
            return race({name: partial(run, name) for name in running})
        except EdgeKitError:
            continue
    return {}
