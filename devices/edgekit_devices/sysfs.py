"""Files in which the kernel tells of the machine: /sys, /proc, the device tree. Any of them may be missing."""

from __future__ import annotations

import os
from pathlib import Path

from edgekit.errors import UsageError

ROOT_VARIABLE = "EDGEKIT_ROOT"
"""Environment variable with a folder that stands for `/` where such files are read: a tree kept from another machine,
or made up by a test."""


def root() -> Path:
    """The folder that holds sys, proc and etc: `/`, unless the environment says otherwise.

    Raises:
        UsageError: what the environment names is no folder.
    """
    folder = Path(os.environ.get(ROOT_VARIABLE) or "/")
    if not folder.is_dir():
        raise UsageError(f"{ROOT_VARIABLE}={folder} is no folder",
                         hint="It stands for / where the machine is looked at. Correct it, or unset it.")
    return folder


def text(path: Path) -> str:
    """What a file says, without spaces at its ends and the zero that ends texts of the device tree.

    Returns:
        Nothing where it cannot be read: it is missing, or the device behind it is switched off.
    """
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip().strip("\0")
    except OSError:
        return ""


def number(path: Path) -> int | None:
    """The whole number that a file holds, in base ten; None where it holds none."""
    try:
        return int(text(path))
    except ValueError:
        return None


def entries(folder: Path, pattern: str = "*") -> list[Path]:
    """Entries of a folder in the order of their names; none where it cannot be read."""
    try:
        return sorted(folder.glob(pattern))
    except OSError:
        return []
