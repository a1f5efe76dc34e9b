"""Devices that hang, fail or slow down while they run: opened again, then the next one, and no sample is lost."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

import edgekit
from edgekit import DeviceError, UsageError
from edgekit.device import Option, Request, Runner
from edgekit.failover.announcing import Announcer
from edgekit.failover.ladder import Ladder
from edgekit.failover.pace import BLOCK, Pace
from edgekit.failover.rung import PROVEN, Rung
from edgekit.interpreter import Engine, load_delegate
from edgekit.metadata.types import Metadata, State
from edgekit.serving.metrics import prometheus
from edgekit.sources import Event

ROWS = [[1.0, -2.0, 3.0], [-4.0, 5.0, 6.0], [7.0, 8.0, -9.0], [0.0, -1.0, 2.0]]
ANSWERS = [[-abs(number) for number in row] for row in ROWS]
SECONDS = 0.5

Chain = Callable[..., Path]
Register = Callable[..., None]
Load = Callable[[Path, str], tuple[edgekit.Model, list[str]]]


@pytest.fixture
def model(chain: Chain) -> Path:
    return chain("ABS", "NEG")


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text("".join(f"{','.join(map(str, row))}\n" for row in ROWS))
    return path


@pytest.fixture
def once(tmp_path: Path) -> Path:
    """A file that a delegate takes away as it fails, and fails no more."""
    path = tmp_path / "once"
    path.touch()
    return path


def values(result: edgekit.Result) -> list[float]:
    found: list[float] = json.loads(result.to_json())["values"]
    return found


@pytest.mark.parametrize(
    ("run", "kind", "detail"),
    [
        ("hang", "hung", "did not answer within 0.5 s"),
        ("die", "failed", "crashed (SIGSEGV)"),
        ("fail", "failed", "{model} failed while running: the accelerator is gone"),
    ],
)
def test_the_next_device_answers_the_sample_on_which_one_fails(
    *, model: Path, rows: Path, delegate_library: Path, run: str, kind: str, detail: str
) -> None:
    name, told = f"delegate:{delegate_library}", list[Event]()
    opened = edgekit.load(
        model, device=f"{name},cpu", device_options={"run": run, "after": 2}, inference_timeout=SECONDS
    )
    assert opened.device == name
    results = list(edgekit.run(opened, rows, on_event=told.append))
    assert [values(result) for result in results] == ANSWERS
    assert [result.device for result in results] == [name, name, "cpu", "cpu"]  # it was opened again in between
    assert opened.device == "cpu"
    assert [(event.source, event.kind, event.detail) for event in told] == [
        (name, kind, detail.format(model=model)), (name, "reloaded", "it was opened again"),
        (name, kind, detail.format(model=model)), ("cpu", "next-device", f"it runs the model in the place of {name}"),
    ]


def test_a_device_that_recovers_is_used_again(model: Path, rows: Path, delegate_library: Path, once: Path) -> None:
    name, told = f"delegate:{delegate_library}", list[str]()
    results = edgekit.run(
        model, rows, device=name, device_options={"run": "hang", "after": 2, "while": once},
        inference_timeout=SECONDS, on_event=lambda event: told.append(event.kind),
    )
    assert [values(result) for result in results] == ANSWERS
    assert told == ["hung", "reloaded"]


def test_the_command_ends_with_1_where_no_device_is_left_and_has_written_what_it_had(
    *, model: Path, rows: Path, delegate_library: Path, call: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    code = call(
        model, rows, "--device", f"delegate:{delegate_library}", "--device-option", "run=hang",
        "--device-option", "after=2", "--inference-timeout", SECONDS, "--sink", "-?events=yes",
    )
    out, err = capfd.readouterr()
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 1
    assert [line.get("event") or line["values"] for line in lines] == [
        ANSWERS[0], "hung", "reloaded", ANSWERS[1], "hung", "device-lost"
    ]
    assert "was lost, and there is no other: " in err
    assert "With cpu as the last of several devices" in err
    assert "hung (did not answer within 0.5 s)" in err


def test_a_pipeline_s_file_sets_the_time_limit(
    *, model: Path, rows: Path, delegate_library: Path, once: Path, call: Callable[..., int],
    capfd: pytest.CaptureFixture[str], tmp_path: Path,
) -> None:
    config = tmp_path / "pipeline.toml"
    config.write_text(
        f'sources = ["{rows}"]\n[model]\npath = "{model}"\ninference_timeout = {SECONDS}\n'
        f'device = "delegate:{delegate_library}"\ndevice_options = {{run = "hang", after = 1, while = "{once}"}}\n'
    )
    assert call(config) == 0
    out, err = capfd.readouterr()
    assert [json.loads(line)["values"] for line in out.splitlines()] == ANSWERS
    assert "hung (did not answer within 0.5 s)" in err


def test_a_time_limit_is_a_number_above_zero(model: Path, rows: Path, call: Callable[..., int]) -> None:
    for seconds in (0, -1, float("nan"), float("inf"), "5", None, True):
        with pytest.raises(UsageError, match="inference_timeout has to be"):
            edgekit.load(model, inference_timeout=cast("float", seconds))
    assert call(model, rows, "--inference-timeout", "0") == 2


class Npu:
    """A device of somebody else's, with a delegate in this process, as in the description of `edgekit.device`."""

    options: tuple[Option, ...] | None = None

    def __init__(self, library: Path) -> None:
        self.library = library

    def check(self, spec: str) -> None:
        pass

    def open(self, request: Request) -> Mapping[str, Runner]:
        delegate = load_delegate(str(self.library), dict(request.options))
        return {request.name: Engine(request.model.path, threads=request.threads, delegates=[delegate])}


