"""Tries where results go, without sending one. Called in child processes."""

from __future__ import annotations

import errno
import os
import socket
import time
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from edgekit.errors import OutputError, UsageError
from edgekit.uris import redacted
from edgekit_devices.isolation import Say

CONNECT_SECONDS = 5.0
FUNCTIONS = f"{__name__}:"


def try_sink(say: Say, *, uri: str) -> dict[str, Any]:
    """See whether a sink takes results, as far as that can be seen without giving it one.

    Returns:
        `how`, what was seen.

    Raises:
        EdgeKitError: what is wrong.
    """
    from edgekit.sinks.opening import check_sink

    say(f"{redacted(uri)} was looked at")
    check_sink(uri)
    scheme = urlsplit(uri).scheme if "://" in uri else ""
    if scheme in ("mqtt", "mqtts"):
        return {"how": _connect_broker(say, uri)}
    if scheme in ("http", "https"):
        return {"how": _connect_server(say, uri)}
    return {"how": "results go there" if uri == "-" or scheme else f"{_folder(uri)} can be written to"}


def _folder(uri: str) -> Path:
    return Path(uri.partition("?events=")[0]).absolute().parent


def _connect_broker(say: Say, uri: str) -> str:
    """Connect as the sink does, and take leave; nothing is published."""
    from edgekit.mqtt import new_client, parse_broker
    from edgekit.sinks.files import check_folder
    from edgekit.sinks.mqtt import OPTIONS, default_spool

    broker = parse_broker(uri, OPTIONS)
    spool = Path(broker.options.get("spool") or default_spool(broker))
    check_folder(next(folder for folder in (spool, *spool.parents) if folder.exists()))
    client = new_client(broker)
    client.connect_timeout = CONNECT_SECONDS
    answers: list[Any] = []
    client.on_connect = lambda _client, _data, _flags, reason, _properties: answers.append(reason)
    say(f"{broker.shown} was connected to")
    try:
        client.connect(broker.host, broker.port)
    except (OSError, ValueError) as error:
        raise OutputError(
            f"{broker.shown}: no broker answers: {getattr(error, 'strerror', None) or error}",
            hint=f"nc -vz {broker.host} {broker.port}   # is it on, and does a firewall let it through?",
        ) from error
    late = time.monotonic() + CONNECT_SECONDS
    while not answers and time.monotonic() < late and client.loop(0.2) == 0:
        pass
    client.disconnect()
    if not answers:
        raise OutputError(f"{broker.shown}: the broker does not answer within {CONNECT_SECONDS:g} s")
    if answers[0].is_failure:
        raise OutputError(f"{broker.shown}: the broker refuses the connection: {answers[0]}",
                          hint="export EDGEKIT_MQTT_USER=... EDGEKIT_MQTT_PASSWORD=...")
    return "the broker accepts the connection"


def _connect_server(say: Say, uri: str) -> str:
    """Open a connection, and the encryption, and ask nothing."""
    split = urlsplit(uri)
    kind = HTTPSConnection if split.scheme == "https" else HTTPConnection
    connection = kind(str(split.hostname), split.port, timeout=CONNECT_SECONDS)
    say(f"{redacted(uri)} was connected to")
    try:
        connection.connect()
    except (OSError, UnicodeError) as error:
        raise OutputError(f"{redacted(uri)}: no server answers: {getattr(error, 'strerror', None) or error}",
                          hint=f"curl -v {redacted(uri)}") from error
    finally:
        connection.close()
    return "the server takes connections"


def try_serving(say: Say, *, address: str) -> dict[str, Any]:
    """See whether the page's port is free.

    Returns:
        `how`, what was seen, and `port`.

    Raises:
        UsageError: it is no address.
        OutputError: the port is taken, not ours, or the address is another machine's.
    """
    from edgekit.serving.address import parse_address

    place = parse_address(address)
    say(f"{address} was listened on")
    with socket.socket(place.family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((place.host, place.port))
        except OSError as error:
            raise _unbound(address, place.port, error) from error
    return {"how": f"port {place.port} is free on {place.host}", "port": place.port}


def _unbound(address: str, port: int, error: OSError) -> OutputError | UsageError:
    if error.errno == errno.EADDRINUSE:
        return OutputError(f"port {port} is taken", hint=f"sudo ss -ltnp 'sport = :{port}'   # by whom")
    if error.errno == errno.EACCES:
        return OutputError(f"only root may listen on port {port}", hint="--serve 8080   # any port from 1024 on")
    return UsageError(f"{address} is no address of this machine: {error.strerror or os.strerror(error.errno or 0)}",
                      hint="hostname -I   # the addresses that it has")
