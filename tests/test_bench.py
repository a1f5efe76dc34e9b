"""Measuring models: each in a process of its own, few runs, nothing said of how long they take."""

from __future__ import annotations

import json
import os
import shutil
import signal
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import edgekit
from edgekit import DeviceError, UsageError
from edgekit.interpreter import import_runtime
from edgekit.tflite import read_model
from edgekit.tflite.alone import Alone
from edgekit_devices import sysfs
from edgekit_devices.bench import Plan, bench, figures, processes
from edgekit_devices.bench.measuring import ROUNDS
from edgekit_devices.bench.samples import samples_for
from edgekit_devices.bench.subjects import subjects_of

Command = Callable[..., int]
FEW = Plan(runs=2, operations=False)


def test_two_models_side_by_side(
    tiny_classifier: Path, numbers: Path, command: Command, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    plot = tmp_path / "latency.svg"
    assert command("bench", tiny_classifier, numbers, "--device", "cpu", "--runs", 5, "--plot", plot) == 0
    out = capfd.readouterr().out
    for words in (
        "tiny on cpu", "abs on cpu", "times the first", "preprocess", "load ms", "peak MB", "noise, 3 float32",
        "Slowest of", "ABS", "the whole network",
    ):
        assert words in out
    drawn = ET.fromstring(plot.read_text())
    assert len(drawn.findall(".//{*}polyline")) == 2


def test_the_facts_as_json(tiny_classifier: Path, command: Command, capfd: pytest.CaptureFixture[str]) -> None:
    assert command("bench", tiny_classifier, "--runs", 5, "--json") == 0
    found = json.loads(capfd.readouterr().out)
    [one] = found["contenders"]
    assert (one["device"], one["opening"]["device"], one["runs"], one["rounds"]) == ("auto", "cpu", 5, 5)
    assert one["ratio"]["value"] == 1
    for stage in ("preprocess", "inference", "postprocess", "total"):
        times = one["stages"][stage]
        assert times["min"] <= times["p50"] <= times["p90"] <= times["p99"] <= times["max"]
    assert one["single_stream_ms"] is None, "five runs say nothing of the 90th percentile for sure"
    assert one["memory_peak"] > one["opening"]["memory_before"] / 2
    assert [operation["type"] for operation in one["operations"]["each"]] == [
        operator.label for operator in read_model(tiny_classifier).main.operators
    ]
    assert found["machine"]["cores"] >= 1


def test_a_device_that_fails_is_told_and_the_others_go_on(
    tiny_classifier: Path, command: Command, capfd: pytest.CaptureFixture[str]
) -> None:
    assert command("bench", tiny_classifier, "--device", "coral", "--device", "cpu", "--runs", 2) == 1
    out = capfd.readouterr().out
    assert "Failed: tiny on coral: " in out
    assert "tiny on cpu" in out.partition("Failed")[0]


def test_where_nothing_can_be_opened_all_reasons_are_told(tiny_classifier: Path) -> None:
    with pytest.raises(UsageError) as caught:
        bench([tiny_classifier], ["nosuch", "other"], plan=FEW)
    for words in ("nothing could be opened", "tiny on nosuch: ", "tiny on other: "):
        assert words in str(caught.value)


def test_a_process_that_dies_is_told_and_the_others_go_on(tiny_classifier: Path, numbers: Path) -> None:
    def kill(doing: str) -> None:
        if doing.startswith("round 2") and "tiny" in doing:
            [worker] = [number for number in processes.family(os.getpid()) if "tiny" in command_line(number)]
            os.kill(worker, signal.SIGKILL)

    found = bench([tiny_classifier, numbers], ["cpu"], plan=Plan(runs=3, operations=False), tell=kill)
    killed, other = found.measured
    assert "crashed (SIGKILL)" in killed.error
    assert (killed.runs, other.runs, other.error) == (1, 3, "")


def command_line(process: int) -> str:
    text = sysfs.text(Path(f"/proc/{process}/cmdline"))
    return text if "edgekit_devices.bench.worker" in text else ""


def test_interrupting_gives_the_figures_up_to_then(
    tiny_classifier: Path, command: Command, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    gone: Callable[..., bool],
) -> None:
    workers: list[int] = []

    def interrupt(_line: object, doing: str) -> None:
        workers.extend(number for number in processes.family(os.getpid()) if command_line(number))
        if doing.startswith("round 3"):
            raise KeyboardInterrupt

    monkeypatch.setattr("edgekit.cli.terminal.LiveLine.show", interrupt)
    assert command("bench", tiny_classifier, "--runs", 9, "--json") == 130
    found = json.loads(capfd.readouterr().out)
    assert found["interrupted"]
    assert found["contenders"][0]["runs"] == 2
    assert workers
    assert gone(workers)


def test_interrupting_before_there_are_figures_ends_it(tiny_classifier: Path) -> None:
    def interrupt(doing: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench([tiny_classifier], plan=FEW, tell=interrupt)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("absent.tflite",), "no such file: absent.tflite"),
        (("MODEL", "--device", "nosuch"), "device cannot be 'nosuch'"),
        (("MODEL", "MODEL"), "given twice"),
        (("MODEL", "--device", "cpu", "--device", "cpu"), "given twice"),
        (("MODEL", "--runs", 3, "--seconds", 3), "in two ways"),
        (("MODEL", "--plot", "latency.png"), "end in .svg"),
        (("MODEL", "--plot", "absent/latency.svg"), "cannot write"),
        (("MODEL", "--device-option", "fast"), "has no value"),
        (("MODEL", "--device", "cpu", "--device-option", "Performance=High"), "takes no device option 'Performance'"),
        (("MODEL", "--normalize", "dark"), "normalization 'dark' cannot be read"),
        (("MODEL", "--source", "absent/", "--device", "cpu"), "no such file or folder"),
        (("MODEL", "--runs", 0), "0 is not in the range"),
        ((), "Missing argument"),
    ],
)
def test_mistakes_are_told(
    arguments: tuple[object, ...], words: str, tiny_classifier: Path, command: Command,
    capfd: pytest.CaptureFixture[str],
) -> None:
    given = [tiny_classifier if one == "MODEL" else one for one in arguments]
    assert command("bench", *given) in (1, 2)
    assert words in capfd.readouterr().err


