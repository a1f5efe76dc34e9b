"""Who may look: the token, the cookie that stands for it, and the names by which this machine may be called."""

from __future__ import annotations

import hmac
import ipaddress
import os
import secrets
import socket
import stat
from dataclasses import dataclass
from email.message import Message
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from pathlib import Path

from edgekit.errors import OutputError, UsageError
from edgekit.folders import state_folder
from edgekit.serving.address import Address

COOKIE = "edgekit-token"
TOKEN_BYTES = 24
LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Access:
    """What a request must show.

    Attributes:
        address: What is listened on.
        token: Empty where none is needed, since only this machine can ask.
    """

    address: Address
    token: str = ""

    def refusal(self, headers: Message[str, str]) -> HTTPStatus | None:
        """Why a request is refused by its headers alone; None where it is not.

        A page elsewhere on the web can make a browser ask us, also under a name of its own that leads here (DNS
        rebinding); the browser then says so in `Host` and `Sec-Fetch-Site`.
        """
        if not self._is_our_name(headers.get("Host", "")):
            return HTTPStatus.FORBIDDEN
        if headers.get("Sec-Fetch-Site") == "cross-site" and headers.get("Sec-Fetch-Mode") != "navigate":
            return HTTPStatus.FORBIDDEN
        return None

    def allows(self, headers: Message[str, str], given: str = "") -> bool:
        """Whether the token is there: in the query, as a bearer token, or in the cookie."""
        if not self.token:
            return True
        bearer = headers.get("Authorization", "")
        shown = (given, bearer.removeprefix("Bearer ") if bearer.startswith("Bearer ") else "", _cookie(headers))
        # All are compared, each in constant time, so that nothing can be learnt from how long it takes.
        return sum(hmac.compare_digest(one.encode(), self.token.encode()) for one in shown) > 0

    @property
    def cookie(self) -> str:
        """The header that makes a browser remember the token."""
        return f"{COOKIE}={self.token}; HttpOnly; SameSite=Lax; Path=/"

    def _is_our_name(self, host: str) -> bool:
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        name = name.strip("[]").lower()
        if self.address.is_loopback:
            return name in LOCAL_NAMES or name == self.address.host.lower()
        if name in (*LOCAL_NAMES, self.address.host.lower()) or name.partition(".")[0] == _own_name():
            return True
        try:
            ipaddress.ip_address(name)  # a number cannot be made to lead elsewhere
        except ValueError:
            return False
        return True


def _own_name() -> str:
    """What this machine is called, in whatever domain."""
    return socket.gethostname().lower().partition(".")[0]


def _cookie(headers: Message[str, str]) -> str:
    try:
        found = SimpleCookie(headers.get("Cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


def token_path() -> Path:
    """The file that holds the token of this device."""
    return state_folder() / "serve-token"


def stored_token() -> str:
    """The token of this device, made at random the first time and readable to its owner only.

    Raises:
        UsageError: others may read the file.
        OutputError: it cannot be read or written.
    """
    path = token_path()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            return _read(path)
        with os.fdopen(file, "w") as new:
            token = secrets.token_urlsafe(TOKEN_BYTES)
            new.write(token)
            return token
    except OSError as error:
        raise OutputError(f"the token in {path} cannot be kept: {error.strerror or error}") from error


def _read(path: Path) -> str:
    with path.open() as file:
        if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
            raise UsageError(f"others may read the token in {path}", hint="Delete the file, and a new one is made.")
        token = file.read().strip()
    if len(token) < TOKEN_BYTES:
        raise UsageError(f"{path} holds no token", hint="Delete the file, and a new one is made.")
    return token
