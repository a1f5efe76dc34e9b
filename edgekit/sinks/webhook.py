"""Results posted as JSON to a web server, by a thread of their own."""

from __future__ import annotations

import base64
import os
import secrets
import threading
from collections import deque
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from urllib.parse import quote, unquote, urlsplit

from edgekit.errors import UsageError
from edgekit.results import Result, to_json
from edgekit.sinks.reporting import log_event
from edgekit.sinks.types import EventHandler, SinkCounts
from edgekit.sources.live import Backoff
from edgekit.sources.types import Event
from edgekit.uris import redacted

QUEUE_LENGTH = 1000
"""Results that wait for the server; the oldest is dropped for one more, and counted."""
ANSWER_SECONDS = 5.0
FLUSH_SECONDS = 1.0
MOST_ANSWER_BYTES = 1 << 20
URL_CHARACTERS = "/?%:@!$&'()*+,;=~-._"
"""What stands for itself in a path and query (RFC 3986); the rest is written with %."""
TOKEN_VARIABLE = "EDGEKIT_WEBHOOK_TOKEN"
TRY_AGAIN = (408, 425, 429)
"""Answers that are no verdict on the result; those from 500 on are none either."""


class WebhookSink:
    """Posts each result, in order. `write` never waits for the server.

    The body is the result's JSON with a `message_id`, which is in the header `Idempotency-Key` too; a result that may
    have arrived before has `"duplicate": true`. A server out of reach, too busy or broken gets the result again, later
    and later; one that refuses it (4xx, or a redirection, which is not followed) does not.

    Args:
        uri: `http://[user:password@]host[:port]/path?query` or `https://…`. Where it names no user,
            `EDGEKIT_WEBHOOK_TOKEN` is sent as a bearer token.
        backoff: How long to wait before the next try.
        answer_seconds: How long a connection and an answer may take.
        on_event: Called from the sink's thread with what happens to the server.

    Raises:
        UsageError: it names no server.
    """

    def __init__(
        self,
        uri: str,
        *,
        backoff: Backoff | None = None,
        answer_seconds: float = ANSWER_SECONDS,
        on_event: EventHandler = log_event,
    ) -> None:
        self.on_event = on_event
        self.shown = redacted(uri)
        self.sent = self.dropped = self.refused = 0
        self._server = _Server(uri, answer_seconds)
        self._backoff = backoff or Backoff()
        self._run_id, self._count = secrets.token_hex(4), 0
        self._waiting: deque[tuple[str, str]] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=f"edgekit sink {self.shown}", daemon=True)
        self._thread.start()

    def write(self, result: Result) -> None:
        """Put one result behind those that wait; the oldest is dropped where they are too many."""
        self._count += 1
        key = f"{self._run_id}-{self._count}"
        body = to_json({**result.to_dict(), "message_id": key}, separators=(",", ":"))
        with self._changed:
            if len(self._waiting) == QUEUE_LENGTH:
                self._waiting.popleft()
                self.dropped += 1
            self._waiting.append((key, body))
            self._changed.notify()

    def counts(self) -> SinkCounts:
        """What waits; what there was no room or time for; what the server refused."""
        return SinkCounts(len(self._waiting), self.dropped, self.refused)

    def close(self) -> None:
        """Wait a moment for what is on its way; what is left then is dropped and told of."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(FLUSH_SECONDS)
        with self._changed:
            left = len(self._waiting)
            self._waiting.clear()
        self.dropped += left
        if self.dropped:
            what = "1 result" if self.dropped == 1 else f"{self.dropped} results"
            self._tell("dropped", f"{what} did not reach the server")

    def _tell(self, kind: str, detail: str = "") -> None:
        self.on_event(Event(self.shown, kind, detail))

    def _run(self) -> None:
        failures = 0
        while (message := self._oldest()) is not None:
            problem = self._server.post(*message, again=failures > 0)
            if problem is None or not problem.passing:
                self._done(message, problem, failures)
                failures = 0
                continue
            failures += 1
            if failures == 1:
                self._tell("lost", problem.reason)
            with self._changed:
                if self._changed.wait_for(lambda: self._closing, self._backoff.pause(failures)):
                    break
        self._server.close()

    def _oldest(self) -> tuple[str, str] | None:
        """The result that has waited longest; None when all are sent and no more will come."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            return self._waiting[0] if self._waiting else None

    def _done(self, message: tuple[str, str], problem: _Problem | None, failures: int) -> None:
        with self._changed:
            if self._waiting and self._waiting[0] == message:  # else there was no room for it meanwhile
                self._waiting.popleft()
        if problem is None:
            self.sent += 1
            if failures:
                self._tell("recovered")
            return
        self.refused += 1
        if self.refused == 1:
            self._tell("refused", problem.reason)


class _Problem:
    """Why a result did not arrive.

    Args:
        reason: One sentence.
        passing: Whether it is worth another try.
    """

    def __init__(self, reason: str, *, passing: bool) -> None:
        self.reason, self.passing = reason, passing


def check(uri: str) -> None:
    """See whether a URI names a server.

    Raises:
        UsageError: it does not.
    """
    _Server(uri, ANSWER_SECONDS)


class _Server:
    """One connection, kept open from post to post."""

    def __init__(self, uri: str, answer_seconds: float) -> None:
        split = urlsplit(uri)
        kind = HTTPSConnection if split.scheme == "https" else HTTPConnection
        try:
            if not split.hostname:
                raise ValueError("no host")
            self._connection = kind(split.hostname, split.port, timeout=answer_seconds)
        except (ValueError, HTTPException) as error:
            raise UsageError(f"{redacted(uri)} names no server", hint="Write it as http://HOST/PATH.") from error
        self._path = quote((split.path or "/") + (f"?{split.query}" if split.query else ""), safe=URL_CHARACTERS)
        self._headers = {"Content-Type": "application/json", "User-Agent": "edgekit", **_authorization(split.netloc)}

    def post(self, key: str, body: str, *, again: bool) -> _Problem | None:
        """Send one result; None where it has arrived. A connection that the server closed meanwhile is opened anew."""
        reused = self._connection.sock is not None
        try:
            try:
                response = self._answer(key, body, again=again)
            except ConnectionError:  # RemoteDisconnected too
                if not reused:
                    raise
                self._connection.close()
                response = self._answer(key, body, again=True)
        except (OSError, HTTPException, UnicodeError) as error:  # the last for a host that is no name
            self._connection.close()
            return _Problem(getattr(error, "strerror", None) or str(error) or type(error).__name__, passing=True)
        if response.status < 300:
            return None
        passing = response.status >= 500 or response.status in TRY_AGAIN
        return _Problem(f"the server answers {response.status} {response.reason}", passing=passing)

    def _answer(self, key: str, body: str, *, again: bool) -> HTTPResponse:
        content = f'{body[:-1]},"duplicate":true}}' if again else body
        self._connection.request("POST", self._path, content.encode(), {**self._headers, "Idempotency-Key": key})
        response = self._connection.getresponse()
        response.read(MOST_ANSWER_BYTES)
        if not response.isclosed():  # an answer that goes on is not waited for
            self._connection.close()
        return response

    def close(self) -> None:
        self._connection.close()


def _authorization(netloc: str) -> dict[str, str]:
    user, at, _ = netloc.rpartition("@")
    if at:
        return {"Authorization": f"Basic {base64.b64encode(unquote(user).encode()).decode()}"}
    token = os.environ.get(TOKEN_VARIABLE, "")
    return {"Authorization": f"Bearer {token}"} if token else {}
