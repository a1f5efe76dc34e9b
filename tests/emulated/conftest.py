"""Boards for the tests of this folder, which run where `.ci/boards` has made them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.emulated import emulation
from tests.emulated.boards import BOARDS, Board
from tests.emulated.emulation import Run

CACHE = os.environ.get("EDGEKIT_BOARDS")
collect_ignore_glob = [] if CACHE else ["test_*.py"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test on each board, or on those that its mark `boards` names; one board after the other, in a process."""
    if "board" in metafunc.fixturenames:
        mark = metafunc.definition.get_closest_marker("boards")
        names = mark.args if mark else BOARDS
        metafunc.parametrize(
            "board", [pytest.param(BOARDS[name], id=name, marks=pytest.mark.xdist_group(name)) for name in names]
        )


@pytest.fixture
def cache() -> Path:
    return Path(CACHE or "").resolve()


@pytest.fixture
def material(cache: Path) -> Path:
    """Models and inputs, which boards see as `/material`."""
    return cache / emulation.MATERIAL


@pytest.fixture
def on_board(board: Board, cache: Path, tmp_path: Path) -> Run:
    """Runs a program of the board; its folder is the test's."""
    return lambda *command: emulation.run_on(board, cache, command, tmp_path)


@pytest.fixture
def here(board: Board, cache: Path, tmp_path: Path) -> Run:
    """Runs EdgeKit on this machine, with the runtime that the board has."""
    return lambda *command: emulation.run_here(board, cache, command, tmp_path)
