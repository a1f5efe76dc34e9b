"""What Ultralytics' exporter leaves in a `.tflite` file.

Since 8.1 a member `metadata.json` of the archive, before that `temp_meta.txt`, a Python dictionary: see
ultralytics/engine/exporter.py (`metadata`) and nn/autobackend.py. What is not as expected there is passed
over: the model still runs, and what is missing is asked for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from edgekit.metadata.types import InputMetadata, Metadata, Normalization

FILES = ("metadata.json", "temp_meta.txt")
TASKS = {
    "classify": "classification", "detect": "detection", "segment": "instance-segmentation", "pose": "pose",
}
_LONGEST = 2**20
_INDEX = re.compile("[0-9]{1,5}")
_PASSED_ON = ("date", "stride", "imgsz", "kpt_shape", "docs", "args", "channels", "end2end")
_UNIT = Normalization(mean=(0.0,), std=(255.0,))


def parse_ultralytics(name: str, content: bytes) -> dict[str, Any]:
    """The dictionary in one of `FILES`; empty where it is none, or another tool's."""
    if len(content) > _LONGEST:
        return {}
    text = content.decode("utf-8", "replace")
    try:
        found = json.loads(text) if name.endswith(".json") else _literal(text)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return {}
    known = isinstance(found, dict) and isinstance(found.get("names"), (dict, list))
    return found if known and isinstance(found.get("task"), str) else {}


def _literal(text: str) -> Any:
    from ast import literal_eval

    return literal_eval(text)


def apply_ultralytics(found: Mapping[str, Any], metadata: Metadata) -> Metadata:
    """`metadata` with what was found: labels at the first output, the first input a picture 0 to 1."""
    outputs, inputs = metadata.outputs, metadata.inputs
    if outputs and (labels := _labels(found["names"])):
        outputs = (replace(outputs[0], labels=labels), *outputs[1:])
    if inputs:
        inputs = (_picture(inputs[0], found), *inputs[1:])
    return replace(
        metadata,
        description=str(found.get("description") or metadata.description),
        version=str(found.get("version") or metadata.version),
        author=str(found.get("author") or metadata.author),
        license=str(found.get("license") or metadata.license),
        inputs=inputs,
        outputs=outputs,
        task=TASKS.get(found["task"], found["task"]),
        provenance={key: found[key] for key in _PASSED_ON if key in found},
        origin="ultralytics",
    )


def _picture(item: InputMetadata, found: Mapping[str, Any]) -> InputMetadata:
    return replace(
        item,
        content="image",
        channels="gray" if found.get("channels") == 1 else "rgb",
        normalization=_UNIT,
        resize="crop" if found["task"] == "classify" else "letterbox",
    )


def _labels(names: Any) -> tuple[str, ...]:
    """Names from a list, or from a dictionary by number (as text, in JSON)."""
    if isinstance(names, list):
        return tuple(map(str, names))
    numbered = {int(key): str(name) for key, name in names.items() if _INDEX.fullmatch(str(key))}
    return tuple(numbered.get(index, "") for index in range(max(numbered, default=-1) + 1))
