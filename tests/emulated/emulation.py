"""Running commands: on an emulated board, and on this machine with the same runtime."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.emulated import references
from tests.emulated.boards import Board, write_tree
from tests.emulated.kept import keep
from tests.emulated.roots import SYSTEMS, System

ENTER = Path(__file__).with_name("enter.sh")
MATERIAL = "material"
SECONDS = 300.0
"""For one command, which takes three to six on a quiet machine."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command did.

    Attributes:
        code: Exit code; 128 and more where a signal ended it, such as 132 for an unknown instruction.
        out: Standard output.
        err: Standard error.
    """

    code: int
    out: str
    err: str

    @property
    def results(self) -> list[dict[str, Any]]:
        """The lines of standard output, which are JSON objects."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def facts(self) -> Any:
        """Standard output as one JSON value."""
        return json.loads(self.out)


Run = Callable[..., Answer]
"""Runs a command that is given word by word."""


def prepare_board(board: Board, cache: Path) -> None:
    """Write what the board's kernel shows."""
    keep(_tree(board, cache), (Path(__file__).with_name("boards.py").read_text(encoding="utf-8"),),
         lambda: write_tree(board, _tree(board, cache)))


def run_on(board: Board, cache: Path, command: Sequence[str], work: Path) -> Answer:
    """Run a command on a board.

    Args:
        board: The board.
        cache: Where `build` made all that is needed.
        command: A program of the board, such as `edgekit`, and its arguments. `/material` holds models and inputs.
        work: Folder that it runs in, seen as `/work`.

    Raises:
        subprocess.TimeoutExpired: it took longer than `SECONDS`; nothing of it is left.
    """
    environment = {**os.environ, "QEMU_CPU": board.processor}
    return _run([*entering(board, cache, work), *command], work, environment)


def run_here(board: Board, cache: Path, command: Sequence[str], work: Path) -> Answer:
    """Run EdgeKit on this machine with the runtime of the board's system; `/material` is there too.

    Raises:
        subprocess.TimeoutExpired: as in `run_on`.
    """
    programs = references.folder_of(SYSTEMS[board.system], cache) / "bin"
    here = [word.replace("/material", str(cache / MATERIAL)) for word in command]
    return _run([str(programs / here[0]), *here[1:]], work, dict(os.environ))


def entering(board: Board, cache: Path, work: Path) -> list[str]:
    """The command that runs another one on a board; `QEMU_CPU` has to name the processor."""
    system: System = SYSTEMS[board.system]
    emulator = f"/usr/bin/{system.emulator}"
    folders = (cache / system.name, _tree(board, cache), cache / MATERIAL, work)
    return [str(ENTER), *(str(folder.resolve()) for folder in folders), emulator, system.magic]


def _tree(board: Board, cache: Path) -> Path:
    return cache / "boards" / board.name


def _run(command: Sequence[str], work: Path, environment: dict[str, str]) -> Answer:
    done = subprocess.run(
        command, cwd=work, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS,
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


