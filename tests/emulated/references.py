"""Environments of this machine with the very runtimes of the boards, whose results the boards' have to equal."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.emulated.kept import call, keep
from tests.emulated.roots import PYTHON, SAME_PYTHON, System, versions

OLD_NUMPY = "numpy<2"
"""For tflite-runtime: Debian's version has no wheel for every Python that this may run in."""


def folder_of(system: System, cache: Path) -> Path:
    """Where the environment for a system's runtime is."""
    return cache / f"x86-{system.name}"


def build(system: System, root: Path, wheel: Path, cache: Path) -> None:
    """Make a virtual environment with the versions that a board's root has, and the wheel.

    Raises:
        subprocess.CalledProcessError: a wheel cannot be had.
    """
    wanted = [f"{name}=={version}" for name, version in versions(root).items()]
    wanted += [OLD_NUMPY] if system.from_debian else []
    environment = folder_of(system, cache)
    python = str(environment / "bin/python")

    def make() -> None:
        call("uv", "venv", "--quiet", "--python", sys.executable if SAME_PYTHON else PYTHON, str(environment))
        call("uv", "pip", "install", "--quiet", "--python", python, "--only-binary", ":all:", *wanted)

    keep(environment, (sys.version, *wanted), make)
    call("uv", "pip", "install", "--quiet", "--python", python, "--no-deps", "--reinstall", str(wheel))