def test_each_device_gets_the_options_that_it_takes(tiny_classifier: Path) -> None:
    found = subjects_of([tiny_classifier], ["cpu", "coral,cpu", "auto"], device_options={"Performance": "High"})
    assert [dict(subject.device_options) for subject in found] == [
        {}, {"Performance": "High"}, {"Performance": "High"}
    ]


def test_models_are_called_by_what_tells_them_apart(tiny_classifier: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "tiny.tflite"
    other.parent.mkdir()
    shutil.copy(tiny_classifier, other)
    named = tmp_path / "tiny.bin.tflite"
    shutil.copy(tiny_classifier, named)
    assert [subject.label for subject in subjects_of([tiny_classifier, named], ["cpu"])] == ["tiny", "tiny.bin"]
    assert [subject.label for subject in subjects_of([tiny_classifier, other], ["cpu"])] == [
        str(tiny_classifier), str(other)
    ]


def test_samples_come_from_a_source(tiny_classifier: Path, photos: Path, describe: Any, said: Any) -> None:
    describe(tiny_classifier, said)
    model: Any = edgekit.load(tiny_classifier, device="cpu")
    found = samples_for(model, str(photos))
    assert found.shown == f"the first 3 of {photos} (8 x 8 x 3)"
    assert [model(data).best().index for data in found.data] == [0, 1, 2]


def test_without_a_source_samples_are_noise_of_the_model_s_own_inputs(
    tiny_classifier: Path, photo_model: Path, build: Callable[..., Path]
) -> None:
    plain = samples_for(edgekit.load(photo_model, device="cpu"), "")
    assert plain.shown == "noise, 8 x 8 x 3 float32", "nobody says how its pixels are normalized"
    assert samples_for(edgekit.load(tiny_classifier, device="cpu"), "").shown == "noise, 8 x 8 uint8"
    add = build("ADD", [("a", (1, 3), "int32"), ("b", (1, 3), "int32")], [("y", (1, 3), "int32")])
    [data] = samples_for(edgekit.load(add, device="cpu"), "").data
    assert {name: array.tolist() for name, array in data.items()} == {"a": [0, 0, 0], "b": [0, 0, 0]}


def test_what_slows_the_device_down_makes_the_figures_doubtful(
    tiny_classifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command,
    capfd: pytest.CaptureFixture[str],
) -> None:
    for name, text in {
        "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4",
        "proc/device-tree/compatible": "raspberrypi,4-model-b",
        "sys/class/thermal/thermal_zone0/type": "cpu-thermal",
        "sys/class/thermal/thermal_zone0/temp": "85000",
        "sys/devices/platform/soc/soc:firmware/get_throttled": "20002",
    }.items():
        (tmp_path / "pi" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pi" / name).write_text(text)
    monkeypatch.setenv(sysfs.ROOT_VARIABLE, str(tmp_path / "pi"))
    assert command("bench", tiny_classifier, "--device", "cpu", "--runs", 2) == 0
    out = capfd.readouterr().out
    assert out.startswith("Raspberry Pi 4 Model B Rev 1.4, ")
    assert "temperature 85 and 85 °C" in out
    assert "Warning: the device slowed itself down (frequency-capped)" in out
    assert "MobileNet v2 1.0 224 int8 on cpu: 17 ms" in out, "what others measured on this board, with its source"
    assert "on coral" not in out, "nobody asked for it"


def test_rounds_are_cut_evenly() -> None:
    plan = Plan(runs=45)
    assert sum(plan.runs_of(number) for number in range(plan.rounds)) == 45
    assert Plan(runs=3).rounds == 3
    assert Plan(seconds=10).round_seconds == 10 / ROUNDS


@pytest.mark.parametrize("name", ["mobilenet_v1_0.25_128_quant", "keras_lstm_mnist_ptq"])
def test_an_operation_alone_gives_what_it_gives_in_the_network(shared: Path, name: str) -> None:
    file = read_model(shared / "tflite" / f"{name}.tflite", details=True)
    runtime, alone = import_runtime(), Alone(file)
    reference = runtime.OpResolverType.BUILTIN_REF
    whole = runtime.Interpreter(
        model_path=file.path, experimental_op_resolver_type=reference, experimental_preserve_all_tensors=True
    )
    whole.allocate_tensors()
    [entry] = whole.get_input_details()
    noise = np.random.default_rng(0).integers(0, 100, entry["shape"]).astype(entry["dtype"])
    whole.set_tensor(entry["index"], noise)
    whole.invoke()
    for operator in file.main.operators:
        one = runtime.Interpreter(model_content=alone.model(operator), experimental_op_resolver_type=reference)
        one.allocate_tensors()
        for index in alone.inputs(operator):
            one.set_tensor(index, whole.get_tensor(index))
        one.invoke()
        for index in operator.outputs:
            np.testing.assert_array_equal(one.get_tensor(index), whole.get_tensor(index), err_msg=operator.label)


def test_a_network_too_large_for_the_memory_is_not_taken_apart(
    tiny_classifier: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgekit_devices.bench import operations

    monkeypatch.setattr("os.sysconf", lambda name: 16 if name == "SC_AVPHYS_PAGES" else 1)
    with pytest.raises(DeviceError, match="too much"):
        operations.measure_operations(read_model(tiny_classifier), threads=1, reference=False, seconds=1, most=1)


def test_everybody_else_s_work_is_what_is_busy_but_not_ours() -> None:
    others = processes.Others()
    busy = sum(number * number for number in range(3_000_000))
    since = others.since()
    assert busy
    assert since is None or 0 <= since <= (os.cpu_count() or 1)
    assert os.getpid() in processes.family(os.getpid())
    assert processes.peak_memory(os.getpid()) > 2**20


positive = st.floats(1e-3, 1e3)


@given(st.lists(positive, min_size=1, max_size=300))
def test_percentiles_are_in_order(values: list[float]) -> None:
    found = figures.summary(values)
    ordered = [found[name] for name in ("min", "p50", "p90", "p99", "max")]
    assert ordered == sorted(ordered)


@given(st.lists(positive, min_size=1, max_size=300))
def test_the_single_stream_estimate_is_never_below_the_plain_percentile(values: list[float]) -> None:
    estimate = figures.single_stream(values)
    assert (estimate is None) == (len(values) < 44)
    if estimate is not None:
        assert estimate in values
        assert estimate >= np.percentile(values, 90, method="inverted_cdf")


def test_the_single_stream_estimate_counts_fewer_of_the_slowest_the_more_runs_there_are() -> None:
    assert figures.single_stream(range(44)) == 43, "0.9^44 < 1 %: only the slowest of 44 is sure to be above"
    assert figures.single_stream(range(100)) == 96
    assert figures.single_stream(range(10_000)) == 9_069


@given(st.lists(positive, min_size=1, max_size=30), st.floats(0.1, 10))
def test_a_constant_ratio_is_found_whatever_the_machine_does_meanwhile(first: list[float], factor: float) -> None:
    found = figures.ratio(first, [value * factor for value in first], resamples=20)
    assert found.value == pytest.approx(factor)
    assert (found.low is None) == (len(first) == 1)
    if found.low is not None and found.high is not None:
        assert found.low == pytest.approx(factor)
        assert found.high == pytest.approx(factor)


def test_the_interval_of_a_ratio_holds_it() -> None:
    generator = np.random.default_rng(1)
    first, other = np.exp(generator.normal(0, 0.1, (2, 40)))
    found = figures.ratio(first.tolist(), (other * 2).tolist())
    assert found.low is not None
    assert found.high is not None
    assert found.low < 2 < found.high
    assert found.high / found.low < 1.2
