"""The HTTP server: which answer a path gets, and what is refused."""

from __future__ import annotations

import logging
import socket
import socketserver
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from edgekit.errors import MissingDependencyError, OutputError
from edgekit.serving import streams
from edgekit.serving.access import Access
from edgekit.serving.html import CONTENT_SECURITY_POLICY

MOST_STREAMS = 32
"""Viewers of pictures and of events at a time; a page has one of each, and one more for each further source."""
MOST_CONNECTIONS = 64
SILENCE_SECONDS = 10.0
"""A viewer that says or takes nothing for so long is sent away."""
SEND_BUFFER = 128 * 1024
"""Bytes on their way to a viewer: no more than a few pictures, so that a slow one does not see old ones."""

_LOG = logging.getLogger("edgekit.serving")
_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Connection": "close",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a path gets.

    Attributes:
        kind: Its content type.
        body: All of it, or its pieces as they come.
        status: OK, or why not.
    """

    kind: str
    body: bytes | Iterable[bytes]
    status: HTTPStatus = HTTPStatus.OK


Closed = Callable[[], bool]
Route = Callable[[dict[str, str], Closed], Answer]
"""Makes the answer for the options of a query; the function tells whether the viewer has gone."""


class Server(ThreadingHTTPServer):
    """Answers in threads, of which there are not more than so many.

    Args:
        access: Where to listen, and who may look.
        routes: Answers by path.

    Raises:
        OutputError: the address cannot be listened on.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 32

    def __init__(self, access: Access, routes: dict[str, Route]) -> None:
        self.access, self.routes = access, routes
        self.address_family = access.address.family
        self.streams = threading.BoundedSemaphore(MOST_STREAMS)
        self._connections = threading.BoundedSemaphore(MOST_CONNECTIONS)
        try:
            super().__init__((access.address.host, access.address.port), _Handler)
        except OSError as error:
            raise OutputError(
                f"cannot serve on {access.address.host}:{access.address.port}: {error.strerror or error}",
                hint="Give another port; 0 takes any that is free.",
            ) from error

    def server_bind(self) -> None:
        """Bind, without asking name servers what this machine is called, as the library does."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.access.address.host, int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread, unless there are too many."""
        if not self._connections.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection, in its thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._connections.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log what failed for one viewer, in one line. One that goes away is no error."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            _LOG.warning("a request of %s failed: %s: %s", client_address[0], type(error).__name__, error)


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    timeout = SILENCE_SECONDS

    def setup(self) -> None:
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        super().setup()

    def version_string(self) -> str:
        return "edgekit"

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a request may hold the token."""

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """A short text; for a method other than GET and HEAD that it is not allowed."""
        if code == HTTPStatus.NOT_IMPLEMENTED:
            code = HTTPStatus.METHOD_NOT_ALLOWED
        self._refuse(HTTPStatus(code))

    def _answer(self) -> None:
        refused = self.server.access.refusal(self.headers)
        if refused:
            return self._refuse(refused)
        split = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(split.query).items()}
        route = self.server.routes.get(split.path)
        if not self.server.access.allows(self.headers, query.get("token", "")) and split.path != "/healthz":
            return self._refuse(HTTPStatus.UNAUTHORIZED)
        if self.server.access.token and "token" in query:
            return self._remember(split.path)
        if route is None:
            return self._refuse(HTTPStatus.NOT_FOUND)
        try:
            return self._send(route(query, lambda: streams.is_gone(self.connection)))
        except MissingDependencyError as error:
            return self._send(Answer("text/plain; charset=utf-8", str(error).encode(), HTTPStatus.NOT_IMPLEMENTED))

    def _send(self, answer: Answer) -> None:
        if isinstance(answer.body, bytes):
            self._head(answer.status, answer.kind, {"Content-Length": str(len(answer.body))})
            if self.command != "HEAD":
                self.wfile.write(answer.body)
        elif not self.server.streams.acquire(blocking=False):
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE)
        else:
            try:
                self._stream(answer.status, answer.kind, answer.body)
            finally:
                self.server.streams.release()

    def _stream(self, status: HTTPStatus, kind: str, pieces: Iterable[bytes]) -> None:
        self._head(status, kind)
        if self.command != "HEAD":
            for piece in pieces:
                self.wfile.write(piece)

    def _remember(self, path: str) -> None:
        """Put the token into a cookie, and take it out of the address."""
        target = path if path in self.server.routes else "/"
        self._head(
            HTTPStatus.SEE_OTHER, "text/plain",
            {"Location": target, "Set-Cookie": self.server.access.cookie, "Content-Length": "0"},
        )

    def _refuse(self, status: HTTPStatus) -> None:
        body = f"{status.value} {_REASONS.get(status, status.phrase)}\n".encode()
        more = {"Content-Length": str(len(body))}
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            more["Allow"] = "GET, HEAD"
        if status == HTTPStatus.UNAUTHORIZED:
            more["WWW-Authenticate"] = "Bearer"
        self._head(status, "text/plain; charset=utf-8", more)
        if self.command != "HEAD":
            self.wfile.write(body)

    def _head(self, status: HTTPStatus, kind: str, more: dict[str, str] | None = None) -> None:
        self.close_connection = True
        self.send_response(status)
        for name, value in {**_HEADERS, "Content-Type": kind, **(more or {})}.items():
            self.send_header(name, value)
        self.end_headers()


_REASONS = {
    HTTPStatus.FORBIDDEN: "This name or page has no business here.",
    HTTPStatus.UNAUTHORIZED: "The token is missing or wrong. Open the address that edgekit printed when it started.",
    HTTPStatus.NOT_FOUND: "There is /, /stream.mjpg, /frame.jpg, /events, /latest.json, /metrics and /healthz.",
    HTTPStatus.METHOD_NOT_ALLOWED: "There is only reading here.",
    HTTPStatus.SERVICE_UNAVAILABLE: "There are too many viewers.",
}
