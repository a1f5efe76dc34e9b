"""The Python that runs: its version, its build, and what is installed in it."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import struct
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

SYSTEM_OPENCV = "python3-opencv"
"""OpenCV of the system: Debian's package, or JetPack's. It leaves no metadata, by which pip knows what is installed."""


@dataclass(frozen=True, slots=True)
class Package:
    """An installed distribution.

    Attributes:
        version: Such as `2.3.0`; empty where it does not tell.
        folder: Where its modules are.
    """

    version: str
    folder: Path

    @property
    def numbers(self) -> tuple[int, ...]:
        """The version as numbers, without what follows them."""
        return tuple(int(part) for part in re.findall(r"\d+", self.version.partition("+")[0])[:3])


@dataclass(frozen=True, slots=True)
class Python:
    """A Python.

    Attributes:
        version: Such as (3, 11, 2).
        bits: 32 or 64, of its pointers.
        executable: Path of the program.
        is_venv: Whether it is a virtual environment.
        free_threaded: Whether it is the build without the global lock.
        libc: `glibc` and its version, such as ("glibc", "2.36"); another C library such as musl has its own name, or
            none.
        packages: Installed distributions by their names in lower case with dashes.
    """

    version: tuple[int, int, int]
    bits: int
    executable: str
    is_venv: bool = True
    free_threaded: bool = False
    libc: tuple[str, str] = ("glibc", "2.36")
    packages: Mapping[str, Package] = field(default_factory=dict)

    @property
    def shown(self) -> str:
        """The version as people write it."""
        return ".".join(map(str, self.version))


def this_python() -> Python:
    """The Python that this runs in."""
    return Python(
        version=sys.version_info[:3],
        bits=struct.calcsize("P") * 8,
        executable=sys.executable,
        is_venv=sys.prefix != sys.base_prefix,
        free_threaded=bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        libc=_libc(),
        packages=_packages(),
    )


def _libc() -> tuple[str, str]:
    """The C library that runs, which the one of Python's build need not be."""
    try:
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
    except (OSError, ValueError):  # a C library that is not GNU's does not know the question
        return platform.libc_ver()
    return name, version


def _packages() -> dict[str, Package]:
    """By name; where there are two of a name, the one that is imported."""
    from importlib.metadata import distributions

    found: dict[str, Package] = {}
    for one in distributions():
        try:
            name, version = one.metadata["Name"], one.version
        except (KeyError, OSError):  # left over from a removal that was cut short
            continue
        if name:
            folder = Path(str(one.locate_file("")))
            found.setdefault(re.sub(r"[-_.]+", "-", name).lower(), Package(version or "", folder))
    opencv = importlib.util.find_spec("cv2")
    if opencv and opencv.origin and not any(name.startswith("opencv") for name in found):
        found[SYSTEM_OPENCV] = Package("", Path(opencv.origin).parent)
    return found
