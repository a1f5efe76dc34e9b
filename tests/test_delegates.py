"""Delegates of others: a small one in C (`delegate.c`) that works, or fails as it is told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import edgekit
from edgekit import DeviceError, UsageError
from edgekit.delegation import Delegation
from edgekit.device import Request
from edgekit.errors import HungError
from edgekit.interpreter import Engine, load_delegate
from edgekit.tflite import read_model
from edgekit_devices.delegates import delegate
from edgekit_devices.delegates.delegate import DELEGATE

ROWS = ((1.0, -2.0, 3.5), (-4.0, 5.0, 6.0), (0.0, -1.0, 7.25))

Chain = Callable[..., Path]


class Ran(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def results(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Ran]


@pytest.fixture
def run(
    delegate_library: Path, tmp_path: Path, call: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> Run:
    """Runs `edgekit run` on three rows with the delegate and its options."""
    rows = tmp_path / "rows.csv"
    rows.write_text("".join(f"{','.join(map(str, row))}\n" for row in ROWS))

    def start(
        model: Path, *arguments: str, library: object = delegate_library, after: str = "", **options: object
    ) -> Ran:
        told = [part for name, value in options.items() for part in ("--device-option", f"{name}={value}")]
        code = call(model, rows, "--device", f"delegate:{library}{after}", *told, *arguments)
        return Ran(code, *capfd.readouterr())

    return start


def test_a_delegate_runs_the_model_and_is_told_its_options(
    run: Run, chain: Chain, delegate_library: Path, tmp_path: Path
) -> None:
    log = tmp_path / "options.txt"
    ran = run(chain("ABS", "NEG"), "--delegate-option", f"log={log}", take="NEG,ABS")
    assert (ran.code, ran.err) == (0, "")
    assert [entry["values"] for entry in ran.results] == [[-abs(number) for number in row] for row in ROWS]
    assert {entry["device"] for entry in ran.results} == {f"delegate:{delegate_library}"}
    assert log.read_text().splitlines() == ["take=NEG,ABS", f"log={log}"]


def test_a_delegate_that_takes_a_part_says_so_and_the_processor_computes_the_rest(run: Run, chain: Chain) -> None:
    ran = run(chain("ABS", "NEG", "FLOOR", "NEG", "FLOOR"), take="NEG")
    assert ran.code == 0
    assert "partial (it takes 2 of 5 operations and leaves 2 FLOOR, 1 ABS to the processor)" in ran.err
    expected = [np.floor(-np.floor(-np.abs(row))).tolist() for row in ROWS]
    assert [entry["values"] for entry in ran.results] == expected


@pytest.mark.parametrize(
    ("take", "operators", "taken"),
    [
        ("ABS,NEG", ("ABS", "NEG", "FLOOR", "NEG", "EXP", "ABS"), Delegation(4, 6, {"FLOOR": 1, "EXP": 1})),
        ("ABS", ("NEG", "ABS", "ABS", "NEG"), Delegation(2, 4, {"NEG": 2})),
        ("ABS,NEG", ("NEG", "ABS"), Delegation(2, 2, {})),
        ("none", ("ABS", "EXP"), Delegation(0, 2, {"ABS": 1, "EXP": 1})),
    ],
)
def test_what_was_taken_is_counted_without_what_the_runtime_takes_itself(
    *, chain: Chain, delegate_library: Path, take: str, operators: tuple[str, ...], taken: Delegation
) -> None:
    engine = Engine(chain(*operators), delegates=[load_delegate(str(delegate_library), {"take": take})])
    assert engine.accelerated == taken
    assert Engine(chain(*operators)).accelerated is None


@pytest.mark.parametrize(
    ("options", "words", "hint"),
    [
        ({"take": "none"}, "takes none of the model's 2 operations (ABS, NEG)", "use --device cpu"),
        ({"create": "fail"}, "makes no delegate: no accelerator attached", "options that it knows: create=fail."),
        ({"sped": "fast"}, "makes no delegate: it knows no such option", "options that it knows: sped=fast."),
        ({"create": "die"}, "crashed (SIGSEGV) while it was loaded", "its maker's build"),
        ({"claim": "die"}, "crashed (SIGSEGV) while it was given abs_neg.tflite", "its maker's build"),
        ({"run": "die"}, "crashed (SIGSEGV) while it ran the model for the first time", "its maker's build"),
        ({"claim": "fail"}, ".so: the compiler of the accelerator failed\n", "may not know one of the model's"),
        ({"run": "fail"}, ".so: the accelerator is gone\n", "may not know one of the model's"),
    ],
)
def test_what_goes_wrong_with_a_delegate_is_told_with_its_cure(
    *, run: Run, chain: Chain, options: dict[str, str], words: str, hint: str
) -> None:
    ran = run(chain("ABS", "NEG"), **options)
    assert (ran.code, ran.out, words in ran.err, hint in ran.err) == (1, "", True, True), ran.err


@pytest.mark.parametrize("options", [{"create": "hang"}, {"run": "hang"}])
def test_a_delegate_that_hangs_is_killed(
    *, chain: Chain, delegate_library: Path, options: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delegate, "OPEN_SECONDS", 1.0)
    with pytest.raises(DeviceError, match="did not answer within 1 s while it") as caught:
        edgekit.load(
            chain("ABS"), device=f"delegate:{delegate_library}", device_options=options, inference_timeout=0.5
        )
    assert "--inference-timeout 120" in caught.value.hint


def test_libraries_that_are_no_delegates(run: Run, chain: Chain, tmp_path: Path) -> None:
    model = chain("ABS")
    (tmp_path / "text.so").write_text("not a library")
    for library, words, hint in (
        (tmp_path / "absent.so", "there is no delegate", "Give the whole path"),
        (tmp_path / "text.so", "text.so cannot be loaded: ", "its maker's build for this system"),
        ("libc.so.6", "it has no tflite_plugin_create_delegate", "_external_delegate.so"),
    ):
        ran = run(model, library=library)
        assert (ran.code, words in ran.err, hint in ran.err) == (1, True, True), ran.err


def test_a_library_that_needs_another_one(run: Run, chain: Chain, tmp_path: Path) -> None:
    for name, needs in (("libdriver.so", []), ("libnpu.so", ["-L", str(tmp_path), "-ldriver"])):
        command = ["cc", "-shared", "-fPIC", "-x", "c", "/dev/null", "-o", str(tmp_path / name)]
        try:
            subprocess.run([*command, "-Wl,--no-as-needed", *needs], check=True)
        except FileNotFoundError:
            pytest.skip("needs a C compiler for the library")
    (tmp_path / "libdriver.so").unlink()
    ran = run(chain("ABS"), library=tmp_path / "libnpu.so")
    assert (ran.code, "libdriver.so" in ran.err, "LD_LIBRARY_PATH" in ran.err) == (1, True, True), ran.err


def test_a_delegate_needs_a_library(chain: Chain) -> None:
    with pytest.raises(UsageError, match="needs a library"):
        edgekit.load(chain("ABS"), device="delegate")


def test_the_next_device_is_tried_where_a_delegate_refuses(run: Run, chain: Chain) -> None:
    ran = run(chain("ABS"), after=",cpu", create="fail")
    assert ran.code == 0
    assert "trying cpu" in ran.err
    assert {entry["device"] for entry in ran.results} == {"cpu"}


@pytest.fixture
def opened(chain: Chain, delegate_library: Path) -> Iterator[Callable[..., Any]]:
    """Opens a runner of the delegate, which is closed at the end."""
    runners = []

    def make(**options: str) -> Any:
        request = Request(
            read_model(chain("ABS", "NEG")), f"delegate:{delegate_library}", str(delegate_library), options, seconds=0.5
        )
        [runner] = DELEGATE.open(request).values()
        runners.append(runner)
        return runner

    yield make
    for runner in runners:
        runner.close()


INPUT = [np.array([[1, -2, 3]], np.float32)]


def test_a_process_that_crashes_or_hangs_is_an_error_of_the_run(opened: Callable[..., Any]) -> None:
    with pytest.raises(DeviceError, match=r"crashed \(SIGSEGV\)"):
        opened(run="die", after="1").run(INPUT)
    hung = opened(run="hang", after="1")
    with pytest.raises(HungError, match=r"did not answer within 0\.5 s"):
        hung.run(INPUT)
    with pytest.raises(DeviceError):  # its process is dead
        hung.run(INPUT)


def test_a_run_that_fails_leaves_the_process_alive(opened: Callable[..., Any], tmp_path: Path) -> None:
    once = tmp_path / "once"
    once.touch()
    runner = opened(run="fail", after="1", **{"while": str(once)})
    with pytest.raises(DeviceError, match="the accelerator is gone"):
        runner.run(INPUT)
    np.testing.assert_array_equal(runner.run(INPUT)[0], [[-1, -2, -3]])


def test_a_supervisor_s_signal_to_all_processes_leaves_the_sample_to_be_answered(opened: Callable[..., Any]) -> None:
    runner = opened()
    for number in (signal.SIGTERM, signal.SIGHUP):
        os.kill(runner._child._process.pid, number)
    np.testing.assert_array_equal(runner.run(INPUT)[0], [[-1, -2, -3]])


def test_outputs_are_copies_and_inputs_are_checked(opened: Callable[..., Any]) -> None:
    runner = opened()
    first, _ = runner.run(INPUT)[0], runner.run([INPUT[0] * 2])
    np.testing.assert_array_equal(first, [[-1, -2, -3]])
    for wrong in (np.zeros((1, 4), np.float32), np.zeros((1, 3), np.int8)):
        with pytest.raises(ValueError, match="for float32"):
            runner.run([wrong])
    runner.reset()


def test_calls_from_several_threads_wait_for_one_another(opened: Callable[..., Any]) -> None:
    runner, wrong = opened(), []

    def call(number: int) -> None:
        for _ in range(50):
            [[values]] = runner.run([np.full((1, 3), number, np.float32)])
            if values.tolist() != [-number] * 3:
                wrong.append(values)

    threads = [threading.Thread(target=call, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_the_process_ends_with_what_started_it(chain: Chain, delegate_library: Path) -> None:
    script = (
        "import edgekit, os, sys\n"
        "model = edgekit.load(sys.argv[1], device=sys.argv[2], device_options={'run': 'hang', 'after': '1'})\n"
        "print(model._parts.ladder.level.places[0].runner._child._process.pid)\n"
    )
    arguments = [sys.executable, "-c", script, str(chain("ABS")), f"delegate:{delegate_library}"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    with pytest.raises(ProcessLookupError):
        os.kill(int(done.stdout), 0)
