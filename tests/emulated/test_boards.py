"""What is proven of Raspberry Pis: the wheel, installed as on the board, runs there by its own command.

A processor that lacks an instruction ends a command with exit code 132, so that each exit code below is that proof too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.emulated.boards import DEGREES, FULL, Board
from tests.emulated.emulation import Run
from tests.emulated.material import FRAMES_EACH, HOP, LABELS, PARROT, RATE, SECONDS, SHOWN, WINDOW

full = pytest.mark.boards(*FULL)
arm64 = pytest.mark.boards("pi4", "pi3", "pi5")


def best(result: dict[str, Any]) -> str:
    return str(result["classes"][0]["label"])


def by_reference(run: Run, model: str) -> list[list[float]]:
    answer = run("edgekit", "run", f"/material/{model}.tflite", f"/material/{model}.npy", "--task", "values",
                 "--device", "cpu:reference")
    assert answer.code == 0, answer.err
    assert answer.results
    return [result["values"] for result in answer.results]


@full
def test_the_package_imports_without_numpy_opencv_and_the_runtime(on_board: Run) -> None:
    heavy = "{'numpy', 'cv2', 'ai_edge_litert', 'tflite_runtime'}"
    answer = on_board("python", "-c", f"import edgekit, sys; print(sorted({heavy} & set(sys.modules)))")
    assert (answer.code, answer.out) == (0, "[]\n"), answer.err


@full
def test_help_names_the_commands(on_board: Run) -> None:
    answer = on_board("edgekit", "--help")
    assert answer.code == 0, answer.err
    for command in ("run", "inspect", "bench", "devices", "doctor"):
        assert f"\n  {command} " in answer.out


def test_a_picture_is_recognized(on_board: Run) -> None:
    answer = on_board("edgekit", "run", "/material/digits.tflite", f"/material/{SHOWN[1]}.png")
    assert answer.code == 0, answer.err
    [result] = answer.results
    assert (best(result), result["device"]) == (str(SHOWN[1]), "cpu")


@full
def test_every_frame_of_a_video_is_recognized(on_board: Run) -> None:
    answer = on_board("edgekit", "run", "/material/digits.tflite", "/material/clip.avi")
    assert answer.code == 0, answer.err
    assert [best(result) for result in answer.results] == [str(digit) for digit in SHOWN for _ in range(FRAMES_EACH)]
    assert [result["sequence"] for result in answer.results] == list(range(FRAMES_EACH * len(SHOWN)))


@full
def test_windows_of_a_sensor_log_are_recognized(on_board: Run) -> None:
    answer = on_board("edgekit", "run", "/material/motion.tflite", "/material/motion.csv")
    assert answer.code == 0, answer.err
    assert len(answer.results) == (RATE * SECONDS - WINDOW) // HOP + 1
    assert [best(answer.results[at]) for at in (0, -1)] == list(LABELS)


@full
def test_a_real_network_recognizes_a_real_photo(on_board: Run, material: Path) -> None:
    if not (material / "mobilenet.tflite").exists():
        pytest.skip("the real models are not here")
    answer = on_board("edgekit", "run", "/material/mobilenet.tflite", "/material/parrot.jpg", "--device", "cpu")
    assert answer.code == 0, answer.err
    assert best(answer.results[0]) == PARROT


def test_reference_kernels_give_the_same_bits_as_here(on_board: Run, here: Run) -> None:
    assert by_reference(on_board, "digits") == by_reference(here, "digits")


@full
def test_reference_kernels_give_the_same_bits_of_a_real_network(on_board: Run, here: Run, material: Path) -> None:
    if not (material / "mobilenet.tflite").exists():
        pytest.skip("the real models are not here")
    assert by_reference(on_board, "mobilenet") == by_reference(here, "mobilenet")


@arm64
def test_xnnpack_takes_the_convolutions(on_board: Run) -> None:
    program = "from edgekit.interpreter import Engine; print(*Engine('/material/digits.tflite').without_delegate())"
    answer = on_board("python", "-c", program)
    assert answer.code == 0, answer.err
    assert set(answer.out.split()) <= {"SOFTMAX"}


@full
def test_inspect_tells_the_same_as_here(on_board: Run, here: Run) -> None:
    there, expected = (run("edgekit", "inspect", "/material/digits.tflite", "--json") for run in (on_board, here))
    assert there.code == 0, there.err
    assert {**there.facts, "file": ""} == {**expected.facts, "file": ""}


@full
def test_a_model_that_is_cut_short_is_refused_with_a_reason(on_board: Run) -> None:
    answer = on_board("edgekit", "run", "/material/cut.tflite", f"/material/{SHOWN[0]}.png")
    assert answer.code == 2
    assert "damaged or cut short" in answer.err


def test_doctor_knows_the_board_and_finds_nothing_that_blocks(on_board: Run, board: Board) -> None:
    answer = on_board("edgekit", "doctor", "/material/digits.tflite", "--json")
    assert answer.code == 0, answer.out + answer.err
    assert board.model in answer.facts["machine"]
    levels = {finding["check"]: finding["level"] for finding in answer.facts["findings"]}
    assert (levels["import-cv2"], levels["runtime"]) == ("ok", "ok")


@full
def test_devices_lists_the_processor_and_nothing_that_is_not_there(on_board: Run, board: Board) -> None:
    answer = on_board("edgekit", "devices", "--json")
    assert answer.code == 0, answer.err
    assert board.model in answer.facts["machine"]
    assert [device["use"] for device in answer.facts["devices"] if device["state"] == "usable"] == ["cpu"]


@full
def test_bench_measures_and_watches_the_temperature(on_board: Run, board: Board) -> None:
    answer = on_board("edgekit", "bench", "/material/digits.tflite", "--device", "cpu", "--runs", "20", "--json")
    assert answer.code == 0, answer.err
    assert answer.facts["machine"]["board"] == board.model
    assert [contender["runs"] for contender in answer.facts["contenders"]] == [20]
    assert answer.facts["after"]["hottest"] == DEGREES


@arm64
def test_the_gpu_says_why_it_cannot_be_used(on_board: Run, board: Board) -> None:
    answer = on_board("edgekit", "run", "/material/digits.tflite", f"/material/{SHOWN[0]}.png", "--device", "gpu")
    assert answer.code == 1, answer.err
    assert ("LSE" in answer.err) is not board.has_lse
    assert "Traceback" not in answer.err
