"""The device `cpu`: its threads, what computes without XNNPACK, and the reference kernels."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgekit
from edgekit import UsageError
from edgekit.choosing import threads as threads_module
from edgekit.choosing.racing import LEAST_ROUNDS, MOST_ROUNDS, MOST_SECONDS, SECONDS, race
from edgekit.interpreter import Engine

Build = Callable[..., Path]
Set = Callable[..., None]


@pytest.fixture
def cores_to_spare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Set:
    """Makes the default number of threads 3 and the outcome of a race known; the folder for records is the test's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def take(times: Mapping[str, float] | None) -> None:
        def run(ways: Mapping[str, Callable[[], object]]) -> Mapping[str, float]:
            assert times is not None, "there was no need for a race"
            for way in ways.values():
                way()
            assert list(ways) == list(times)
            return times

        monkeypatch.setattr(threads_module, "default_threads", lambda: 3)
        monkeypatch.setattr(threads_module, "race", run)

    return take


@pytest.mark.parametrize("device", ["cpu", "auto"])
@pytest.mark.parametrize(("one", "three", "taken"), [(2.0, 1.0, 3), (2.0, 1.9, 1), (0.7, 49.0, 1)])
def test_more_threads_are_taken_only_where_they_are_faster(
    *, numbers: Path, cores_to_spare: Set, device: str, one: float, three: float, taken: int
) -> None:
    cores_to_spare({"1": one, "3": three})
    model = edgekit.load(numbers, device=device)
    assert model.threads == taken
    words = f"cpu, {taken} thread{'s' if taken > 1 else ''}: no accelerator is attached"
    assert model.device_reason == (words if device == "auto" else "")


def test_what_a_race_found_is_remembered_for_the_model(
    numbers: Path, sigmoid: Path, cores_to_spare: Set, tmp_path: Path
) -> None:
    cores_to_spare({"1": 2.0, "3": 1.0})
    assert edgekit.load(numbers).threads == 3
    [record] = (tmp_path / "cache" / "edgekit" / "trials").iterdir()
    about = json.loads(record.read_text())["about"]
    assert about["runtime"].startswith(("ai_edge_litert ", "tflite_runtime "))
    cores_to_spare(None)
    copy = numbers.with_name("copy.tflite")
    copy.write_bytes(numbers.read_bytes())
    assert edgekit.load(numbers).threads == edgekit.load(copy).threads == 3
    cores_to_spare({"1": 1.0, "3": 2.0})
    assert edgekit.load(sigmoid).threads == 1


def test_a_number_of_threads_that_was_asked_for_is_taken(numbers: Path, cores_to_spare: Set) -> None:
    cores_to_spare(None)
    assert edgekit.load(numbers, threads=2).threads == 2
    assert Engine(numbers, threads=4).threads == 4


@pytest.mark.parametrize("content", ["", "[]", '{"times": {"1": "fast"}}', '{"times": {"1": 1.0}, "different": []}'])
def test_a_damaged_record_is_made_anew(numbers: Path, cores_to_spare: Set, tmp_path: Path, content: str) -> None:
    cores_to_spare({"1": 2.0, "3": 1.0})
    edgekit.load(numbers)
    [record] = (tmp_path / "cache" / "edgekit" / "trials").iterdir()
    before = record.read_text()
    record.write_text(content)
    assert edgekit.load(numbers).threads == 3
    assert record.read_text() == before


def test_without_a_place_for_records_the_race_is_run_again(
    numbers: Path, cores_to_spare: Set, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    for folder in (str(tmp_path / "file"), "/proc/no/such/place"):
        monkeypatch.setenv("XDG_CACHE_HOME", folder)
        for times, taken in (({"1": 2.0, "3": 1.0}, 3), ({"1": 1.0, "3": 2.0}, 1)):
            cores_to_spare(times)
            assert edgekit.load(numbers).threads == taken


def test_races_take_turns_and_are_short() -> None:
    """By a clock that goes on by as much as a run is said to take, the first three runs of `slow` a hundred times."""
    now, order = 0.0, ""

    def run(name: str, seconds: float) -> None:
        nonlocal now, order
        now, order = now + seconds, order + name

    ways: dict[str, Callable[[], None]] = {"a": lambda: run("a", 0.001), "b": lambda: run("b", 0.003)}
    times = race(ways, lambda: now)
    assert {name: round(time, 6) for name, time in times.items()} == {"a": 1.0, "b": 3.0}
    assert order == "ab" * (1 + MOST_ROUNDS)

    order = ""
    assert race({"a": lambda: run("a", SECONDS)}, lambda: now)["a"] == pytest.approx(SECONDS * 1000)
    assert order == "a" * (1 + LEAST_ROUNDS)

    order = ""
    race({"a": lambda: run("a", MOST_SECONDS), "b": lambda: run("b", 0.001)}, lambda: now)
    assert order == "abab"


@pytest.fixture
def unsuited(tiny_parts: Any, pack_model: Callable[[Any], bytes], tmp_path: Path) -> Path:
    """A classifier whose weights have a zero point, which XNNPACK refuses."""
    tiny_parts.subgraphs[0].tensors[1].quantization.zeroPoint = [3]
    path = tmp_path / "unsuited.tflite"
    path.write_bytes(pack_model(tiny_parts))
    return path


def test_threads_without_xnnpack_are_warned_of(unsuited: Path, tiny_classifier: Path) -> None:
    with pytest.warns(UserWarning, match="2 threads compute FULLY_CONNECTED without XNNPACK") as told:
        edgekit.load(unsuited, threads=2)
    [message] = [str(warning.message) for warning in told]
    assert message.startswith("unsuited.tflite: ")
    assert "Leave out the number of threads" in message
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        edgekit.load(tiny_classifier, threads=2)
        edgekit.load(unsuited, threads=1)
        edgekit.load(unsuited)


def test_an_older_runtime_has_a_cure_of_its_own(unsuited: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import types

    from edgekit import cpu_device

    monkeypatch.setattr(cpu_device, "import_runtime", lambda: types.ModuleType("tflite_runtime.interpreter"))
    with pytest.warns(UserWarning, match="install ai-edge-litert, whose XNNPACK takes quantized operations"):
        edgekit.load(unsuited, threads=2)


def test_only_cpu_and_its_reference_kernels_exist(numbers: Path) -> None:
    model = edgekit.load(numbers, device="cpu:reference")
    assert (model.device, model.threads, model.device_reason) == ("cpu:reference", 1, "")
    assert model([-1.0, 2.0, -3.0]).device == "cpu:reference"
    with pytest.raises(UsageError, match="device cannot be 'cpu:fast'") as caught:
        edgekit.load(numbers, device="cpu:fast")
    assert "cpu:reference" in caught.value.hint


def test_reference_kernels_compute_without_xnnpack(tiny_classifier: Path) -> None:
    assert "FULLY_CONNECTED" not in Engine(tiny_classifier).without_delegate()
    for kernels in ("plain", "reference"):
        assert Engine(tiny_classifier, kernels=kernels).without_delegate() == {"FULLY_CONNECTED": 1, "SOFTMAX": 1}


def test_reference_kernels_give_the_same_bits_everywhere(shared: Path) -> None:
    """tflite-runtime 2.14 gives this checksum too."""
    model = edgekit.load(shared / "tflite" / "mobilenet_v1_0.25_128_quant.tflite", device="cpu:reference")
    picture = np.random.default_rng(0).integers(0, 255, (1, 128, 128, 3)).astype(np.uint8)
    [scores] = model.tensors(picture)
    assert hashlib.sha256(scores.tobytes()).hexdigest().startswith("5b35038533b51de0")