def test_what_hangs_in_this_process_is_left_behind(
    *, model: Path, rows: Path, delegate_library: Path, register: Register, once: Path
) -> None:
    register(npu=Npu(delegate_library))
    told: list[str] = []
    results = edgekit.run(
        model, rows, device="npu,cpu", device_options={"run": "hang", "after": 1, "while": once},
        inference_timeout=SECONDS, on_event=lambda event: told.append(str(event)),
    )
    assert [(result.device, values(result)) for result in results] == [("npu", answer) for answer in ANSWERS]
    assert told == ["npu: hung (did not answer within 0.5 s)", "npu: reloaded (it was opened again)"]
    assert not [thread for thread in threading.enumerate() if thread.name == "edgekit npu" and not thread.daemon]


def test_a_process_with_a_hung_device_ends(model: Path, delegate_library: Path) -> None:
    script = (
        "import edgekit, pathlib, runpy, sys\n"
        "from edgekit import plugins\n"
        "npu = runpy.run_path(sys.argv[1])['Npu'](pathlib.Path(sys.argv[3]))\n"
        "point = type('Point', (), {'load': lambda self: npu})()\n"
        "plugins.registered = lambda group: {'npu': point}\n"
        "model = edgekit.load(sys.argv[2], device='npu', device_options={'run': 'hang'}, inference_timeout=0.5)\n"
        "model([1, 2, 3])\n"
    )
    arguments = [sys.executable, "-c", script, __file__, str(model), str(delegate_library)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "HungError: the device npu was lost, and there is no other: npu did not answer within 0.5 s" in done.stderr


def test_a_hung_edge_tpu_gives_way_to_the_twin_and_the_command_ends(
    *, build: Chain, tmp_path: Path
) -> None:
    library, rows = tmp_path / "libedgetpu.so", tmp_path / "rows.csv"
    source = Path(__file__).with_name("edgetpu_stand_in.c")
    try:
        subprocess.run(["cc", "-shared", "-fPIC", "-DUSB=1", str(source), "-o", str(library)], check=True)
    except FileNotFoundError:
        pytest.skip("needs a C compiler for the stand-in library")
    tensors = [("x", (1, 3), "int8", 0.5)], [("y", (1, 3), "int8", 0.5)]
    compiled = build("CUSTOM", *tensors, code="edgetpu-custom-op").rename(tmp_path / "model_edgetpu.tflite")
    build("ABS", *tensors).rename(tmp_path / "model.tflite")
    rows.write_text("-1,1.5,-2\n" * 4)
    command = [
        str(Path(sys.executable).with_name("edgekit")), "run", str(compiled), str(rows), "--device", "coral,cpu",
        "--inference-timeout", "0.5",
    ]
    environment = {
        **os.environ, "EDGEKIT_LIBEDGETPU": str(library), "STAND_IN_RUNS": "2", "EDGEKIT_ROOT": str(tmp_path)
    }
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=60)
    assert done.returncode == 0, done.stderr
    found = [(line["device"], line["values"]) for line in map(json.loads, done.stdout.splitlines())]
    # The stand-in's bytes are all 1, which are 0.5 by the same scale as the twin's.
    assert found == [("coral", [0.5] * 3)] * 2 + [("cpu", [1.0, 1.5, 2.0])] * 2
    kinds = [line.split(": ")[1].split(" ")[0] for line in done.stderr.splitlines() if line[:5] in ("coral", "cpu: ")]
    assert kinds == ["hung", "reloaded", "hung", "next-device"]


