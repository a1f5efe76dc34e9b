"""Shared libraries: where they are, and of which version, without loading them."""

from __future__ import annotations

import re
from pathlib import Path

from edgekit_devices.machine.machine import Machine

_FOLDERS = ("lib", "usr/lib", "usr/local/lib", "lib64", "usr/lib64", "usr/local/lib64")
_INNER = ("*-linux-gnu*", "tegra", "nvidia")
_VERSION = re.compile(r"\.so\.([\d.]+)$")


def find_library(machine: Machine, name: str) -> Path | None:
    """Path of a shared library by the name that is loaded, such as `libusb-1.0.so.0`."""
    told = machine.environment.get("LD_LIBRARY_PATH", "")
    folders = [Path(folder) for folder in told.split(":") if folder]
    folders += [folder for top in _FOLDERS for folder in _with_inner(machine.path(top))]
    if machine.real:
        folders += _configured(machine)
    return next((folder / name for folder in folders if (folder / name).exists()), None)


def version_of(library: Path) -> str:
    """Version of a library by the name of the file behind its links, such as `0.3.0`; empty where that has none."""
    found = _VERSION.search(library.resolve().name)
    return found[1] if found else ""


def _with_inner(folder: Path) -> list[Path]:
    return [folder, *(inner for pattern in _INNER for inner in sorted(folder.glob(pattern)) if inner.is_dir())]


def _configured(machine: Machine) -> list[Path]:
    """What the system's loader is told beside its own folders."""
    lines = [line.strip() for file in machine.entries("etc/ld.so.conf.d/*.conf") for line in _lines(file)]
    return [Path(line) for line in lines if line.startswith("/")]


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
