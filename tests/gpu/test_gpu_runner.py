"""What becomes of an input whose process dies, and of the one after it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgekit import DeviceError
from edgekit_devices.gpu.runner import GpuRunner
from edgekit_devices.remote.runner import RemoteRunner

Told = list[tuple[str, str]]


@pytest.fixture
def mortal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], tuple[GpuRunner, Told]]:
    """Makes a runner whose processes die (d) or fail (f) at their next runs, with what it tells."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))

    def make(fate: str) -> tuple[GpuRunner, Told]:
        file, told = tmp_path / "fate", Told()
        file.write_text(fate)

        def start() -> RemoteRunner:
            return RemoteRunner("gpu", "mortal_engine:open_engine", {"fate": str(file)}, open_seconds=60, seconds=60)

        return GpuRunner("gpu", start(), start, lambda kind, detail: told.append((kind, detail))), told

    return make


def run(runner: GpuRunner, value: float) -> list[float]:
    [answer] = runner.run([np.full(3, value, np.float32)])
    found: list[float] = answer.tolist()
    return found


def test_deaths_and_failures_cost_no_answer(mortal: Callable[[str], tuple[GpuRunner, Told]]) -> None:
    runner, told = mortal("df d")
    assert run(runner, 1) == [-1, -1, -1]
    assert run(runner, 2) == [-2, -2, -2]
    assert [kind for kind, _ in told] == ["reloaded"] * 3
    assert "SIGKILL" in told[0][1]
    assert "device lost" in told[1][1]
    runner.close()


def test_an_input_that_kills_three_in_a_row_is_an_error_and_the_next_one_is_not(
    mortal: Callable[[str], tuple[GpuRunner, Told]]
) -> None:
    runner, told = mortal("ddd")
    with pytest.raises(DeviceError, match=r"SIGKILL.*3 times in a row with the same input"):
        run(runner, 1)
    assert len(told) == 2
    assert run(runner, 2) == [-2, -2, -2]
    runner.close()
