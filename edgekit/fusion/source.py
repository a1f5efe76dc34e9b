"""A source whose samples hold something of each of several sources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.features import parse_features
from edgekit.fusion.feeds import Feed, LiveFeed, RecordedFeed
from edgekit.fusion.joining import History, Join, Match, SampleHistory, WindowHistory, moment_of
from edgekit.metadata.types import Window
from edgekit.sources.types import Event, Problem, Sample, Source
from edgekit.uris import redacted
from edgekit.windows.source import shaped
from edgekit.windows.types import Stream
from edgekit.windows.validity import Policy


@dataclass(frozen=True, slots=True)
class Follower:
    """A source that follows the leading one.

    Attributes:
        source: What it is; a stream, or a source of samples.
        join: How it is joined.
        window: Of a stream: what is cut; None for single rows.
        shape: Of the input, without the batch; None leaves what was found as it is.
        invalid: What becomes of values that are NaN or out of range.
    """

    source: Source | Stream
    join: Join
    window: Window | None = None
    shape: tuple[int, ...] | None = None
    invalid: Policy = "drop"

    def feed(self) -> Feed:
        """Begin to read it."""
        source: Any = self.source
        streams = hasattr(source, "blocks")
        history: History = (
            WindowHistory(self.window or Window(1, 1), self.join, self.invalid) if streams else SampleHistory(self.join)
        )
        items: Iterator[Any] = source.blocks() if streams else iter(source)
        if not getattr(source, "live", False):
            return RecordedFeed(items, history)
        wait = 0.0 if self.join.rule == "latest" else self.join.wait
        return LiveFeed(source, items, history, wait, redacted(source.uri))

    def prepare(self, data: NDArray[Any]) -> NDArray[Any]:
        """What the input takes of what was found."""
        if not hasattr(self.source, "blocks"):
            return data
        made = parse_features(self.window.features if self.window else "")(data.astype(np.float32, copy=False))
        return made if self.shape is None else shaped(made, self.shape, self.source.uri)


class Fused:
    """Samples of a leading source, each with what the others had at its moment.

    A moment for which another source has nothing near enough is a problem, and the leading source goes on. How far each
    of the others missed the moment is the sample's `slack`.

    Args:
        lead: The source whose samples give the moments: mostly the camera.
        name: The input that takes them.
        followers: The others, by input name.
    """

    def __init__(self, lead: Source, name: str, followers: Mapping[str, Follower]) -> None:
        self._lead, self._name, self._followers = lead, name, dict(followers)

    @property
    def uri(self) -> str:
        """The leading source's, with the others' after it."""
        return " + ".join([self._lead.uri, *(follower.source.uri for follower in self._followers.values())])

    @property
    def live(self) -> bool:
        """Where the leading source is."""
        return bool(getattr(self._lead, "live", False))

    @property
    def reads_ahead(self) -> bool:
        """Always: several sources take their time."""
        return True

    def stop(self) -> None:
        """Ask the leading source to give no more."""
        stop = getattr(self._lead, "stop", None)
        if stop is not None:
            stop()

    def __iter__(self) -> Iterator[Sample | Problem | Event]:
        with ExitStack() as stack:
            feeds: dict[str, Feed] = {}
            for name, follower in self._followers.items():
                feeds[name] = follower.feed()
                stack.callback(feeds[name].close)
            for item in self._lead:
                if not isinstance(item, Sample):
                    yield item
                    continue
                matches = {name: feed.match(moment_of(item)) for name, feed in feeds.items()}
                for feed in feeds.values():
                    yield from feed.notices()
                yield self._joined(item, matches)

    def _joined(self, sample: Sample, matches: Mapping[str, Match | None]) -> Sample | Problem:
        found = {name: match for name, match in matches.items() if match is not None}
        missing = [name for name in matches if name not in found]
        if missing:
            where = ", ".join(redacted(self._followers[name].source.uri) for name in missing)
            reason = f"nothing of {' and '.join(missing)} ({where}) near its moment"
            return Problem(redacted(sample.source), sample.sequence, reason)
        data = {name: self._followers[name].prepare(match.data) for name, match in found.items()}
        slack = {name: match.slack for name, match in found.items()}
        return replace(sample, data={self._name: np.asarray(sample.data), **data}, slack=slack)
