"""Keeps a model running: a device that hangs or fails is opened again, then the next one is, on the same input.

Every step is told as an event of the device:

============= =========================================================================
`hung`        it gave no answer within the time limit
`failed`      it said that it failed, or its process died
`reloaded`    it was opened again, and has the same input now
`refused`     it could not be opened, now that it was needed
`next-device` this one has the input now, and all that follow
`device-lost` none is left: the error goes up
`slow`        its inferences take three times as long as at first, or more
`recovered`   they do not any more
============= =========================================================================
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from edgekit.errors import DeviceError, EdgeKitError, HungError
from edgekit.failover.announcing import Announcer
from edgekit.failover.rung import Level, Place, Rung
from edgekit.failover.watching import within

if TYPE_CHECKING:
    from edgekit.device import Runner

OPEN_SECONDS = 60.0
"""Longest that opening a device may take while samples wait for it."""
LOST_HINT = (
    "Start again, after a power cycle of the device where that does not help. With cpu as the last of several devices, "
    "separated by commas, the processor takes over; a device that is only slow needs a longer inference timeout."
)


def _forget(error: DeviceError) -> None:
    """Have an error hold on to nothing: what it passed through has the device among its variables."""
    from traceback import clear_frames  # 3 ms, for trouble only

    clear_frames(error.__traceback__)


class Seat:
    """Runs samples on the ladder: one for each runner of the device that it began with.

    Attributes:
        name: What gave the last answer.
    """

    def __init__(self, ladder: Ladder, number: int) -> None:
        self._ladder, self._number = ladder, number
        self.name = ladder.level.place(number).name

    @property
    def threads(self) -> int:
        """Threads of the processor that it may use."""
        return self._ladder.level.place(self._number).runner.threads

    def run(self, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """Run the network once, on the first device that can.

        Raises:
            DeviceError: none is left that can.
        """
        while True:
            level = self._ladder.level
            place = level.place(self._number)
            try:
                outputs, news = place.run(inputs)
            except DeviceError as error:
                self._ladder.recover(level, place, error)
                continue
            level.runs += 1
            self.name = place.name
            if news:
                self._ladder.announcer.tell(place.name, *news)
            return outputs

    def reset(self) -> None:
        """Forget what the network remembers of earlier samples."""
        level = self._ladder.level
        place = level.place(self._number)
        try:
            place.runner.reset()
        except DeviceError as error:
            self._ladder.recover(level, place, error)  # what is opened anew remembers nothing


class Ladder:
    """A model on the device that runs it now, and those that may take its place.

    Args:
        rungs: The device that is open, and the others in the order in which they are tried.
        runners: What that device's `open` gave.
        seconds: Longest that one inference may take on an accelerator.
        announcer: Told of every step.
        keeps_state: Whether the network remembers earlier samples, which it does not beyond a step.
        reason: Why the first device was chosen, in one line; empty where the user chose it.

    Attributes:
        level: The rung that is open.
    """

    def __init__(
        self, rungs: Sequence[Rung], runners: Mapping[str, Runner], *, seconds: float, announcer: Announcer,
        keeps_state: bool = False, reason: str = "",
    ) -> None:
        [first, *self._others] = rungs
        self.announcer, self._seconds, self._keeps_state = announcer, seconds, keeps_state
        self.reason = reason
        self._lock = threading.Lock()
        self._lost: DeviceError | None = None
        self.level = Level(first, runners, seconds)

    @property
    def name(self) -> str:
        """The device that runs the model now."""
        return self.level.rung.name

    def seats(self) -> dict[str, Seat]:
        """What runs the model, by the name that results carry at first. They hold the ladder, and it not them."""
        return {place.name: Seat(self, number) for number, place in enumerate(self.level.places)}

    def recover(self, level: Level, place: Place, error: DeviceError) -> None:
        """Have another place to run, once one failed.

        Args:
            level: The rung that was open.
            place: Which of its runners failed.
            error: Why.

        Raises:
            DeviceError: there is no other.
        """
        with self._lock:
            if self.level is not level or place not in level.places:  # another sample failed there before
                return
            if self._lost or not level.rung.accelerates:
                raise self._lost or error
            self._tell(place.name, "hung" if isinstance(error, HungError) else "failed", error)
            _forget(error)
            if len(level.places) > 1 and not level.may_reload:
                self._leave_out(level, place)
                return
            level.let_go()
            reasons: list[EdgeKitError] = [error]
            found = next(self._opened(level, reasons), None)
            if found is None:
                self._lost = self._lost_error(level, reasons)
                raise self._lost
            self.level = found

    def _leave_out(self, level: Level, place: Place) -> None:
        """One of several chips, which failed again after all were opened again."""
        place.let_go()
        level.places = tuple(other for other in level.places if other is not place)
        others = ", ".join(other.name for other in level.places)
        self.announcer.tell(place.name, "device-lost", f"{others} {'takes' if len(level.places) == 1 else 'take'} over")

    def _opened(self, level: Level, reasons: list[EdgeKitError]) -> Iterator[Level]:
        """The same device again, where it may be, and then the others; those that cannot be opened are told of."""
        if level.may_reload:
            yield from self._open(level.rung, reasons, "reloaded", "it was opened again", is_second=True)
        while self._others:
            before, rung = level.rung.name, self._others.pop(0)
            yield from self._open(rung, reasons, "next-device", f"it runs the model in the place of {before}")

    def _open(
        self, rung: Rung, reasons: list[EdgeKitError], kind: str, detail: str, *, is_second: bool = False
    ) -> Iterator[Level]:
        try:
            runners = within(OPEN_SECONDS, rung.name, rung.open) if rung.accelerates else rung.open()
        except EdgeKitError as error:
            self._tell(rung.name, "refused", error)
            reasons.append(error)
            return
        remembered = "; what the network remembered is lost" if self._keeps_state else ""
        self.announcer.tell(rung.name, kind, detail + remembered)
        yield Level(rung, runners, self._seconds, is_second=is_second)

    def _tell(self, name: str, kind: str, error: EdgeKitError) -> None:
        """Tell of an error of a device, which need not name that again."""
        self.announcer.tell(name, kind, error.message.removeprefix(name).removeprefix(":").strip())

    def _lost_error(self, level: Level, reasons: Sequence[EdgeKitError]) -> DeviceError:
        said = "; ".join(dict.fromkeys(error.message for error in reasons))
        self.announcer.tell(level.rung.name, "device-lost", "there is no other device to run the model")
        kind = HungError if all(isinstance(error, HungError) for error in reasons) else DeviceError
        hints = dict.fromkeys(error.hint for error in reasons if error.hint)
        return kind(
            f"the device {level.rung.name} was lost, and there is no other: {said}", hint="\n".join(hints) or LOST_HINT
        )
