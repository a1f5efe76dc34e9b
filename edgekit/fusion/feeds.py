"""Sources that follow another one: kept so far that a moment of that one lies behind them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from typing import Any, Protocol

from edgekit.fusion.joining import History, Match
from edgekit.sources.types import Event, Problem, Sample
from edgekit.windows.types import Block

Notice = Event | Problem
END_SECONDS = 1.0


class Feed(Protocol):
    """A source that follows."""

    def match(self, moment: float) -> Match | None:
        """What goes with a moment; None where there is nothing."""
        ...

    def notices(self) -> list[Notice]:
        """What happened since it was last asked."""
        ...

    def close(self) -> None:
        """Let go of the source."""
        ...


class RecordedFeed:
    """A recording, read as far as each moment needs."""

    def __init__(self, items: Iterator[Any], history: History) -> None:
        self._items, self._history = items, history
        self._notices: list[Notice] = []
        self.lost = 0

    def match(self, moment: float) -> Match | None:
        """As in `Feed`."""
        while self._history.newest < moment:
            item = next(self._items, None)
            if item is None:
                break
            if isinstance(item, (Block, Sample)):
                self._history.add(item)
            else:
                self._notices.append(item)
        return self._history.at(moment)

    def notices(self) -> list[Notice]:
        """As in `Feed`."""
        found, self._notices = self._notices, []
        return found

    def close(self) -> None:
        """As in `Feed`."""
        close = getattr(self._items, "close", None)
        if close is not None:
            close()


class LiveFeed:
    """A live source, read in a thread of its own.

    Args:
        source: What has `stop`, where it has it.
        items: Its blocks or samples.
        history: Where they are kept.
        wait: Seconds that a moment is waited for. One that fell silent is not waited for again before it speaks.
        called: Name of the thread.
    """

    def __init__(self, source: Any, items: Iterator[Any], history: History, wait: float, called: str) -> None:
        self._source, self._items, self._history, self._wait = source, items, history, wait
        self._changed = threading.Condition()
        self._notices: deque[Notice] = deque(maxlen=1000)
        self._error: BaseException | None = None
        self._ended = self._silent = False
        self._thread = threading.Thread(target=self._read, name=f"edgekit reader of {called}", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            for item in self._items:
                with self._changed:
                    self._keep(item)
                    self._changed.notify_all()
                if self._ended:
                    break
        except BaseException as error:  # raised again where a moment is asked for
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _keep(self, item: Any) -> None:
        if isinstance(item, (Block, Sample)):
            self._history.add(item)
            self._silent = False
            return
        if isinstance(item, Event) and item.kind == "clock" and hasattr(self._history, "clear"):
            self._history.clear()
        self._notices.append(item)

    def match(self, moment: float) -> Match | None:
        """As in `Feed`.

        Raises:
            BaseException: what ended the source, where it failed.
        """
        with self._changed:
            if not self._silent:
                reached = self._changed.wait_for(lambda: self._ended or self._history.newest >= moment, self._wait)
                self._silent = not reached
            if self._error is not None:
                raise self._error
            return self._history.at(moment)

    def notices(self) -> list[Notice]:
        """As in `Feed`."""
        with self._changed:
            found = list(self._notices)
            self._notices.clear()
            return found

    def close(self) -> None:
        """As in `Feed`."""
        with self._changed:
            self._ended = True
        stop = getattr(self._source, "stop", None)
        if stop is not None:
            stop()
        self._thread.join(END_SECONDS)
