"""`edgekit.json`: what the standard has no place for, in the archive behind the model.

Version 1 is a JSON object with the keys

`schema`
    1. A reader refuses a larger number.
`model_sha256`
    SHA-256 of the bytes before the archive, in hexadecimal: it finds a flipped bit, which no parser does.
`task`, `target`
    Names, or null.
`head`, `head_options`
    The form in which the outputs give the task's answer, a name or null, and an object with what it has to know
    besides (`docs/tasks.md`). May be left out.
`inputs`
    For each input in the graph's order an object with `content` (`image`, `features`, `audio`, `unknown`),
    `channels` (`rgb`, `bgr`, `gray` or null) and `resize` (`stretch`, `letterbox`, `crop` or null). An input that takes
    the windows of a stream has `window` too, an object with the fields of `edgekit.metadata.types.Window`.
`outputs`
    For each output in the graph's order an object with `host`, a list of what the device computes on that output's real
    numbers, in that order. May be left out. Each entry is an object, `{"op": "resize"}` with `method` (`bilinear`,
    `nearest`), `height` and `width` (pixels), `align_corners` and `half_pixel_centers` (true or false, as in TFLite,
    and not both true), or `{"op": "argmax"}` with `axis` (from 1; 0 is the batch).
`states`
    For each state that the runtime carries from sample to sample an object with `input` and `output`, places in the
    graph's order. May be left out.
`keeps_state`
    Whether what operations remember outlives a run. May be left out: false.
`provenance`
    An object: where the model comes from and how it was made. Readers pass it on as it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, TypeGuard, get_args

from edgekit.errors import DataError
from edgekit.metadata.types import (
    Channels,
    Content,
    HostArgmax,
    HostResize,
    HostStep,
    InputMetadata,
    Metadata,
    OutputMetadata,
    ResizeMethod,
    ResizeRule,
    State,
)
from edgekit.metadata.windows import decode_window, encode_window
from edgekit.tflite.flatbuffer import DamagedError, Data

FILE = "edgekit.json"
SCHEMA = 1
_CHOICES: dict[str, tuple[Any, ...]] = {
    "content": get_args(Content),
    "channels": (None, *get_args(Channels)),
    "resize": (None, *get_args(ResizeRule)),
}


def digest(data: Data, size: int) -> str:
    """SHA-256 of the first `size` bytes, in hexadecimal."""
    with memoryview(data) as whole, whole[:size] as part:
        return hashlib.sha256(part).hexdigest()


def encode_own(metadata: Metadata, sha256: str) -> bytes:
    """The content of `edgekit.json`.

    Raises:
        DataError: the provenance holds something that JSON cannot.
    """
    document = {
        "schema": SCHEMA,
        "model_sha256": sha256,
        "task": metadata.task,
        "target": metadata.target,
        **_head(metadata),
        "inputs": [_input_values(item) for item in metadata.inputs],
        **_host_steps(metadata.outputs),
        "states": [{"input": state.input, "output": state.output} for state in metadata.states],
        "keeps_state": metadata.keeps_state,
        "provenance": dict(metadata.provenance),
    }
    try:
        text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
        return text.encode("utf-8") + b"\n"
    except (TypeError, ValueError) as error:
        raise DataError(f"the provenance cannot be written as JSON: {error}") from error


def _input_values(item: InputMetadata) -> dict[str, Any]:
    values = {key: getattr(item, key) for key in _CHOICES}
    return {**values, "window": encode_window(item.window)} if item.window else values


def _head(metadata: Metadata) -> dict[str, Any]:
    """The keys of the head, where one is named."""
    if metadata.head is None:
        return {}
    return {"head": metadata.head, "head_options": dict(metadata.head_options)}


def _host_steps(outputs: Sequence[OutputMetadata]) -> dict[str, Any]:
    """The key `outputs`, where there is something to say in it."""
    if not any(output.host for output in outputs):
        return {}
    return {"outputs": [{"host": [asdict(step) for step in output.host]} for output in outputs]}


def decode_own(content: bytes) -> dict[str, Any]:
    """Read `edgekit.json`.

    Raises:
        DamagedError: it is not what version 1 says, key by key.
    """
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"{FILE} in it is not JSON ({error})") from error
    if not isinstance(document, dict):
        raise DamagedError(f"{FILE} in it is not an object")
    version = document.get("schema")
    if version != SCHEMA:
        raise DamagedError(f"{FILE} in it has schema {version!r}, and this EdgeKit reads schema {SCHEMA}")
    for key, types in _TYPES.items():
        if not isinstance(document.get(key), types):
            raise DamagedError(f"'{key}' in its {FILE} is {document.get(key)!r}")
    return document


_TYPES: Mapping[str, tuple[type, ...]] = {
    "model_sha256": (str,),
    "task": (str, type(None)),
    "target": (str, type(None)),
    "inputs": (list,),
    "provenance": (dict,),
}


def apply_own(document: Mapping[str, Any], metadata: Metadata) -> Metadata:
    """`metadata` with what `edgekit.json` says.

    Raises:
        DamagedError: an input or output is described by words that version 1 does not have.
    """
    described = [*document["inputs"], *({} for _ in metadata.inputs)]
    return replace(
        metadata,
        task=document["task"],
        **_decoded_head(document),
        target=document["target"],
        provenance=document["provenance"],
        states=_states(document),
        keeps_state=bool(document.get("keeps_state", False)),
        inputs=tuple(
            _input(item, values) for item, values in zip(metadata.inputs, described, strict=False)
        ),
        outputs=_outputs(document, metadata.outputs),
        origin="edgekit",
    )


def _decoded_head(document: Mapping[str, Any]) -> dict[str, Any]:
    head, options = document.get("head"), document.get("head_options", {})
    if not isinstance(head, (str, type(None))) or not isinstance(options, dict):
        raise DamagedError(f"'head' in its {FILE} is {head!r}, with {options!r}")
    return {"head": head, "head_options": options}


def _states(document: Mapping[str, Any]) -> tuple[State, ...]:
    states = document.get("states", [])
    if not isinstance(states, list):
        raise DamagedError(f"'states' in its {FILE} is {states!r}")
    return tuple(_state(state) for state in states)


def _state(state: Any) -> State:
    taken, given = (state.get("input"), state.get("output")) if isinstance(state, dict) else (None, None)
    if not (isinstance(taken, int) and isinstance(given, int) and min(taken, given) >= 0):
        raise DamagedError(f"'states' in its {FILE} holds {state!r}")
    return State(taken, given)


def _input(item: InputMetadata, values: Any) -> InputMetadata:
    if not isinstance(values, dict):
        raise DamagedError(f"'inputs' in its {FILE} holds {values!r}")
    known = {key: values.get(key, getattr(item, key)) for key in _CHOICES}
    for key, value in known.items():
        if value not in _CHOICES[key]:
            raise DamagedError(f"'{key}' in its {FILE} is {value!r}")
    return replace(item, **known, window=decode_window(values.get("window")))


def _outputs(document: Mapping[str, Any], outputs: Sequence[OutputMetadata]) -> tuple[OutputMetadata, ...]:
    described = document.get("outputs", [])
    if not isinstance(described, list) or not all(isinstance(values, dict) for values in described):
        raise DamagedError(f"'outputs' in its {FILE} is {described!r}")
    steps = [_steps(values.get("host", [])) for values in described]
    filled = [*steps, *[()] * len(outputs)]
    return tuple(replace(output, host=host) for output, host in zip(outputs, filled, strict=False))


def _steps(given: Any) -> tuple[HostStep, ...]:
    if not isinstance(given, list):
        raise DamagedError(f"'host' in its {FILE} is {given!r}")
    return tuple(_step(values) for values in given)


def _step(values: Any) -> HostStep:
    parse = _PARSERS.get(str(values.get("op"))) if isinstance(values, dict) else None
    step = parse(values) if parse else None
    if step is None:
        raise DamagedError(f"'host' in its {FILE} holds {values!r}")
    return step


def _argmax(values: Mapping[str, Any]) -> HostStep | None:
    axis = values.get("axis")
    return HostArgmax(axis) if _is_size(axis) else None


def _resize(values: Mapping[str, Any]) -> HostStep | None:
    method = next((known for known in get_args(ResizeMethod) if known == values.get("method")), None)
    height, width = values.get("height"), values.get("width")
    aligned, centred = (values.get(key, False) for key in ("align_corners", "half_pixel_centers"))
    if method is None or not _is_size(height) or not _is_size(width):
        return None
    if not isinstance(aligned, bool) or not isinstance(centred, bool) or (aligned and centred):
        return None
    return HostResize(method, height, width, aligned, centred)


_PARSERS: Mapping[str, Callable[[Mapping[str, Any]], HostStep | None]] = {"argmax": _argmax, "resize": _resize}


def _is_size(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
