"""What `--device auto` chooses: by what is attached, what the model was made for, and a trial; and why, in one line."""

from __future__ import annotations

import json
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import edgekit
from edgekit import DeviceError, Model, UsageError, plugins
from edgekit.choosing import agreement, trial
from edgekit.device import Option, Request, Runner
from edgekit.errors import EdgeKitError
from edgekit.interpreter import Engine
from edgekit.metadata import Metadata
from edgekit.tflite import ModelFile

pytestmark = pytest.mark.filterwarnings("ignore:npu. (software|failed|reloaded)")

Call = Callable[..., int]
Describe = Callable[[Path, Metadata], None]


class Npu:
    """An accelerator that computes on the processor, and answers as it is told to."""

    options = (Option("speed", ("slow", "fast")),)

    def __init__(self, words: str | EdgeKitError = "npu0", *, error: EdgeKitError | None = None) -> None:
        self.words, self.error = words, error
        self.opened: list[NpuRunner] = []
        self.answer: Callable[[list[NDArray[Any]]], list[NDArray[Any]]] = list

    def attached(self, model: ModelFile) -> str:
        assert model.inputs
        if isinstance(self.words, EdgeKitError):
            raise self.words
        return self.words

    def check(self, spec: str) -> None:
        pass

    def open(self, request: Request) -> Mapping[str, Runner]:
        if self.error:
            raise self.error
        request.tell("software", "it is none")
        self.opened.append(NpuRunner(self, request))
        return {request.name: self.opened[-1]}


