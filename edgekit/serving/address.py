"""Where to listen."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass

from edgekit.errors import UsageError

LOOPBACK = "127.0.0.1"
_ADDRESS = re.compile(r"(?:(?P<host>\[[0-9a-fA-F:.]+\]|[^:\[\]/\s]+)?:)?(?P<port>\d{1,5})")


@dataclass(frozen=True, slots=True)
class Address:
    """Host and port to listen on.

    Attributes:
        host: A name or address, IPv6 without brackets.
        port: 0 for any that is free.
    """

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def family(self) -> socket.AddressFamily:
        """IPv6 where the host is such an address."""
        return socket.AF_INET6 if ":" in self.host else socket.AF_INET

    def url(self, port: int) -> str:
        """What to open in a browser, on this machine or, for an address of all networks, from elsewhere."""
        host = _own_address(self.family) if self.host in ("0.0.0.0", "::") else self.host
        return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def _own_address(family: socket.AddressFamily) -> str:
    """The address that others see, as the routes to anywhere else tell; nothing is sent for that."""
    elsewhere = "2001:db8::1" if family == socket.AF_INET6 else "192.0.2.1"  # addresses of documentation
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((elsewhere, 9))
            return str(probe.getsockname()[0])
        except OSError:  # no network yet
            return socket.gethostname()


def parse_address(text: str) -> Address:
    """Read `PORT` or `HOST:PORT`; without a host it is 127.0.0.1.

    Raises:
        UsageError: it is neither.
    """
    found = _ADDRESS.fullmatch(text.strip())
    if not found or int(found["port"]) > 65535:
        raise UsageError(f"'{text}' is no address to serve on", hint="Give PORT or HOST:PORT, such as 8080.")
    return Address((found["host"] or LOOPBACK).strip("[]"), int(found["port"]))
