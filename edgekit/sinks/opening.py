"""From what the user wrote to a sink."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from edgekit import plugins
from edgekit.choices import one_of
from edgekit.errors import UsageError
from edgekit.sinks.files import check_file
from edgekit.sinks.lines import JsonLinesEventSink, JsonLinesSink, StdoutEventSink, StdoutSink
from edgekit.sinks.pictures import PicturesSink
from edgekit.sinks.table import CsvSink
from edgekit.sinks.types import STDOUT, Sink
from edgekit.sinks.video import VIDEO_SUFFIXES, VideoSink
from edgekit.uris import redacted

# Two letters at least, so that no drive letter is taken for one.
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+(?=:)")
_EVENTS = re.compile(r"\?events=(?P<answer>\w*)$")
YES_NO = ("yes", "no")


def open_sink(uri: str | os.PathLike[str]) -> Sink:
    """Open a sink.

    Args:
        uri: `-` for the standard output; the path of a `.jsonl` or `.csv` file, which is appended to, and made with
            the first result; the path of a `.mp4`, `.mkv` or `.avi` file for the frames with the results drawn on
            them; a folder, by a slash at its end, for a picture of each result; `http://…` or `https://…` for a
            webhook; `mqtt://…` or `mqtts://…` for a broker; or `SCHEME:…` for a sink that an installed package
            registered under the entry point group `edgekit.sinks` (`name = "module:open"`). A file's folder exists.
            `?events=yes` behind `-` or `FILE.jsonl` adds a line for each event of sources and sinks.

    Raises:
        UsageError: it is none of these.
        OutputError: the file cannot be opened for writing.
        MissingDependencyError: the sink needs a library that is not installed.
    """
    text = os.fspath(uri)
    scheme = _SCHEME.match(text)
    if scheme:
        known = plugins.registered("edgekit.sinks")
        if scheme.group() in known:
            opened: Sink = known[scheme.group()].load()(text)
            return opened
        if "://" in text:
            raise _no_sink(text, *known)
    return _open_file(text)


def check_sink(uri: str) -> None:
    """See whether a sink could be opened, without opening it or asking anybody.

    A module that registers a sink may have `check(uri)`, which raises what is wrong with a URI; of others only the
    scheme is checked.

    Raises:
        EdgeKitError: as in `open_sink`, as far as that can be known.
    """
    scheme = _SCHEME.match(uri)
    known = plugins.registered("edgekit.sinks") if scheme else {}
    if scheme and scheme.group() in known:
        check = getattr(sys.modules[known[scheme.group()].load().__module__], "check", None)
        if check is not None:
            check(uri)
        return
    if scheme and "://" in uri:
        raise _no_sink(uri, *known)
    _check_file(uri)


def _check_file(text: str) -> None:
    path, events = _parts(text)
    suffix = Path(path).suffix.lower()
    if path == STDOUT:
        return
    if suffix in VIDEO_SUFFIXES and not events:
        VideoSink(path).close()  # which makes its file with the first frame
    elif path.endswith(os.sep) and not events:
        PicturesSink(path)
    elif suffix == ".jsonl" or (suffix == ".csv" and not events):
        check_file(path)
    else:
        _open_file(text)  # says what is wrong


def _parts(text: str) -> tuple[str, re.Match[str] | None]:
    """The path, and what is asked of it."""
    asked = _EVENTS.search(text)
    if asked:
        one_of("events", asked["answer"], YES_NO)
    return (text[: asked.start()] if asked else text), asked


def _open_file(text: str) -> Sink:
    path, asked = _parts(text)
    events = asked is not None and asked["answer"] == "yes"
    if path == STDOUT:
        return StdoutEventSink() if events else StdoutSink()
    suffix = Path(path).suffix.lower()
    if suffix == ".jsonl":
        return JsonLinesEventSink(path) if events else JsonLinesSink(path)
    if asked:
        raise UsageError(f"the sink {path} takes no events", hint="- and FILE.jsonl do.")
    if suffix == ".csv":
        return CsvSink(path)
    if suffix in VIDEO_SUFFIXES:
        return VideoSink(path)
    if path.endswith(os.sep):
        return PicturesSink(path)
    raise _no_sink(text)


def _no_sink(uri: str, *schemes: str) -> UsageError:
    others = f" Schemes: {', '.join(f'{name}:' for name in sorted(schemes))}." if schemes else ""
    return UsageError(
        f"no sink '{redacted(uri)}'",
        hint="Give - for the standard output, FILE.jsonl or FILE.csv for a file of results, FILE.mp4 for a video, "
        f"FOLDER/ for pictures, mqtt://HOST/TOPIC for a broker, or http://HOST/PATH for a webhook.{others}",
    )