class NpuRunner:
    threads = 1

    def __init__(self, npu: Npu, request: Request) -> None:
        self.options, self.closed = request.options, False
        self._npu, self._engine = npu, Engine(request.model.path)

    def run(self, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        return self._npu.answer(self._engine.run(inputs))

    def reset(self) -> None:
        self._engine.reset()

    def close(self) -> None:
        self.closed = True


Attach = Callable[..., None]
Times = Callable[..., None]


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where this test's trials are recorded."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "edgekit" / "trials"


@pytest.fixture
def attach(monkeypatch: pytest.MonkeyPatch) -> Attach:
    """Registers devices as packages do, and the functions that say whether they are attached."""
    real = plugins.registered

    class Point:
        def __init__(self, thing: object) -> None:
            self.load = lambda: thing

    def fill(**devices: Npu) -> None:
        groups = {
            "edgekit.devices": {name: Point(device) for name, device in devices.items()},
            "edgekit.attached": {name: Point(device.attached) for name, device in devices.items()},
        }
        monkeypatch.setattr(plugins, "registered", lambda group: groups[group] if group in groups else real(group))

    return fill


@pytest.fixture
def taking(monkeypatch: pytest.MonkeyPatch) -> Times:
    """Says how many milliseconds each device is to take in a trial; they run all the same."""

    def take(**times: float) -> None:
        def run(ways: Mapping[str, Callable[[], object]]) -> dict[str, float]:
            for way in ways.values():
                way()
            return {name: times[name] for name in ways}

        monkeypatch.setattr(trial, "race", run)

    return take


def test_the_fastest_is_chosen_and_the_trial_remembered(tiny_classifier: Path, attach: Attach, taking: Times) -> None:
    npu = Npu()
    attach(npu=npu)
    taking(cpu=41.2, npu=3.21)
    model = edgekit.load(tiny_classifier)
    assert model.device == model(np.zeros((8, 8, 1), np.uint8), channels="rgb").device == "npu"
    assert model.device_reason == "npu: 3.2 ms against 41.2 ms on cpu (measured now)"
    assert [runner.closed for runner in npu.opened] == [True, False]

    taking()
    assert edgekit.load(tiny_classifier).device_reason == "npu: 3.2 ms against 41.2 ms on cpu (measured before)"
    assert len(npu.opened) == 3


def test_the_processor_stays_where_it_is_faster(tiny_classifier: Path, attach: Attach, taking: Times) -> None:
    npu, other = Npu(), Npu("other0")
    attach(npu=npu, other=other)
    taking(cpu=0.4381, npu=0.5, other=230.4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # what the others tell while they are tried is told by the reason
        model = edgekit.load(tiny_classifier)
    assert model.device == "cpu"
    threads = f"{model.threads} thread{'s' if model.threads > 1 else ''}"
    assert model.device_reason == (
        f"cpu, {threads}: 0.438 ms against 0.500 ms on npu and 230 ms on other (measured now)"
    )
    assert [runner.closed for device in (npu, other) for runner in device.opened] == [True, True]


def test_a_device_that_was_named_needs_no_trial(tiny_classifier: Path, attach: Attach, taking: Times) -> None:
    npu = Npu()
    attach(npu=npu)
    taking()
    with pytest.warns(UserWarning, match="it is none"):
        assert edgekit.load(tiny_classifier, device="npu").device_reason == ""
    assert edgekit.load(tiny_classifier, device="cpu").device_reason == ""
    assert len(npu.opened) == 1


def test_where_nothing_is_attached_there_is_no_trial_and_no_record(
    numbers: Path, attach: Attach, taking: Times, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    npu = Npu("")
    attach(npu=npu)
    taking()
    assert edgekit.load(numbers, threads=1).device_reason == "cpu, 1 thread: no accelerator is attached"
    assert npu.opened == []
    assert not cache.exists()


@pytest.mark.parametrize(
    ("target", "npu_takes", "device"),
    [("npu", 1.2, "npu"), ("npu", 1.3, "cpu"), ("coral", 1.2, "cpu"), ("", 0.9, "npu")],
)
def test_what_a_model_was_made_for_may_be_a_little_slower(
    *, tiny_classifier: Path, attach: Attach, taking: Times, describe: Describe, target: str, npu_takes: float,
    device: str,
) -> None:
    describe(tiny_classifier, Metadata(target=target or None))
    attach(npu=Npu())
    taking(cpu=1.0, npu=npu_takes)
    assert edgekit.load(tiny_classifier).device == device


@pytest.mark.parametrize(("target", "named"), [("jetson", "gpu"), ("coral", "coral"), ("cpu", "")])
def test_that_the_device_is_missing_which_a_model_was_made_for_is_told(
    *, tiny_classifier: Path, attach: Attach, describe: Describe, target: str, named: str
) -> None:
    describe(tiny_classifier, Metadata(target=target))
    attach()
    words = f"the model was converted for {target}, and no {named} is attached"
    assert (words in edgekit.load(tiny_classifier).device_reason) is bool(named)


def test_a_device_that_gives_other_results_is_left_out(tiny_classifier: Path, attach: Attach, taking: Times) -> None:
    npu = Npu()
    npu.answer = lambda outputs: [np.roll(output, 1) for output in outputs]
    attach(npu=npu)
    taking(cpu=9.0)
    for _ in range(2):
        model = edgekit.load(tiny_classifier, threads=1)
        assert model.device_reason == "cpu, 1 thread: npu gives other results than the cpu and is left out"
    assert len(npu.opened) == 1


@pytest.mark.parametrize(("slow", "samples"), [(0.0, 1), (1e9, 4)])
def test_of_a_slow_network_one_sample_has_to_do(
    *, tiny_classifier: Path, attach: Attach, taking: Times, monkeypatch: pytest.MonkeyPatch, slow: float, samples: int
) -> None:
    npu, runs = Npu(), []
    npu.answer = lambda outputs: runs.append(0) or outputs  # type: ignore[func-returns-value]
    attach(npu=npu)
    taking(cpu=1.0, npu=2.0)
    monkeypatch.setattr(agreement, "SLOW_SECONDS", slow)
    edgekit.load(tiny_classifier)
    assert len(runs) == samples + 1  # and one in the race


@pytest.mark.parametrize("wrong", ["nan", "shape", "dtype", "few"])
def test_results_of_another_form_are_other_results(
    *, numbers: Path, attach: Attach, taking: Times, wrong: str
) -> None:
    changes: dict[str, Callable[[NDArray[Any]], list[NDArray[Any]]]] = {
        "nan": lambda y: [y * np.nan], "shape": lambda y: [y[0]], "dtype": lambda y: [y.astype(np.float64)],
        "few": lambda y: [],
    }
    npu = Npu()
    npu.answer = lambda outputs: changes[wrong](outputs[0])
    attach(npu=npu)
    taking(cpu=9.0)
    assert "npu gives other results" in edgekit.load(numbers).device_reason


def test_small_differences_are_none(tiny_classifier: Path, attach: Attach, taking: Times) -> None:
    """The last bit of some scores, as other roundings leave it."""
    npu = Npu()
    npu.answer = lambda outputs: [np.where(output > -120, output - 1, output).astype(np.int8) for output in outputs]
    attach(npu=npu)
    taking(cpu=9.0, npu=1.0)
    assert edgekit.load(tiny_classifier).device == "npu"


def test_what_is_attached_and_barred_is_told_with_the_cure(
    tiny_classifier: Path, photos: Path, attach: Attach, taking: Times, call: Call, capfd: pytest.CaptureFixture[str]
) -> None:
    attach(npu=Npu(DeviceError("this user may not open /dev/npu0", hint="Join the group npu.")))
    taking()
    assert call(tiny_classifier, photos, "--threads", 1) == 0
    line = "Device: cpu, 1 thread: npu cannot be used: this user may not open /dev/npu0 (Join the group npu)\n"
    assert capfd.readouterr().err == line


def test_of_several_models_each_has_its_reason(
    tiny_classifier: Path, photos: Path, tmp_path: Path, attach: Attach, call: Call, capfd: pytest.CaptureFixture[str]
) -> None:
    attach()
    config = tmp_path / "pipeline.toml"
    models = "".join(f'[models.{name}]\npath = "{tiny_classifier}"\nthreads = 1\n{more}' for name, more in (
        ("a", ""), ("b", 'device = "cpu"\n'), ("c", "")
    ))
    config.write_text(f'sources = ["{photos}"]\nlimit = 1\n{models}')
    assert call(config) == 0
    why = "cpu, 1 thread: no accelerator is attached"
    assert capfd.readouterr().err == f"Device of a: {why}\nDevice of c: {why}\n"


def test_a_package_that_cannot_be_imported_bars_its_device_only(
    numbers: Path, attach: Attach, monkeypatch: pytest.MonkeyPatch
) -> None:
    npu = Npu()

    def broken(model: ModelFile) -> str:
        raise ImportError("no module npulib")

    monkeypatch.setattr(npu, "attached", broken)
    attach(npu=npu)
    reason = edgekit.load(numbers).device_reason
    assert "npu cannot be used: its package cannot be imported: no module npulib" in reason


def test_a_device_that_fails_is_told_and_tried_again_next_time(
    numbers: Path, attach: Attach, taking: Times
) -> None:
    npu = Npu(error=DeviceError("it is busy", hint="Stop the other program. Use --device cpu."))
    attach(npu=npu)
    taking(cpu=9.0, npu=1.0)
    reason = "cpu, 1 thread: npu cannot be used: it is busy (Stop the other program)"
    assert edgekit.load(numbers, threads=1).device_reason == reason
    npu.error = None
    assert edgekit.load(numbers).device == "npu"


def test_a_model_that_a_device_does_not_take_is_not_tried_there_again(
    numbers: Path, attach: Attach, taking: Times
) -> None:
    npu = Npu(error=UsageError("it takes no floats", hint="Use --device cpu."))
    attach(npu=npu)
    taking(cpu=9.0)
    for _ in range(2):
        reason = edgekit.load(numbers, threads=1).device_reason
        assert reason == "cpu, 1 thread: npu cannot be used: it takes no floats"
        npu.error = None
    assert npu.opened == []


def test_a_device_that_fails_or_hangs_in_the_trial_is_left_out(numbers: Path, attach: Attach, taking: Times) -> None:
    failing, hanging, late = Npu("a"), Npu("b"), Npu("c")
    never, runs = threading.Event(), iter(range(1000))

    def fail(outputs: list[NDArray[Any]]) -> list[NDArray[Any]]:
        raise DeviceError("it is gone")

    def hang(outputs: list[NDArray[Any]]) -> list[NDArray[Any]]:
        never.wait()
        return outputs

    def fail_late(outputs: list[NDArray[Any]]) -> list[NDArray[Any]]:
        return fail(outputs) if next(runs) > 5 else outputs

    failing.answer, hanging.answer, late.answer = fail, hang, fail_late
    attach(failing=failing, hanging=hanging, late=late)
    try:
        reason = edgekit.load(numbers, threads=1, inference_timeout=0.2).device_reason
    finally:
        never.set()
    assert reason.startswith("cpu, 1 thread: ")
    for words in ("failing cannot be used: it is gone", "hanging did not answer within 0.2 s", "late cannot be used"):
        assert words in reason


def test_a_trial_is_done_again_when_what_is_attached_changes(
    tiny_classifier: Path, attach: Attach, taking: Times, cache: Path
) -> None:
    npu = Npu("npu0 driver 1")
    attach(npu=npu)
    taking(cpu=2.0, npu=1.0)
    assert edgekit.load(tiny_classifier).device == "npu"
    npu.words = "npu0 driver 2"
    taking(cpu=2.0, npu=3.0)
    assert edgekit.load(tiny_classifier).device == "cpu"
    npu.words = "npu0 driver 1"
    assert edgekit.load(tiny_classifier).device == "npu"
    assert len(list(cache.iterdir())) == 2
    for record in cache.iterdir():
        assert set(json.loads(record.read_text())) == {"about", "times", "different", "unsuited"}


def test_another_model_has_a_trial_of_its_own(
    tiny_classifier: Path, attach: Attach, taking: Times, describe: Describe
) -> None:
    attach(npu=Npu())
    taking(cpu=2.0, npu=1.0)
    assert edgekit.load(tiny_classifier).device == "npu"
    describe(tiny_classifier, Metadata(name="other"))
    taking(cpu=1.0, npu=2.0)
    assert edgekit.load(tiny_classifier).device == "cpu"


def test_a_model_that_the_processor_cannot_run_goes_to_what_can(
    build: Callable[..., Path], attach: Attach, taking: Times, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = build("CUSTOM", [("x", (1, 3), "float32")], [("y", (1, 3), "float32")], code="NpuOp")

    class Own(Npu):
        def open(self, request: Request) -> Mapping[str, Runner]:
            return {request.name: Plain()}

    class Plain:
        threads = 1

        def run(self, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
            return list(inputs)

        def reset(self) -> None:
            pass

    attach(npu=Own())
    taking(npu=1.0)
    model = edgekit.load(path)
    assert model.device == "npu"
    assert "cpu cannot be used" in model.device_reason


def test_the_processor_takes_over_from_a_chosen_device(tiny_classifier: Path, attach: Attach, taking: Times) -> None:
    npu = Npu()
    attach(npu=npu)
    taking(cpu=2.0, npu=1.0)
    model = edgekit.load(tiny_classifier)
    picture = np.zeros((8, 8, 1), np.int8)

    def fail(outputs: list[NDArray[Any]]) -> list[NDArray[Any]]:
        raise DeviceError("it is gone")

    assert classes_of(model, picture)
    npu.answer = fail
    with pytest.warns(UserWarning, match="next-device"):
        assert classes_of(model, picture)
    assert model.device == "cpu"


def classes_of(model: Model, picture: NDArray[Any]) -> list[NDArray[Any]]:
    return model.tensors(picture[None])


def test_a_chosen_device_that_cannot_be_opened_any_more_gives_way(
    tiny_classifier: Path, attach: Attach, taking: Times
) -> None:
    npu = Npu()
    attach(npu=npu)
    taking(cpu=2.0, npu=1.0)
    edgekit.load(tiny_classifier)
    npu.error = DeviceError("it is busy")
    with pytest.warns(UserWarning, match="npu cannot be used, trying cpu: it is busy"):
        model = edgekit.load(tiny_classifier, threads=1)
    assert model.device_reason == (
        "cpu, 1 thread: npu was chosen (1.0 ms against 2.0 ms on cpu (measured before)) and cannot be opened"
    )


def test_auto_may_be_one_of_several(tiny_classifier: Path, attach: Attach, taking: Times) -> None:
    npu = Npu()
    attach(npu=npu, absent=Npu("", error=DeviceError("it is absent")))
    taking(cpu=2.0, npu=1.0)
    with pytest.warns(UserWarning, match="absent cannot be used, trying npu"):
        model = edgekit.load(tiny_classifier, device="absent,auto")
    assert model.device_reason.startswith("npu: 1.0 ms")
    assert edgekit.load(tiny_classifier, device="cpu,auto").device_reason == ""
    assert edgekit.load(tiny_classifier, device="auto,cpu").device_reason.startswith("npu: 1.0 ms")


def test_a_reason_is_given_where_auto_takes_what_stands_behind_it_too(
    numbers: Path, attach: Attach, taking: Times
) -> None:
    attach(npu=Npu(""))
    taking()
    model = edgekit.load(numbers, device="auto,cpu", threads=1)
    assert model.device_reason == "cpu, 1 thread: no accelerator is attached"


def test_options_go_to_what_takes_them(tiny_classifier: Path, attach: Attach, taking: Times) -> None:
    npu = Npu()
    attach(npu=npu)
    taking(cpu=1.0, npu=2.0)
    model = edgekit.load(tiny_classifier, device_options={"speed": "fast"})
    assert model.device == "cpu"
    assert [dict(runner.options) for runner in npu.opened] == [{"speed": "fast"}]
    with pytest.raises(UsageError, match="takes no device option 'sped'"):
        edgekit.load(tiny_classifier, device_options={"sped": "fast"})


def test_an_edge_tpu_is_told_of_where_the_model_is_not_compiled(
    tiny_classifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usb = tmp_path / "sys/bus/usb/devices/1-1"
    usb.mkdir(parents=True)
    for name, text in (("idVendor", "1a6e"), ("idProduct", "089a"), ("busnum", "1"), ("devnum", "4")):
        (usb / name).write_text(text)
    monkeypatch.setenv("EDGEKIT_ROOT", str(tmp_path))
    reason = edgekit.load(tiny_classifier).device_reason
    words = "coral cannot be used: the model is not compiled for the Edge TPU that is attached (edgekit convert"
    assert words in reason
    (tmp_path / "tiny_edgetpu.tflite").touch()
    assert f"run {tmp_path}/tiny_edgetpu.tflite" in edgekit.load(tiny_classifier).device_reason


def test_a_compiled_model_goes_to_the_edge_tpu_without_a_trial(build: Callable[..., Path]) -> None:
    compiled = build("CUSTOM", [("x", (1, 3), "int8", 1)], [("y", (1, 3), "int8", 1)], code="edgetpu-custom-op")
    with pytest.raises(DeviceError, match="Edge TPU"):
        edgekit.load(compiled)
