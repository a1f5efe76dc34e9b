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

A table `[model.inner]` is a model that runs on what the first one found; `[models.NAME]` in the place of `[model]` are
models side by side, each of which may have an `[models.NAME.after]` of its own.
"""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import Any

from edgekit.cascade import Cascade
from edgekit.errors import MissingFileError, UsageError
from edgekit.loading import load
from edgekit.pipeline.flow import FlowRule
from edgekit.pipeline.models import Runnable
from edgekit.pipeline.schema import AFTER, BESIDE, FILES, INNER, MODEL, TOP, WINDOWS, Key
from edgekit.windows.spec import WindowOptions

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

STDOUT = "-"


@dataclass(frozen=True, slots=True)
class InnerConfig:
    """The second model of a cascade.

    Attributes:
        path: Of its file.
        options: As in `edgekit.load`.
        objects: As in `Cascade`.
        margin: As in `Cascade`.
    """

    path: str
    options: Mapping[str, Any]
    objects: tuple[str, ...] = ()
    margin: float = 0.0


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """A model, or a cascade of two.

    Attributes:
        path: Of its file.
        options: As in `edgekit.load`.
        inner: What runs on the objects that it finds.
        after: What happens to its results, in the place of what the pipeline says for all.
    """

    path: str
    options: Mapping[str, Any]
    inner: InnerConfig | None = None
    after: Mapping[str, Any] | None = None

    def open(self) -> Runnable:
        """Open it.

        Raises:
            EdgeKitError: as in `edgekit.load` and `Cascade`.
        """
        model = load(self.path, **self.options)
        if self.inner is None:
            return model
        inner = load(self.inner.path, **self.inner.options)
        return Cascade(model, inner, objects=self.inner.objects, margin=self.inner.margin)


@dataclass(frozen=True, slots=True)
class PipelineConfig:
    """What a file says, with its paths made whole.

    Attributes:
        models: By name, side by side; one that is alone has the name "".
        sources: As in `edgekit.run`.
        sinks: As in `edgekit.sinks.open_sink`.
        flow: As in `edgekit.run`.
        max_age: As in `edgekit.run`.
        limit: Most results.
        record: Folder for a recording.
        serve: Address of the page.
        after: What happens to results after the model, by the names of the command's options.
    """

    models: Mapping[str, ModelConfig]
    sources: tuple[str, ...]
    sinks: tuple[str, ...] = (STDOUT,)
    flow: FlowRule = "auto"
    max_age: float | None = None
    limit: int | None = None
    record: str | None = None
    serve: str | None = None
    after: Mapping[str, Any] = field(default_factory=dict)

    def after_of(self, model: str) -> Mapping[str, Any]:
        """What happens to the results of the model of that name."""
        own = self.models[model].after
        return self.after if own is None else own


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
    mistakes.check("", table, TOP, ("sources",))
    windows, after = (_table(table, name) for name in ("windows", "after"))
    if ("model" in table) == ("models" in table):
        mistakes.add("", "models", "there has to be either [model] or [models.NAME], for several side by side")
    for name, model in _models(table):
        _check_model(mistakes, f"models.{name}" if name else "model", model)
    mistakes.check("windows", windows, WINDOWS, ())
    mistakes.check("after", after, AFTER, ())
    if mistakes.found:
        raise _unsound(file, mistakes.found)
    return replace(_config(file.parent, table, windows), after=MappingProxyType(after))


def _models(table: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The tables of models, by name."""
    if isinstance(table.get("model"), dict):
        yield "", table["model"]
    for name, model in _table(table, "models").items():
        if isinstance(model, dict):
            yield name, model


def _check_model(mistakes: _Mistakes, where: str, model: dict[str, Any]) -> None:
    mistakes.check(where, model, MODEL if where == "model" else BESIDE, ("path",))
    mistakes.check(f"{where}.after", _table(model, "after"), AFTER, ())
    if isinstance(model.get("inner"), dict):
        mistakes.check(f"{where}.inner", model["inner"], INNER, ("path",))


def _table(table: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = table.get(name, {})
    return dict(found) if isinstance(found, dict) else {}


def _unsound(file: Path, found: list[tuple[int, str]]) -> UsageError:
    listed = "\n".join(f"  line {line}: {text}" for line, text in sorted(found))
    return UsageError(f"{file} has {len(found)} {'mistake' if len(found) == 1 else 'mistakes'}:\n{listed}")


def _config(folder: Path, table: Mapping[str, Any], windows: dict[str, Any]) -> PipelineConfig:
    cut = {"windows": WindowOptions(**windows)} if windows else {}
    return PipelineConfig(
        MappingProxyType({name: _model(folder, model, cut) for name, model in _models(table)}),
        tuple(_placed(folder, uri) for uri in table["sources"]),
        tuple(_placed(folder, uri) for uri in table.get("sinks", (STDOUT,))),
        table.get("flow", "auto"), table.get("max_age"), table.get("limit"),
        _placed(folder, table["record"]) if "record" in table else None, table.get("serve"),
    )


def _model(folder: Path, said: Mapping[str, Any], windows: Mapping[str, Any]) -> ModelConfig:
    options = _options(folder, said)
    inner, after = options.pop("inner", None), options.pop("after", None)
    return ModelConfig(
        _placed(folder, options.pop("path")), MappingProxyType({**options, **windows}),
        None if inner is None else _inner(folder, inner), after,
    )


def _inner(folder: Path, said: Mapping[str, Any]) -> InnerConfig:
    options = _options(folder, said)
    objects, margin = tuple(options.pop("objects", ())), options.pop("margin", 0.0)
    return InnerConfig(_placed(folder, options.pop("path")), MappingProxyType(options), objects, margin)


def _options(folder: Path, said: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _placed(folder, value) if name in FILES else value for name, value in said.items()}


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


def _above(table: str) -> Iterator[tuple[str, str]]:
    """The keys of tables that a table's name stands for: `a.b` for `a` of the file, and `b` of `a`."""
    parts = table.split(".")
    for at, part in enumerate(parts):
        yield ".".join(parts[:at]), part


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
            for above, name in _above(table):
                found.setdefault((above, name), number)
        elif key := _KEY.match(line):
            found.setdefault((table, key[1]), number)
    return found
