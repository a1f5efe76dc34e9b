"""From what the user wrote to a source."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit import plugins
from edgekit.errors import DataError, MissingFileError, UsageError
from edgekit.images import IMAGE_SUFFIXES, is_picture, list_images
from edgekit.sources.pictures import Pictures
from edgekit.sources.rows import Rows
from edgekit.sources.types import Event, Problem, Sample, Source
from edgekit.sources.video import VIDEO_SUFFIXES, Video
from edgekit.tables import TABLE_SUFFIXES
from edgekit.uris import redacted

_PATTERN = re.compile(r"[*?[]")
# Two letters at least, so that no drive letter is taken for one.
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+(?=:)")
_CAMERA = re.compile(r"/dev/(video\d+|v4l/)")


@dataclass(frozen=True, slots=True)
class Chain:
    """Sources one after another, each with its own numbering."""

    uri: str
    sources: Sequence[Source]

    @property
    def reads_ahead(self) -> bool:
        """Where one of them does."""
        return any(source.reads_ahead for source in self.sources)

    @property
    def live(self) -> bool:
        """Files wait."""
        return False

    def __iter__(self) -> Iterator[Sample | Problem | Event]:
        for source in self.sources:
            yield from source


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file that is no source, among others that are."""

    uri: str
    problem: Problem

    @property
    def reads_ahead(self) -> bool:
        """There is nothing to read."""
        return False

    @property
    def live(self) -> bool:
        """Nothing comes."""
        return False

    def __iter__(self) -> Iterator[Sample | Problem]:
        yield self.problem


def open_source(uri: str | os.PathLike[str], *, shape: tuple[int, ...] | None = None) -> Source:
    """Find the source that a path or URI names. Files are opened when it is iterated.

    Args:
        uri: A picture, a folder of pictures, a glob pattern such as `photos/*.jpg`, a video, a `.csv`, `.npy`
            or `.npz` file with one sample a row, or `SCHEME:…` for a source that an installed package
            registered under the entry point group `edgekit.sources` (`name = "module:open"`), whose opener is
            called with it and `shape`.
        shape: What the rows of a table, or windows of a sensor, are brought to; None leaves them as they are.

    Raises:
        MissingFileError: nothing is there.
        UsageError: nobody registered the scheme, or the file is of no kind known.
        DataError: a folder without pictures.
    """
    text = os.fspath(uri)
    if text == "-":
        return _open_plugin("stdin", "stdin:", shape)
    if _CAMERA.match(text):
        return _open_plugin("camera", text, shape)
    if os.path.isdir(text):
        return Pictures(text, list_images(Path(text)))
    if os.path.exists(text):  # Path.exists raises for what is too long for a name
        return _open_file(text, shape)
    scheme = _SCHEME.match(text)
    if scheme:
        return _open_plugin(scheme.group(), text, shape)
    if _PATTERN.search(text):
        return _open_pattern(text, shape)
    raise MissingFileError(f"no such file or folder: '{text}'")


def _open_file(text: str, shape: tuple[int, ...] | None) -> Source:
    if not Path(text).is_file():
        raise MissingFileError(f"{text} is not a regular file")
    kind = _kind(Path(text))
    if kind == "picture":
        return Pictures(text, [Path(text)])
    return Video(text) if kind == "video" else Rows(text, shape)


def _kind(path: Path) -> str:
    """By suffix, else by the first bytes."""
    for kind, suffixes in (("picture", IMAGE_SUFFIXES), ("video", VIDEO_SUFFIXES), ("table", TABLE_SUFFIXES)):
        if path.suffix.lower() in suffixes:
            return kind
    try:
        with path.open("rb") as stream:
            start = stream.read(16)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    if is_picture(start):
        return "picture"
    known = ", ".join(IMAGE_SUFFIXES + VIDEO_SUFFIXES + TABLE_SUFFIXES)
    raise UsageError(
        f"{path} is of no kind that can be told from its name or content",
        hint=f"Give a file whose name ends in one of {known}.",
    )


def _open_pattern(pattern: str, shape: tuple[int, ...] | None) -> Source:
    # Not Path.glob, for which ** at the end means folders before Python 3.13, and files too from there on.
    found = map(Path, glob.glob(pattern, recursive=True))
    paths = sorted({path for path in found if path.is_file()})
    if not paths:
        raise MissingFileError(f"no file matches {pattern}")
    if all(path.suffix.lower() in IMAGE_SUFFIXES for path in paths):
        return Pictures(pattern, paths)
    return Chain(pattern, [_open_match(path, sequence, shape) for sequence, path in enumerate(paths)])


def _open_match(path: Path, sequence: int, shape: tuple[int, ...] | None) -> Source:
    """A file of a pattern, which may also match what is nothing to run a model on."""
    try:
        return _open_file(str(path), shape)
    except (DataError, UsageError) as error:
        return Unreadable(str(path), Problem(str(path), sequence, error.message))


def _open_plugin(scheme: str, uri: str, shape: tuple[int, ...] | None) -> Source:
    try:
        opener = plugins.load("edgekit.sources", scheme)
    except KeyError:
        others = "".join(f" {name}:" for name in sorted(plugins.registered("edgekit.sources")))
        raise UsageError(
            f"no source '{scheme}:' ({redacted(uri)})",
            hint="Give a picture, a folder of pictures, a pattern such as 'photos/*.jpg', a video, or a .csv, .npy or "
            f".npz file{f'; or one of the schemes{others}' if others else ''}.",
        ) from None
    opened: Source = opener(uri, shape=shape)
    return opened
