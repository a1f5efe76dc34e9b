"""Which columns a result has in a table. They follow from its kind, so that every run of a model has the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from edgekit.errors import UsageError
from edgekit.results import Result, to_json

MOST_VALUES = 1000
"""Numbers in a row. A spreadsheet takes some more; what has as many is a picture and belongs elsewhere."""
COMMON = (
    "source", "sequence", "captured", "time", "task", "device",
    "preprocess_ms", "inference_ms", "postprocess_ms", "total_ms", "age_ms", "dropped",
)
STAGES = ("preprocess", "inference", "postprocess", "total")
BOX = ("x0", "y0", "x1", "y1")
SUMMARY = ("width", "height", "minimum", "maximum", "mean")


@dataclass(frozen=True, slots=True)
class Kind:
    """How a key of the payload becomes columns.

    Attributes:
        key: The key, which is in every payload of this kind.
        columns: Of each item of a list, or of the one object; those of `BOX` stand for an item's `box`.
        inside: Where the list is, within the key's object; empty where the key holds it.
        is_list: Whether there are items: a row for each, and the column `item` for its number.
    """

    key: str
    columns: tuple[str, ...]
    inside: str = ""
    is_list: bool = True


KINDS = (
    Kind("keypoints", ("object", "name", "x", "y", "score")),
    Kind("objects", ("index", "label", "score", *BOX, "id")),
    Kind("classes", ("index", "label", "score")),
    Kind("mask", ("index", "label", "share"), inside="classes"),
    Kind("depth", SUMMARY, is_list=False),
    Kind("image", SUMMARY, is_list=False),
)
"""The first whose key is in a payload holds."""
NUMBERS = ("values", "embedding")
"""Keys of nothing but numbers, as many in each result."""


def columns_of(result: Result) -> tuple[str, ...]:
    """The columns for results of this one's kind; those of numbers follow the model's outputs.

    A kind that is not known here has one column, `payload`, with JSON in it.

    Raises:
        UsageError: it has more numbers than a table should.
    """
    payload = result.payload()
    common = (*COMMON, "model") if result.model else COMMON
    if kind := _kind(payload):
        return (*common, *(("item",) if kind.is_list else ()), *kind.columns)
    if key := next((key for key in NUMBERS if key in payload), ""):
        names = tuple(name for name, _ in _flat(key, payload[key]))
        if len(names) > MOST_VALUES:
            raise UsageError(
                f"a row of a table would have {len(names)} numbers, more than {MOST_VALUES}",
                hint="Give FILE.jsonl instead.",
            )
        return (*common, *names)
    return (*common, "payload")


def rows_of(result: Result) -> Iterator[tuple[Any, ...]]:
    """The rows of one result, a value for each of its columns; a list without items has one row, without an item."""
    payload, common = result.payload(), _common(result)
    if kind := _kind(payload):
        if not kind.is_list:
            yield (*common, *_cells(payload[kind.key], kind.columns))
            return
        items = _items(kind, payload)
        for number, item in enumerate(items):
            yield (*common, number, *_cells(item, kind.columns))
        if not items:
            yield (*common, "", *("" for _ in kind.columns))
    elif key := next((key for key in NUMBERS if key in payload), ""):
        yield (*common, *(value for _, value in _flat(key, payload[key])))
    else:
        yield (*common, to_json(payload, separators=(",", ":")))


def _kind(payload: Mapping[str, Any]) -> Kind | None:
    return next((kind for kind in KINDS if kind.key in payload), None)


def _items(kind: Kind, payload: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = payload[kind.key]
    if kind.key == "keypoints":  # of each body, where there are several
        bodies = payload.get("objects") or [{"keypoints": found}]
        return [{"object": at, **point} for at, body in enumerate(bodies) for point in body.get("keypoints", ())]
    return list(found[kind.inside] if kind.inside else found)


def _common(result: Result) -> tuple[Any, ...]:
    found = result.to_dict()
    times = found["latency_ms"]
    return (
        *(found[key] for key in COMMON[:6]), *(times[name] for name in STAGES), found["age_ms"], found["dropped"],
        *((result.model,) if result.model else ()),
    )


def _cells(item: Mapping[str, Any], columns: tuple[str, ...]) -> Iterator[Any]:
    box = dict(zip(BOX, item.get("box") or (), strict=False))
    for column in columns:
        yield box.get(column) if column in BOX else item.get(column)


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Nested lists and mappings as names and numbers: `values_0_1`; a single number keeps its name."""
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _flat(str(key), part)
    elif isinstance(value, list):
        for at, part in enumerate(value):
            yield from _flat(f"{name}_{at}", part)
    else:
        yield name, value
