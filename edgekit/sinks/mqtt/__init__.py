"""Results to an MQTT broker, over a spool on disk that survives the broker's outages and our own end."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from edgekit.choices import one_of
from edgekit.errors import UsageError
from edgekit.folders import state_folder
from edgekit.mqtt import Broker, import_paho, parse_broker
from edgekit.sinks.mqtt.sink import MqttEventSink, MqttSink
from edgekit.spool import Spool
from edgekit.spool.spool import MOST_MESSAGES
from edgekit.uris import number_of

__all__ = ["MqttEventSink", "MqttSink", "open_mqtt"]

OPTIONS = frozenset({"discovery", "events", "spool", "messages"})
YES, NO = "yes", "no"
DISCOVERIES = ("homeassistant",)


def open_mqtt(uri: str) -> MqttSink:
    """Open the spool of a broker and topic, and start the thread that sends what is in it.

    Args:
        uri: `mqtt://[user[:password]@]host[:port]/topic` or `mqtts://…`, with `?discovery=homeassistant`,
            `events=yes` (to `TOPIC/events`), `spool=FOLDER`, `messages=N` (kept at most; 100,000 by default) or
            `ca=FILE`. The broker need not be there yet.

    Raises:
        UsageError: the URI is none, or another process uses the spool.
        OutputError: the spool cannot be read or written.
        MissingDependencyError: paho-mqtt is not installed.
    """
    broker, discovery, most = _parsed(uri)
    folder = Path(broker.options.get("spool") or default_spool(broker))
    kind = MqttEventSink if broker.options.get("events") == YES else MqttSink
    return kind(broker, Spool(folder, most_messages=most), discovery=discovery)


def check(uri: str) -> None:
    """See whether a URI is one, and what it needs is installed.

    Raises:
        UsageError: it is none.
        MissingDependencyError: paho-mqtt is not installed.
    """
    _parsed(uri)


def _parsed(uri: str) -> tuple[Broker, str, int]:
    """The broker, whose discovery is wanted, and how many messages are kept."""
    broker = parse_broker(uri, OPTIONS)
    if set("+#") & set(broker.topic):
        raise UsageError(f"{broker.shown}: nothing can be published to a topic with + or #")
    discovery = one_of("discovery", broker.options.get("discovery", DISCOVERIES[0]), DISCOVERIES)
    one_of("events", broker.options.get("events", NO), (YES, NO))
    most = int(number_of(uri, dict(broker.options), "messages", MOST_MESSAGES, least=1))
    import_paho()
    return broker, discovery if "discovery" in broker.options else "", most


def default_spool(broker: Broker) -> Path:
    """A folder for this broker and topic, whoever the user is."""
    name = f"{broker.host}-{broker.port}-{broker.topic}"
    readable = re.sub(r"[^A-Za-z0-9.-]+", "-", name)[:60]
    return state_folder() / "spool" / f"{readable}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