def test_a_twin_that_could_not_take_over_is_told_of_at_once(
    build: Chain, register: Register
) -> None:
    compiled = build("CUSTOM", [("x", (1, 3), "int8", 1)], [("y", (1, 3), "int8", 1)], code="edgetpu-custom-op")
    register(mine=Fake())
    with pytest.warns(UserWarning, match="cpu could not take over from mine: .*is not beside it"):
        edgekit.load(compiled, device="mine,cpu")


class Fake:
    """A device in Python, whose chips fail when they are told to; it may be absent."""

    options: tuple[Option, ...] | None = ()

    def __init__(self, chips: int = 1) -> None:
        self.chips = [Chip() for _ in range(chips)]
        self.absent, self.opened = False, 0

    def check(self, spec: str) -> None:
        pass

    def open(self, request: Request) -> Mapping[str, Runner]:
        if self.absent:
            raise DeviceError(f"{request.name} is unplugged", hint="Plug it in.")
        self.opened += 1
        return {f"{request.name}:{number}" if number else request.name: it for number, it in enumerate(self.chips)}


class Chip:
    threads = 1

    def __init__(self) -> None:
        self.broken, self.resets, self.closed = False, 0, 0

    def run(self, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        if self.broken:
            raise DeviceError("out of order")
        return [np.abs(array) for array in inputs]

    def reset(self) -> None:
        self.resets += 1

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def load() -> Iterator[Load]:
    """Opens a model, and gives what it tells from then on, too."""
    with ExitStack() as stack:

        def start(path: Path, device: str) -> tuple[edgekit.Model, list[str]]:
            opened, told = edgekit.load(path, device=device), list[str]()
            stack.enter_context(opened.events_to(lambda event: told.append(f"{event.source} {event.kind}")))
            return opened, told

        yield start


def test_a_device_that_cannot_be_opened_again_is_passed_over(numbers: Path, register: Register, load: Load) -> None:
    first, second, third = Fake(), Fake(), Fake()
    register(first=first, second=second, third=third)
    opened, told = load(numbers, "first,second,third")
    first.chips[0].broken = first.absent = second.absent = True
    assert values(opened([-1, 2, -3])) == [1, 2, 3]
    assert opened.device == "third"
    assert told == ["first failed", "first refused", "second refused", "third next-device"]
    assert [first.opened, second.opened, third.opened] == [1, 0, 1]


def test_opening_again_that_hangs_is_given_up(
    numbers: Path, register: Register, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stuck(Fake):
        def open(self, request: Request) -> Mapping[str, Runner]:
            if self.opened:
                threading.Event().wait()
            return super().open(request)

    monkeypatch.setattr("edgekit.failover.ladder.OPEN_SECONDS", SECONDS)
    stuck = Stuck()
    register(stuck=stuck)
    opened, told = load(numbers, "stuck,cpu")
    stuck.chips[0].broken = True
    assert values(opened([-1, 2, 3])) == [1, 2, 3]
    assert told == ["stuck failed", "stuck refused", "cpu next-device"]


def test_another_model_in_the_place_of_the_file_does_not_answer_in_its_name(
    numbers: Path, register: Register, load: Load
) -> None:
    fake = Fake()
    register(fake=fake)
    opened, told = load(numbers, "fake,cpu")
    newer = numbers.with_name("newer.tflite")
    newer.write_bytes(numbers.read_bytes() + b"\0")
    newer.replace(numbers)
    fake.chips[0].broken = True
    with pytest.raises(DeviceError, match="is not the file any more") as caught:
        opened([1, 2, 3])
    assert told == ["fake failed", "fake refused", "cpu refused", "fake device-lost"]
    assert "Start anew" in caught.value.hint


def test_the_error_has_every_reason_and_cure_and_is_raised_again(
    numbers: Path, register: Register, load: Load
) -> None:
    fake = Fake()
    register(fake=fake)
    opened, told = load(numbers, "fake")
    fake.chips[0].broken = fake.absent = True
    for _ in range(2):
        with pytest.raises(DeviceError, match=r"fake was lost.*: out of order; fake is unplugged") as caught:
            opened([1, 2, 3])
        assert caught.value.hint == "Plug it in."
    assert told == ["fake failed", "fake refused", "fake device-lost"]


def test_the_processor_is_neither_watched_nor_opened_again(build: Chain) -> None:
    before = set(threading.enumerate())
    opened = edgekit.load(build("ABS", [("x", (1, 3), "float32")], [("y", (1, 3), "float32")]), device="cpu")
    opened([1, 2, 3])
    assert set(threading.enumerate()) <= before


def test_a_device_is_free_as_soon_as_nobody_has_the_model(numbers: Path, register: Register) -> None:
    class Busy(Fake):
        def open(self, request: Request) -> Mapping[str, Runner]:
            return {"busy": Engine(request.model.path)}

    register(busy=Busy())
    gc.disable()
    try:
        opened = edgekit.load(numbers, device="busy,cpu")
        opened([1, 2, 3])
        engine = weakref.ref(opened._parts.ladder.level.places[0].runner._runner)  # type: ignore[attr-defined]
        assert engine() is not None
        del opened
        assert engine() is None
    finally:
        gc.enable()


def test_a_device_is_let_go_of_before_it_is_opened_again(
    numbers: Path, register: Register, load: Load
) -> None:
    fake = Fake()
    chip = fake.chips[0]
    chip.keeps_limit = True  # type: ignore[attr-defined]  # the ladder then uses it as it is
    register(fake=fake)
    opened, told = load(numbers, "fake")
    chip.broken = True
    with pytest.raises(DeviceError):
        opened([1, 2, 3])
    assert (chip.closed, told) == (2, ["fake failed", "fake reloaded", "fake failed", "fake device-lost"])


def test_a_device_that_has_proven_itself_may_be_opened_once_more(
    numbers: Path, register: Register, load: Load
) -> None:
    fake = Fake()
    register(fake=fake)
    opened, told = load(numbers, "fake,cpu")
    tensor = np.zeros((1, 3), np.float32)
    for count, expected in ((PROVEN, "fake"), (PROVEN - 1, "fake"), (1, "cpu")):
        breaks_once(fake.chips[0])
        for _ in range(count):
            opened.tensors(tensor)
        assert opened.device == expected
    steps = [step for step in told if step not in ("fake slow", "fake recovered")]  # where the machine is busy
    assert steps == ["fake failed", "fake reloaded", "fake failed", "fake reloaded", "fake failed", "cpu next-device"]


def breaks_once(chip: Chip) -> None:
    """Have the next run of a chip fail, and no other."""
    sound = chip.run

    def run(inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        chip.run = sound  # type: ignore[method-assign]
        raise DeviceError("out of order")

    chip.run = run  # type: ignore[method-assign]


def test_chips_that_share_the_work_all_move_on_and_results_keep_their_order(
    numbers: Path, register: Register, tmp_path: Path
) -> None:
    fake = Fake(chips=3)
    register(fake=fake)
    table = tmp_path / "many.csv"
    table.write_text("".join(f"{-number},0,0\n" for number in range(60)))
    told: list[str] = []
    results = edgekit.run(numbers, table, device="fake,cpu", on_event=lambda event: told.append(event.kind))
    found = [next(results) for _ in range(20)]
    fake.absent = fake.chips[0].broken = fake.chips[1].broken = fake.chips[2].broken = True
    found += list(results)
    assert [values(result)[0] for result in found] == list(range(60))
    assert found[-1].device == "cpu"
    assert told == ["failed", "refused", "next-device"]


class SummingChip(Chip):
    """Adds each sample to what it is given as state."""

    def run(self, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        [array, _] = super().run(inputs)
        return [array + inputs[1]] * 2


def test_what_a_network_is_given_as_state_outlives_the_step_to_another_device(
    *, build: Chain, register: Register, load: Load, describe: Callable[[Path, Metadata], None]
) -> None:
    inputs, outputs = ([(name, (1, 3), "float32") for name in names] for names in (("x", "before"), ("y", "after")))
    path = build("CUSTOM", inputs, outputs, code="sum")
    describe(path, Metadata(states=(State(1, 1),)))
    first, second = Fake(), Fake()
    first.chips, second.chips = [SummingChip()], [SummingChip()]
    register(first=first, second=second)
    opened, told = load(path, "first,second")
    found = [values(opened([1, 2, 3]))[0]]
    first.chips[0].broken = True
    found += [values(opened([1, 2, 3]))[0] for _ in range(2)]
    assert (found, opened.device) == ([1, 2, 3], "second")
    assert told == ["first failed", "first reloaded", "first failed", "second next-device"]


def test_events_reach_stats_metrics_and_a_pipeline_in_the_background(
    numbers: Path, register: Register, rows: Path
) -> None:
    fake = Fake()
    register(fake=fake)
    opened = edgekit.load(numbers, device="fake,cpu")
    fake.chips[0].broken = True
    told: list[Event] = []
    pipeline = edgekit.Pipeline({"one": edgekit.load(numbers, device="cpu"), "other": opened}, rows)
    pipeline.when_event = told.append
    with pipeline:
        assert pipeline.wait(10)
    assert [event.kind for event in told] == ["failed", "reloaded", "failed", "next-device"]
    figures = pipeline.stats()
    assert figures.devices == {("fake", "failed"): 2, ("fake", "reloaded"): 1, ("cpu", "next-device"): 1}
    assert 'edgekit_device_events_total{device="fake",kind="failed"} 2\n' in prometheus(figures)


def test_events_that_nobody_asked_for_are_warnings(numbers: Path, register: Register, rows: Path) -> None:
    fake = Fake()
    register(fake=fake)
    for go in (lambda model: model([1, 2, 3]), lambda model: list(edgekit.run(model, rows))):
        opened = edgekit.load(numbers, device="fake,cpu")
        fake.chips[0].broken = True
        with pytest.warns(UserWarning, match=r"^cpu: next-device \(it runs the model in the place of fake\)$"):
            go(opened)
        fake.chips[0].broken = False


def test_a_device_that_slows_down_is_told_of_and_kept(
    model: Path, delegate_library: Path, tmp_path: Path
) -> None:
    name, told = f"delegate:{delegate_library}", list[str]()
    opened = edgekit.load(model, device=f"{name},cpu", device_options={"wait": 12, "after": BLOCK + 2})
    with opened.events_to(lambda event: told.append(event.kind)):
        for _ in range(2 * BLOCK + 1):
            opened.tensors(np.zeros((1, 3), np.float32))
    assert told == ["slow"]
    assert opened.device == name


def paced(*blocks: Sequence[float]) -> list[tuple[str, str]]:
    """What is told of inferences that take so many milliseconds, after a first one that takes 500."""
    pace = Pace()
    found = [pace.feed(time) for time in (500.0, *(time for block in blocks for time in block))]
    return [event for event in found if event]


def test_slow_and_recovered_are_told_once_each_and_outliers_are_neither() -> None:
    outliers = [2.0, 90.0] * (BLOCK // 2 - 1) + [2.0, 2.0]
    assert paced([2.0] * BLOCK, outliers, [6.0] * BLOCK, [9.0] * BLOCK, [2.5] * BLOCK) == [
        ("slow", "an inference takes 6 ms, and took 2 ms at first"), ("recovered", "an inference takes 2.5 ms again")
    ]
    assert paced([0.1] * BLOCK, [1.0] * BLOCK) == []


def test_a_network_that_remembers_is_told_to_have_forgotten() -> None:
    announcer, told = Announcer(), list[str]()
    chip, spare = Chip(), Chip()
    rungs = [Rung("one", lambda: {"one": chip}), Rung("two", lambda: {"two": spare})]
    ladder = Ladder(rungs, {"one": chip}, seconds=SECONDS, announcer=announcer, keeps_state=True)
    [seat] = ladder.seats().values()
    with announcer.heard_by(lambda event: told.append(event.detail)):
        chip.broken = True
        seat.run([np.zeros(1)])
    assert told[-1] == "it runs the model in the place of one; what the network remembered is lost"
