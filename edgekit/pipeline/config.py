"""`pipeline.toml`: a model, its sources and its sinks in a file, every mistake in it told at once and with its line.

::

    sources = ["camera:0"]
    sinks = ["-", "results.jsonl"]
    flow = "freshest"
    max_age = 0.5

    [model]
    path = "person.tflite"
    device = "coral,cpu"

    [windows]
    window = "2s"

    [after]
    lines = ["door=0.5,0,0.5,1"]
    on_change = true
"""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

from edgekit.errors import MissingFileError, UsageError
from edgekit.interpreter import MOST_THREADS
from edgekit.metadata.types import ColourOrder, ResizeRule
from edgekit.pipeline.flow import FlowRule
from edgekit.windows.spec import POLICIES, WindowOptions

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

STDOUT = "-"


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
_POSITIVE = _number("a number above 0", lambda value: 0 < value < float("inf"))
_SHARE = _number("a number from 0 to 1", lambda value: 0 <= value <= 1)
_SECONDS = _number("a number from 0", lambda value: 0 <= value < float("inf"))
_SWITCH = Key("true or false", lambda value: isinstance(value, bool))
_FILES = ("labels", "enrolled")

TOP: Mapping[str, Key] = MappingProxyType({
    "sources": _TEXTS, "sinks": _TEXTS, "flow": _text(get_args(FlowRule)), "max_age": _POSITIVE, "limit": _whole(1),
    "record": _text(), "serve": _text(), "model": _TABLE, "windows": _TABLE, "after": _TABLE,
})
MODEL: Mapping[str, Key] = MappingProxyType({
    "path": _text(), "device": _text(), "device_options": _TABLE, "threads": _whole(1, MOST_THREADS), "task": _text(),
    "head": _text(), "head_options": _TABLE, "labels": _text(), "normalize": _text(),
    "channels": _text(get_args(ColourOrder)), "resize": _text(get_args(ResizeRule)), "top": _whole(1),
    "score": _SHARE, "iou": _SHARE, "enrolled": _text(),
})
WINDOWS: Mapping[str, Key] = MappingProxyType({
    "window": _text(), "hop": _text(), "rate": _POSITIVE, "features": _text(), "invalid": _text(POLICIES),
    "limits": _text(), "max_gap": _POSITIVE,
})
AFTER: Mapping[str, Key] = MappingProxyType({
    "track": _SWITCH, "zones": _TEXTS, "lines": _TEXTS, "smooth": _SECONDS, "debounce": _SECONDS, "max_rate": _text(),
    "on_change": _SWITCH, "hold": _SECONDS,
})


@dataclass(frozen=True, slots=True)
class PipelineConfig:
    """What a file says, with its paths made whole.

    Attributes:
        model: Path of the model.
        options: As in `edgekit.load`.
        sources: As in `edgekit.run`.
        sinks: As in `edgekit.sinks.open_sink`.
        flow: As in `edgekit.run`.
        max_age: As in `edgekit.run`.
        limit: Most results.
        record: Folder for a recording.
        serve: Address of the page.
        after: What happens to results after the model, by the names of the command's options.
    """

    model: str
    options: Mapping[str, Any]
    sources: tuple[str, ...]
    sinks: tuple[str, ...] = (STDOUT,)
    flow: FlowRule = "auto"
    max_age: float | None = None
    limit: int | None = None
    record: str | None = None
    serve: str | None = None
    after: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class _Mistakes:
    """What is wrong in a file, with the lines of it."""

    lines: Mapping[tuple[str, str], int]
    found: list[tuple[int, str]] = field(default_factory=list)

    def add(self, table: str, key: str, text: str) -> None:
        self.found.append((self.lines.get((table, key), self.lines.get((table, ""), 1)), text))

    def check(self, table: str, values: Mapping[str, Any], keys: Mapping[str, Key], required: tuple[str, ...]) -> None:
        """Hold a table's keys and values against what there may be."""
        where = f" in [{table}]" if table else ""
        for name, value in values.items():
            if name not in keys:
                near = difflib.get_close_matches(name, keys, n=1)
                meant = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(keys)}"
                self.add(table, name, f"no key '{name}'{where}; {meant}")
            elif text := keys[name].mistake(value):
                self.add(table, name, f"{name}{where} {text}")
        for name in required:
            if name not in values:
                self.add(table, "", f"{name} is missing{where}")


