"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from edgekit.errors import OutputError, UsageError


def check_writable(path: Path) -> None:
    """Find out before the work whether its result can be written.

    Raises:
        OutputError: the folder is missing or not writable, the name too long, or `path` is a folder.
    """
    try:
        is_other = path.exists() and not path.is_file()
        if not is_other:
            _part(path).touch()
            _part(path).unlink()
    except OSError as error:
        raise _cannot_write(path, error) from error
    if is_other:
        what = "a folder" if path.is_dir() else "not a regular file"
        raise OutputError(f"cannot write {path}: it is {what}", hint="Name a file, such as model.tflite.")


def protect(path: Path, *inputs: Any) -> None:
    """See that the output would not replace what it is made from.

    Raises:
        UsageError: `path` is one of `inputs`, those of them that are paths.
    """
    for source in inputs:
        if isinstance(source, (str, PathLike)) and path.exists() and Path(source).exists() and path.samefile(source):
            raise UsageError(f"the output {path} is what it is made from", hint="Name another file.")


def write_atomically(path: Path, data: bytes) -> None:
    """Write to a file beside it, then rename: a reader, or a crash, never sees half of it.

    Raises:
        OutputError: the folder is not writable, or the disk is full.
    """
    write_together({path: data})


def write_together(files: Mapping[Path, bytes]) -> None:
    """Write files that belong together, each as `write_atomically` does: none appears before all are on the disk.

    Raises:
        OutputError: one cannot be written, and all that was there is as it was.
    """
    parts = {path: _part(path) for path in files}
    try:
        for path, data in files.items():
            _fill(path, parts[path], data)
        for path, part in parts.items():
            _rename(part, path)
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)


def _part(path: Path) -> Path:
    """Where a file grows: beside it, by a name of this process alone."""
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def _fill(path: Path, part: Path, data: bytes) -> None:
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise _cannot_write(path, error) from error


def _rename(part: Path, path: Path) -> None:
    try:
        part.replace(path)
    except OSError as error:
        raise _cannot_write(path, error) from error


def _cannot_write(path: Path, error: OSError) -> OutputError:
    return OutputError(f"cannot write {path}: {error.strerror or error}", hint="Name another place.")
