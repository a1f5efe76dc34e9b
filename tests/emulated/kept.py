"""Folders that are made once and kept until what they are made of changes."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

KEY = ".made-of"


def keep(folder: Path, parts: Iterable[str], make: Callable[[], None]) -> bool:
    """Make a folder, unless it is there and was made of the same parts; one that was left half made is made anew.

    Returns:
        Whether it was made now.
    """
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    mark = folder / KEY
    if mark.is_file() and mark.read_text(encoding="ascii") == key:
        return False
    shutil.rmtree(folder, ignore_errors=True)
    make()
    mark.write_text(key, encoding="ascii")
    return True


def call(*command: str) -> None:
    """Run a program.

    Raises:
        subprocess.CalledProcessError: it failed; `output` is all that it said.
    """
    subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
