"""Writes the report as a folder, whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from os import PathLike
from pathlib import Path

from edgekit.errors import OutputError, UsageError
from edgekit_converters.reporting.document import document_of
from edgekit_converters.reporting.facts import ReportFacts
from edgekit_converters.reporting.model_card import model_card
from edgekit_converters.reporting.page import render

PAGE, DATA, SCHEMA, CARD = "report.html", "report.json", "report.schema.json", "model_card.md"
FILES = frozenset({PAGE, DATA, SCHEMA, CARD})


def check_report(folder: str | PathLike[str]) -> None:
    """Find out before the work whether a report can be written there.

    Raises:
        UsageError: something else than an earlier report is there.
        OutputError: the folder around it is missing or not writable.
    """
    target = Path(folder)
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise UsageError(f"{target} is no folder, and a report is one", hint="Name another place.")
    if target.is_dir():
        others = sorted(entry.name for entry in target.iterdir() if entry.name not in FILES)
        if others:
            raise UsageError(
                f"the folder {target} holds {others[0]}, which is no part of a report",
                hint="Name a folder that is not there yet, is empty, or holds an earlier report, which is replaced.",
            )
    parent = target.absolute().parent
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise OutputError(f"cannot write {target}: {parent} is no folder to write in", hint="Name another place.")


def write_report(folder: str | PathLike[str], facts: ReportFacts) -> None:
    """Write `report.html`, the same as `report.json` with its schema, and `model_card.md`.

    All is made beside its place and put there when it is whole; an earlier report is replaced.

    Args:
        folder: A folder that is not there yet, is empty, or holds an earlier report.
        facts: What is known.

    Raises:
        UsageError: something else is there.
        OutputError: it cannot be written.
        MissingFileError, ModelFileError: the model is not there, or damaged.
    """
    check_report(folder)
    document = document_of(facts)
    contents = {
        DATA: json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n",
        SCHEMA: Path(__file__).with_name(SCHEMA).read_text(encoding="utf-8"),
        PAGE: render(document),
        CARD: model_card(document),
    }
    target = Path(folder).absolute()
    try:
        _place(target, contents)
    except OSError as error:
        raise OutputError(f"cannot write {folder}: {error.strerror or error}", hint="Name another place.") from error


def _place(target: Path, contents: dict[str, str]) -> None:
    made = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent))
    try:
        for name, content in contents.items():
            (made / name).write_text(content.encode("utf-8", "backslashreplace").decode("utf-8"), encoding="utf-8")
        made.chmod(0o777 & ~_umask())
        _swap(made, target)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _swap(made: Path, target: Path) -> None:
    """Put a folder in its place. One that is not empty cannot be renamed over: the old one steps aside first."""
    if not target.is_dir():
        made.rename(target)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".old", dir=target.parent))
    target.rename(aside)
    try:
        made.rename(target)
    except OSError:
        aside.rename(target)
        raise
    shutil.rmtree(aside)


def _umask() -> int:
    """What new folders may not be; asking for it sets it for a moment."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
