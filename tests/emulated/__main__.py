"""Emulated boards.

    python -m tests.emulated build WHEEL [CACHE]    makes all that they need; the cache is .cache/boards
    python -m tests.emulated on BOARD COMMAND...    runs a command on one, such as: on pi4 edgekit doctor
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.emulated import emulation, references, roots
from tests.emulated.boards import BOARDS
from tests.emulated.kept import call, keep

CACHE = Path(".cache/boards")
NO_PACKAGES = 75
"""Exit code where Debian's packages cannot be had; EX_TEMPFAIL of sysexits.h."""


def main(arguments: list[str]) -> None:
    """Carry out one of the two."""
    match arguments:
        case ["build", wheel]:
            build(Path(wheel), CACHE)
        case ["on", board, *command] if board in BOARDS and command:
            _enter(board, command)
        case _:
            sys.exit(f"{__doc__}\nBoards: {', '.join(BOARDS)}")


def build(wheel: Path, cache: Path) -> None:
    """Make roots, references, board trees and material, at the same time; what the cache has already is kept."""
    cache.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor() as pool:
        jobs = [
            *(pool.submit(_timed, name, _make_system, name, wheel, cache) for name in reversed(roots.SYSTEMS)),
            pool.submit(_timed, "models and inputs", _make_material, wheel, cache),
        ]
        for job in jobs:
            job.result()
    for board in BOARDS.values():
        emulation.prepare_board(board, cache)


def _make_system(name: str, wheel: Path, cache: Path) -> None:
    system = roots.SYSTEMS[name]
    root = roots.build(system, wheel, cache)
    references.build(system, root, wheel, cache)


def _make_material(wheel: Path, cache: Path) -> None:
    """Convert in a process whose TensorFlow ends with it; anew for each wheel, since that holds the converter."""
    folder = cache / emulation.MATERIAL
    sources = (Path(__file__).with_name("material.py").read_text(encoding="utf-8"), wheel.read_bytes().hex())
    keep(folder, sources, lambda: call(sys.executable, "-m", "tests.emulated.material", str(folder)))


def _timed(what: str, make: Callable[..., None], *arguments: object) -> None:
    start = time.monotonic()
    try:
        make(*arguments)
    except subprocess.CalledProcessError as error:
        print(f"{what}: {' '.join(error.cmd)} failed:\n{error.output}", flush=True)
        raise SystemExit(NO_PACKAGES if error.cmd[0] == "mmdebstrap" else 1) from error
    print(f"{what}: {time.monotonic() - start:.0f} s", flush=True)


def _enter(name: str, command: list[str]) -> None:
    board = BOARDS[name]
    with tempfile.TemporaryDirectory() as work:
        environment = {**os.environ, "QEMU_CPU": board.processor}
        entering = emulation.entering(board, CACHE, Path(work))
        sys.exit(subprocess.run([*entering, *command], env=environment, check=False).returncode)


if __name__ == "__main__":
    main(sys.argv[1:])
