"""Files of class names."""

from __future__ import annotations

import os
import re
from pathlib import Path

from edgekit.errors import DataError, MissingFileError

_INDEXED = re.compile(r"(\d{1,6})(?:\s*:\s*|\s+)(\S.*)")
_FORM = "A labels file holds one class name a line, in the order of the model's classes, as UTF-8 text."


def read_labels(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Read a file of class names, one a line.

    Blank lines at the end do not count. Where every line starts with a number (`0  background`, `17: cat`)
    and the numbers ascend, they are the classes' indices, and classes between them have empty names.

    Returns:
        Class names, index by index.

    Raises:
        MissingFileError: there is no such file, or it is a folder.
        DataError: it is empty, or not text.
    """
    where = os.fspath(path)
    try:
        content = Path(where).read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingFileError(f"no such file: {where}", hint="Check the path.") from error
    except IsADirectoryError as error:
        raise MissingFileError(f"{where} is a folder, where a labels file is wanted") from error
    except OSError as error:
        raise DataError(f"{where} cannot be read: {error.strerror}") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{where} is not a labels file: it is not UTF-8 text", hint=_FORM) from error
    if "\0" in text:
        raise DataError(f"{where} is not a labels file: it is binary", hint=_FORM)
    labels = parse_labels(text)
    if not labels:
        raise DataError(f"{where} holds no labels", hint=_FORM)
    return labels


def parse_labels(text: str) -> tuple[str, ...]:
    """Class names out of the text of a labels file; see `read_labels`."""
    # Not splitlines(): a name may hold one of the rarer separators that it splits at.
    lines = [line.strip() for line in text.removeprefix("\ufeff").rstrip().split("\n")]
    return _indexed(lines) or (tuple(lines) if any(lines) else ())


def _indexed(lines: list[str]) -> tuple[str, ...]:
    """Names by the indices that the lines give; empty where they give none."""
    found = [_INDEXED.fullmatch(line) for line in lines if line]
    named = {int(match[1]): match[2] for match in found if match}
    # One line alone ("3 dogs") proves nothing.
    if len(named) < max(2, len(found)) or list(named) != sorted(named):
        return ()
    return tuple(named.get(index, "") for index in range(max(named) + 1))
