"""MQTT brokers as URIs, and clients for them: `mqtt://[user[:password]@]host[:port]/topic`, `mqtts://` for TLS."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from edgekit.errors import MissingDependencyError, MissingFileError, UsageError
from edgekit.uris import parts_of, redacted

if TYPE_CHECKING:
    from paho.mqtt.client import Client

PORT, TLS_PORT = 1883, 8883
USER_VARIABLE, PASSWORD_VARIABLE = "EDGEKIT_MQTT_USER", "EDGEKIT_MQTT_PASSWORD"
MOST_TOPIC_BYTES = 65535


@dataclass(frozen=True, slots=True)
class Broker:
    """Where a broker is, and what is said or heard there.

    Attributes:
        host: Name or address.
        port: TCP.
        topic: Without the slash that begins the path of a URI.
        tls: Whether the connection is encrypted and the broker's certificate checked.
        ca: File of the certificates that are trusted; empty for those of the system.
        user: Empty for none.
        password: Empty for none.
        shown: The URI without what is secret.
        options: What else its query says.
    """

    host: str
    port: int
    topic: str
    tls: bool = False
    ca: str = ""
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    shown: str = ""
    options: Mapping[str, str] = field(default_factory=dict)


def parse_broker(uri: str, options: frozenset[str] = frozenset()) -> Broker:
    """Take a URI apart. User and password come from it, or from `EDGEKIT_MQTT_USER` and `EDGEKIT_MQTT_PASSWORD`.

    Args:
        uri: `mqtt://` or `mqtts://`. What is special in a user, password or topic is written with %.
        options: Names allowed in its query, beside `ca`.

    Raises:
        UsageError: it has no host or topic, or an option that is none.
        MissingFileError: the file of certificates is not there.
    """
    _, found = parts_of(uri, options | {"ca"})
    split, shown = urlsplit(uri), redacted(uri)
    try:
        port = split.port
    except ValueError:
        raise UsageError(f"{shown}: the port has to be a number from 1 to 65535") from None
    topic = unquote(split.path).removeprefix("/")
    if not split.hostname or not topic:
        raise UsageError(
            f"{shown} names no {'topic' if split.hostname else 'broker'}", hint="Write it as mqtt://HOST/TOPIC."
        )
    if len(topic.encode()) > MOST_TOPIC_BYTES or "\0" in topic:
        raise UsageError(f"{shown}: the topic is too long, or has a character that MQTT forbids")
    ca, tls = found.pop("ca", ""), split.scheme == "mqtts"
    if ca and not os.path.isfile(ca):  # noqa: PTH113
        raise MissingFileError(f"no such file: {ca}", hint="ca= names a PEM file with the certificates to trust.")
    if ca and not tls:
        raise UsageError(f"{shown} has ca= and no TLS", hint="Write it with mqtts://.")
    return Broker(
        split.hostname, port or (TLS_PORT if tls else PORT), topic, tls, ca,
        unquote(split.username or "") or os.environ.get(USER_VARIABLE, ""),
        unquote(split.password or "") or os.environ.get(PASSWORD_VARIABLE, ""), shown, found,
    )


def import_paho() -> ModuleType:
    """The client of paho-mqtt 2.

    Raises:
        MissingDependencyError: it is not installed, or older.
    """
    try:
        from paho.mqtt import client
    except ImportError as error:
        raise _missing(str(error)) from error
    if not hasattr(client, "CallbackAPIVersion"):
        raise _missing("the version installed is older than 2.1")
    return client


def new_client(broker: Broker, client_id: str = "") -> Client:
    """A client that is not connected yet, with the user, password and certificates of a broker.

    Args:
        broker: Where it will connect to.
        client_id: Unique at the broker; empty lets the broker choose.

    Raises:
        MissingDependencyError: paho-mqtt is not installed.
        UsageError: the file of certificates is none.
    """
    paho = import_paho()
    client: Client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=client_id, protocol=paho.MQTTv311)
    if broker.user or broker.password:
        client.username_pw_set(broker.user, broker.password or None)
    if broker.tls:
        try:
            client.tls_set_context(ssl.create_default_context(cafile=broker.ca or None))
        except (ssl.SSLError, OSError) as error:
            raise UsageError(f"{broker.ca} has no certificates: {error}", hint="Give a PEM file.") from error
    return client


def _missing(reason: str) -> MissingDependencyError:
    return MissingDependencyError(
        f"MQTT needs paho-mqtt, which cannot be imported ({reason})",
        hint="Install it with pip install 'edgekit-sdk[mqtt]'.",
    )
