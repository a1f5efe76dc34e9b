"""The comparison of the GPU with the processor, with stand-ins for what a GPU computes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit import DeviceError
from edgekit.interpreter import Engine
from edgekit.tflite import read_model
from edgekit_devices.gpu.agreement import check_agreement

Arrays = Sequence[NDArray[Any]]


def check(path: Path, change: Callable[[NDArray[Any]], NDArray[Any]]) -> None:
    engine = Engine(path)

    def run(inputs: Arrays) -> Arrays:
        return [change(output) for output in engine.run(inputs)]

    check_agreement(read_model(path), run, 1)


def test_the_same_agrees(photo_model: Path, tiny_classifier: Path) -> None:
    check(photo_model, lambda output: output)
    check(tiny_classifier, lambda output: output)


def test_another_rounding_agrees(photo_model: Path, tiny_classifier: Path) -> None:
    check(photo_model, lambda output: output.astype(np.float16).astype(np.float32))
    check(tiny_classifier, lambda output: np.where(output < 120, output + 3, output).astype(np.int8))


@pytest.mark.parametrize("change", [np.zeros_like, lambda output: output[:, ::-1], lambda output: output * np.nan])
def test_another_answer_does_not(photo_model: Path, change: Callable[[NDArray[Any]], NDArray[Any]]) -> None:
    with pytest.raises(DeviceError, match="the GPU computes another y than the processor") as told:
        check(photo_model, change)
    assert "--device cpu" in told.value.hint
    assert "check=off" in told.value.hint


def test_a_quantized_answer_that_is_far_off_does_not(tiny_classifier: Path) -> None:
    with pytest.raises(DeviceError, match="another scores") as told:
        check(tiny_classifier, lambda output: output[:, ::-1])
    assert "Convert the model with --target jetson" in told.value.hint


def test_one_input_where_they_agree_is_enough(photo_model: Path) -> None:
    answers = iter((0, 1))
    check(photo_model, lambda output: output * next(answers))


def test_what_jumps_is_not_judged(build: Callable[..., Path]) -> None:
    search = build("RANK", [("x", (1, 3), "float32")], [("y", (1,), "int32")])
    check(search, lambda output: output + 7)
