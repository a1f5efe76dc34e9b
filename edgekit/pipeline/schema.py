"""What may stand in a `pipeline.toml`: the tables, their keys, and what these may hold."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, get_args

from edgekit.cascade import MOST_MARGIN
from edgekit.interpreter import MOST_THREADS
from edgekit.metadata.types import ColourOrder, ResizeRule
from edgekit.pipeline.flow import FlowRule
from edgekit.windows.spec import POLICIES


@dataclass(frozen=True, slots=True)
class Key:
    """What a key of the file may hold.

    Attributes:
        kind: In words, for messages.
        fits: Whether a value is of that kind.
        choices: All values that there are; none where any of the kind goes.
    """

    kind: str
    fits: Callable[[Any], bool]
    choices: tuple[str, ...] = ()

    def mistake(self, value: object) -> str:
        """What is wrong with a value; empty where nothing is."""
        if not self.fits(value):
            return f"has to be {self.kind}, not {_shown(value)}"
        if self.choices and value not in self.choices:
            near = difflib.get_close_matches(str(value), self.choices, n=1)
            meant = f" (did you mean '{near[0]}'?)" if near else ""
            return f"cannot be {_shown(value)}{meant}; it is one of {', '.join(self.choices)}"
        return ""


def _shown(value: object) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)


def _text(choices: tuple[str, ...] = ()) -> Key:
    return Key("a text in quotes", lambda value: isinstance(value, str) and bool(value), choices)


def _number(words: str, fits: Callable[[float], bool]) -> Key:
    return Key(words, lambda value: isinstance(value, (int, float)) and not isinstance(value, bool) and fits(value))


def _whole(least: int, most: int | None = None) -> Key:
    words = f"a whole number from {least}" + (f" to {most}" if most else "")
    return Key(
        words,
        lambda value: isinstance(value, int) and not isinstance(value, bool) and least <= value <= (most or value),
    )


_TEXTS = Key(
    "a list of texts", lambda value: isinstance(value, list) and bool(value) and all(isinstance(v, str) for v in value)
)
_TABLE = Key("a table", lambda value: isinstance(value, dict))
_TABLES = Key(
    "tables, one for each model",
    lambda value: isinstance(value, dict) and bool(value) and all(isinstance(v, dict) for v in value.values()),
)
_POSITIVE = _number("a number above 0", lambda value: 0 < value < float("inf"))
_SHARE = _number("a number from 0 to 1", lambda value: 0 <= value <= 1)
_SECONDS = _number("a number from 0", lambda value: 0 <= value < float("inf"))
_SWITCH = Key("true or false", lambda value: isinstance(value, bool))
FILES = ("labels", "enrolled")
"""Keys of a model that hold paths."""

TOP: Mapping[str, Key] = MappingProxyType({
    "sources": _TEXTS, "sinks": _TEXTS, "flow": _text(get_args(FlowRule)), "max_age": _POSITIVE, "limit": _whole(1),
    "record": _text(), "serve": _text(), "model": _TABLE, "models": _TABLES, "windows": _TABLE, "after": _TABLE,
})
MODEL: Mapping[str, Key] = MappingProxyType({
    "path": _text(), "device": _text(), "device_options": _TABLE, "inference_timeout": _POSITIVE,
    "threads": _whole(1, MOST_THREADS), "task": _text(), "head": _text(), "head_options": _TABLE, "labels": _text(),
    "normalize": _text(), "channels": _text(get_args(ColourOrder)), "resize": _text(get_args(ResizeRule)),
    "top": _whole(1), "score": _SHARE, "iou": _SHARE, "enrolled": _text(), "inner": _TABLE,
})
BESIDE: Mapping[str, Key] = MappingProxyType({**MODEL, "after": _TABLE})
INNER: Mapping[str, Key] = MappingProxyType({
    **{name: key for name, key in MODEL.items() if name != "inner"},
    "objects": _TEXTS,
    "margin": _number(f"a number from 0 to {MOST_MARGIN:g}", lambda value: 0 <= value <= MOST_MARGIN),
})
WINDOWS: Mapping[str, Key] = MappingProxyType({
    "window": _text(), "hop": _text(), "rate": _POSITIVE, "features": _text(), "invalid": _text(POLICIES),
    "limits": _text(), "max_gap": _POSITIVE,
})
AFTER: Mapping[str, Key] = MappingProxyType({
    "track": _SWITCH, "zones": _TEXTS, "lines": _TEXTS, "smooth": _SECONDS, "debounce": _SECONDS, "max_rate": _text(),
    "on_change": _SWITCH, "hold": _SECONDS,
})
