"""What Home Assistant needs to show the results of a topic (its MQTT discovery): one message for each value.

https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from edgekit.results import Result, to_json

PREFIX = "homeassistant"
_TIMES = {
    "inference": ("Inference time", "{{ value_json.latency_ms.inference }}"),
    "age": ("Age of results", "{{ value_json.age_ms }}"),
}


def discovery(result: Result, topic: str, status_topic: str) -> list[tuple[str, str]]:
    """Topics and payloads, to be retained, for a device that shows results like this one.

    Args:
        result: Tells which values there are.
        topic: Where results go.
        status_topic: Where `online` and `offline` go.
    """
    node = re.sub(r"[^A-Za-z0-9_-]", "_", topic)
    device = {"identifiers": [f"edgekit_{node}"], "name": f"EdgeKit {topic}", "manufacturer": "EdgeKit"}
    found = []
    for component, name, entity in (*_values(result.payload()), *_diagnostics()):
        about = {
            **entity,
            "unique_id": f"edgekit_{node}_{name}",
            "state_topic": topic,
            "availability_topic": status_topic,
            "device": device,
        }
        found.append((f"{PREFIX}/{component}/{node}/{name}/config", to_json(about, separators=(",", ":"))))
    return found


def _values(payload: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Component, name and settings of each value of a task."""
    if "objects" in payload:
        yield "sensor", "objects", {"name": "Objects", "value_template": "{{ value_json.objects | count }}"}
        yield from _best("objects")
    if "classes" in payload:
        yield from _best("classes")
    if "is_anomaly" in payload:
        template = "{{ 'ON' if value_json.is_anomaly else 'OFF' }}"
        yield "binary_sensor", "anomaly", {
            "name": "Anomaly", "device_class": "problem", "value_template": template,
        }
        yield "sensor", "score", {"name": "Score", "value_template": "{{ value_json.score }}"}
    for found in (payload.get("mask") or {}).get("classes", ()):
        index = int(found["index"])
        share = f"value_json.mask.classes | selectattr('index', 'eq', {index}) | map(attribute='share') | sum"
        yield "sensor", f"share_{index}", {
            "name": f"Share of {found['label'] or index}", "unit_of_measurement": "%",
            "value_template": f"{{{{ (({share}) * 100) | round(1) }}}}",
        }


def _best(key: str) -> Iterator[tuple[str, str, dict[str, str]]]:
    best = f"value_json.{key}[0]"
    yield "sensor", "label", {
        "name": "Label", "value_template": f"{{{{ ({best}.label or {best}.index) if value_json.{key} else 'none' }}}}",
    }
    yield "sensor", "score", {
        "name": "Score", "unit_of_measurement": "%",
        "value_template": f"{{{{ (({best}.score or 0) * 100) | round(1) if value_json.{key} else 0 }}}}",
    }


def _diagnostics() -> Iterator[tuple[str, str, dict[str, str]]]:
    for name, (title, template) in _TIMES.items():
        yield "sensor", name, {
            "name": title, "value_template": template, "unit_of_measurement": "ms", "entity_category": "diagnostic",
        }