def read_config(path: str | PathLike[str]) -> PipelineConfig:
    """Read and check a file. Paths in it are relative to its folder.

    Raises:
        MissingFileError: there is no such file.
        UsageError: it is no TOML, or there are mistakes in it, all of which are named.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except (FileNotFoundError, IsADirectoryError):
        raise MissingFileError(f"no such file: {file}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} is no TOML: {error}") from error
    mistakes = _Mistakes(_lines(text))
    mistakes.check("", table, TOP, ("sources", "model"))
    model, windows, after = (_table(table, name) for name in ("model", "windows", "after"))
    if isinstance(table.get("model"), dict):
        mistakes.check("model", model, MODEL, ("path",))
    mistakes.check("windows", windows, WINDOWS, ())
    mistakes.check("after", after, AFTER, ())
    if mistakes.found:
        raise _unsound(file, mistakes.found)
    return replace(_config(file.parent, table, model, windows), after=MappingProxyType(after))


def _table(table: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = table.get(name, {})
    return dict(found) if isinstance(found, dict) else {}


def _unsound(file: Path, found: list[tuple[int, str]]) -> UsageError:
    listed = "\n".join(f"  line {line}: {text}" for line, text in sorted(found))
    return UsageError(f"{file} has {len(found)} {'mistake' if len(found) == 1 else 'mistakes'}:\n{listed}")


def _config(
    folder: Path, table: Mapping[str, Any], model: dict[str, Any], windows: dict[str, Any]
) -> PipelineConfig:
    options = {name: _placed(folder, value) if name in _FILES else value for name, value in model.items()}
    if windows:
        options["windows"] = WindowOptions(**windows)
    return PipelineConfig(
        _placed(folder, options.pop("path")), MappingProxyType(options),
        tuple(_placed(folder, uri) for uri in table["sources"]),
        tuple(_placed(folder, uri) for uri in table.get("sinks", (STDOUT,))),
        table.get("flow", "auto"), table.get("max_age"), table.get("limit"),
        _placed(folder, table["record"]) if "record" in table else None, table.get("serve"),
    )


_URI = re.compile(r"[a-z][a-z0-9+.-]+:")


def _placed(folder: Path, uri: str) -> str:
    """A path relative to the folder; a URI, the standard output and a whole path as they are. Behind NAME= alike."""
    name, equals, rest = uri.partition("=")
    if equals and re.fullmatch(r"[\w.]+", name) and not (folder / uri).exists():
        return f"{name}={_placed(folder, rest)}"
    if uri.startswith(STDOUT) or (_URI.match(uri) and not uri.startswith("replay:")):
        return uri
    scheme, path = ("replay:", uri.removeprefix("replay:")) if uri.startswith("replay:") else ("", uri)
    return scheme + str(folder / path)


_HEAD = re.compile(r"\s*\[\s*([\w.-]+)\s*\]")
_KEY = re.compile(r"\s*([\w-]+)\s*=")


def _lines(text: str) -> dict[tuple[str, str], int]:
    """Where tables and keys stand; of a key within a table in one line (`a = {b = 1}`) that of the table."""
    found: dict[tuple[str, str], int] = {("", ""): 1}
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if head := _HEAD.match(line):
            table = head[1]
            found.setdefault((table, ""), number)
            found.setdefault(("", table), number)
        elif key := _KEY.match(line):
            found.setdefault((table, key[1]), number)
    return found
