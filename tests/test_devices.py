"""Devices as packages register them, their options, several in turn, and the file that a compiled model came from."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import edgekit
from edgekit import DeviceError, ModelFileError, Result, UsageError
from edgekit.device import Option, Request, Runner
from edgekit.interpreter import Engine, load_delegate

Build = Callable[..., Path]
Register = Callable[..., None]


def values(result: Result) -> list[float]:
    found: list[float] = json.loads(result.to_json())["values"]
    return found


class Mine:
    """A device of somebody else's, with chips that say which of them answered."""

    options: tuple[Option, ...] | None = (Option("speed", ("slow", "fast")), Option("file", (), "PATH"))

    def __init__(self, chips: int = 1, error: str = "") -> None:
        self.chips, self.error = chips, error
        self.requests: list[Request] = []

    def check(self, spec: str) -> None:
        if spec == "nonsense":
            raise UsageError("mine has no nonsense")

    def open(self, request: Request) -> Mapping[str, Runner]:
        self.requests.append(request)
        if self.error:
            raise DeviceError(self.error, hint="Plug it in.")
        return {f"{request.name}#{chip}": Chip(chip) for chip in range(self.chips)}


class Chip:
    threads = 1

    def __init__(self, number: int) -> None:
        self.number = number

    def run(self, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        return [np.abs(array) + self.number for array in inputs]

    def reset(self) -> None:
        pass


def test_a_registered_device_is_told_all_and_runs_the_model(numbers: Path, register: Register) -> None:
    mine = Mine()
    register(mine=mine)
    model = edgekit.load(numbers, device="mine:usb:0", device_options={"speed": "fast"}, threads=2)
    [request] = mine.requests
    assert (request.name, request.spec, request.options) == ("mine:usb:0", "usb:0", {"speed": "fast"})
    assert (request.threads, request.model.path, request.fallback) == (2, str(numbers), False)
    assert (model.device, model.parallel, model.threads) == ("mine:usb:0", 1, 1)
    result = model([-1.0, 2.0, -3.0])
    assert (result.device, values(result)) == ("mine:usb:0#0", [1.0, 2.0, 3.0])
    with pytest.raises(UsageError, match="no nonsense"):
        edgekit.load(numbers, device="mine:nonsense")


def test_chips_take_turns_and_results_keep_their_order(numbers: Path, register: Register, tmp_path: Path) -> None:
    register(mine=Mine(chips=3))
    rows = tmp_path / "rows.csv"
    rows.write_text("".join(f"{-10 * row},0,0\n" if row != 4 else "no,number,here\n" for row in range(8)))
    model = edgekit.load(numbers, device="mine")
    assert model.parallel == 3
    with warnings.catch_warnings(record=True) as caught:
        results = list(edgekit.run(model, rows))
        first = next(edgekit.run(model, rows))  # and leaves the rest
    assert first.sequence == 0
    assert [entry.sequence for entry in results] == [0, 1, 2, 3, 5, 6, 7]
    places = [(int(entry.device[-1]), values(entry)[0]) for entry in results]
    assert all(value == 10 * entry.sequence + chip for (chip, value), entry in zip(places, results, strict=True))
    assert {chip for chip, _ in places} == {0, 1, 2}
    assert len(caught) == 1
    assert "skipped" in str(caught[0].message)


def test_chips_go_on_without_one_that_fails(numbers: Path, register: Register, tmp_path: Path) -> None:
    class Broken(Chip):
        def run(self, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
            raise DeviceError("the chip is gone")

    class Two(Mine):
        def open(self, request: Request) -> Mapping[str, Runner]:
            return {"a": Chip(0), "b": Broken(1)}

    register(two=Two())
    rows = tmp_path / "rows.csv"
    rows.write_text("".join(f"{row},0,0\n" for row in range(20)))
    told: list[str] = []
    results = list(edgekit.run(
        numbers, rows, device="two", device_options={"speed": "slow"}, on_event=lambda event: told.append(str(event))
    ))
    assert [values(entry)[0] for entry in results] == list(range(20))
    assert {entry.device for entry in results} == {"a"}
    assert told == [
        "b: failed (the chip is gone)", "two: reloaded (it was opened again)", "b: failed (the chip is gone)",
        "b: device-lost (a takes over)",
    ]


@pytest.mark.parametrize(
    ("options", "words", "hint"),
    [
        ({"sped": "fast"}, "mine takes no device option 'sped'", "Did you mean 'speed'? It takes speed=slow|fast"),
        ({"speed": "Fast"}, "device option speed cannot be 'Fast'", "Choose one of slow, fast."),
    ],
)
def test_unknown_device_options_are_refused(
    *, numbers: Path, register: Register, options: dict[str, str], words: str, hint: str
) -> None:
    register(mine=Mine())
    with pytest.raises(UsageError, match=words) as caught:
        edgekit.load(numbers, device="mine", device_options=options)
    assert hint in caught.value.hint


def test_a_device_may_take_any_option_and_the_processor_takes_none(numbers: Path, register: Register) -> None:
    free = Mine()
    free.options = None
    register(free=free)
    edgekit.load(numbers, device="free", device_options={"what": 7})
    assert free.requests[0].options == {"what": "7"}
    with pytest.raises(UsageError, match="cpu takes no device option 'what'") as caught:
        edgekit.load(numbers, device="cpu", device_options={"what": 7})
    assert caught.value.hint == "It takes none."


def test_devices_are_tried_in_turn(numbers: Path, register: Register) -> None:
    absent, mine = Mine(error="no Npu attached"), Mine()
    register(absent=absent, mine=mine)
    with pytest.warns(UserWarning, match="^absent:1 cannot be used, trying mine: no Npu attached$"):
        model = edgekit.load(numbers, device="absent:1, mine,cpu", device_options={"speed": "slow"})
    assert model.device == "mine"
    assert absent.requests[0].fallback
    with pytest.warns(UserWarning, match="^absent cannot be used, trying cpu"):
        assert edgekit.load(numbers, device="absent,cpu").device == "cpu"
    with pytest.raises(UsageError, match="device cannot be 'npu'"):
        edgekit.load(numbers, device="mine,npu")
    with pytest.warns(UserWarning), pytest.raises(DeviceError, match="none of the devices can be used") as caught:
        edgekit.load(numbers, device="absent,absent:1")
    assert "absent: no Npu attached; absent:1: no Npu attached" in caught.value.message
    assert "absent:1: Plug it in." in caught.value.hint


@pytest.fixture
def compiled(build: Build) -> Path:
    """A file as the Edge TPU's compiler makes it, with nothing beside it."""
    path = build("CUSTOM", [("x", (1, 3), "int8", 0.5)], [("y", (1, 3), "int8", 0.5)], code="edgetpu-custom-op")
    return path.rename(path.with_name("model_edgetpu.tflite"))


@pytest.fixture
def twins(compiled: Path, build: Build) -> Path:
    """A compiled file, with one beside it that it could have been made from."""
    twin = build("ABS", [("x", (1, 3), "int8", 0.5)], [("y", (1, 3), "int8", 0.5)])
    twin.rename(twin.with_name("model.tflite"))
    return compiled


def test_the_processor_runs_the_twin_only_beside_other_devices(twins: Path) -> None:
    with pytest.raises(UsageError, match="cannot run on the cpu") as caught:
        edgekit.load(twins, device="cpu")
    assert f"Run {twins.with_name('model.tflite')}" in caught.value.hint
    with pytest.warns(UserWarning, match=r"model\.tflite, the uncompiled twin of model_edgetpu\.tflite"):
        model = edgekit.load(twins, device="cpu,coral")
    assert values(model([-1, 1.5, -2])) == [1.0, 1.5, 2.0]
    assert (model.device, model.path) == ("cpu", twins)


def test_the_fake_edge_tpu_runs_the_twin(twins: Path) -> None:
    model = edgekit.load(twins, device="coral-fake")
    result = model([-1, 1.5, -2])
    assert (model.device, result.device, values(result)) == ("coral-fake", "coral-fake", [1.0, 1.5, 2.0])
    with pytest.raises(UsageError, match="coral-fake:1"):
        edgekit.load(twins, device="coral-fake:1")
    with pytest.raises(UsageError, match="not compiled for the Edge TPU"):
        edgekit.load(twins.with_name("model.tflite"), device="coral-fake")
    with pytest.raises(DeviceError):  # never chosen but by its name
        edgekit.load(twins, device_options={"library": "/absent/libedgetpu.so"})


@pytest.mark.parametrize("device", ["coral-fake", "cpu,coral-fake"])
def test_a_missing_twin_is_told(compiled: Path, device: str) -> None:
    with warnings.catch_warnings(), pytest.raises(UsageError, match="is not beside it") as caught:
        warnings.simplefilter("ignore")
        edgekit.load(compiled, device=device)
    assert "Put model.tflite beside it." in caught.value.hint
    other = compiled.rename(compiled.with_name("other.tflite"))
    with pytest.raises(UsageError, match="is not beside it") as caught:
        edgekit.load(other, device="coral-fake")
    assert "NAME_edgetpu.tflite" in caught.value.hint


def test_another_model_is_no_twin(compiled: Path, build: Build) -> None:
    twin = compiled.with_name("model.tflite")
    for scale, size, words in ((0.25, 3, "scale 0.25 .*not .*scale 0.5"), (0.5, 4, r"int8\[1, 4\]")):
        build("ABS", [("x", (1, size), "int8", scale)], [("y", (1, size), "int8", scale)]).rename(twin)
        with pytest.raises(ModelFileError, match=f"is not what model_edgetpu.tflite was compiled from.*{words}"):
            edgekit.load(compiled, device="coral-fake")
    shutil.copy(compiled, twin)
    with pytest.raises(ModelFileError, match="compiled for the Edge TPU too"):
        edgekit.load(compiled, device="coral-fake")


@pytest.mark.parametrize(
    ("compiled", "twin"),
    [
        ("tflite/mobilenet_v1_0.25_128_quant_edgetpu.tflite", "tflite/mobilenet_v1_0.25_128_quant.tflite"),
        ("edgetpu/compiled/LibrEdgeTPU__dense_256_edgetpu.tflite", "edgetpu/models/LibrEdgeTPU__dense_256.tflite"),
        ("edgetpu/compiled/test_data__split_concat_edgetpu.tflite", "edgetpu/models/test_data__split_concat.tflite"),
    ],
)
def test_real_twins_belong_together(shared: Path, tmp_path: Path, compiled: str, twin: str) -> None:
    (tmp_path / "m_edgetpu.tflite").write_bytes((shared / compiled).read_bytes())
    (tmp_path / "m.tflite").write_bytes((shared / twin).read_bytes())
    fake, plain = edgekit.load(tmp_path / "m_edgetpu.tflite", device="coral-fake"), edgekit.load(tmp_path / "m.tflite")
    tensors = [np.arange(np.prod(it.shape)).reshape(it.shape).astype(it.dtype) for it in fake.inputs]
    for one, other in zip(fake.tensors(*tensors), plain.tensors(*tensors), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_library_that_is_no_delegate(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match=r"absent\.so cannot be loaded"):
        load_delegate("/absent.so", {})
    with pytest.raises(DeviceError, match="is no TensorFlow Lite delegate: it has no tflite_plugin_create_delegate"):
        load_delegate("libc.so.6", {})


def test_without_a_delegate_the_runtime_s_refusal_is_explained(compiled: Path) -> None:
    with pytest.raises(ModelFileError, match="edgetpu-custom-op") as caught:
        Engine(compiled)
    assert "use --device coral, or run the file that it was compiled from" in caught.value.hint


def test_an_engine_runs_on_zeros(numbers: Path) -> None:
    engine = Engine(numbers)
    engine.run_zeros()
    assert engine.run([np.array([[-1, 0, 2]], np.float32)])[0].tolist() == [[1, 0, 2]]
