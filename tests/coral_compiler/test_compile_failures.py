"""`edgekit compile` where the compiler is missing, fails or hangs, or where what is asked for cannot be."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from edgekit.metadata import Metadata, State
from edgekit_devices.coral.compiler import CompilerNotFoundError, compile_models
from edgekit_devices.coral.compiler.program import VARIABLE
from edgekit_devices.coral.placement.phrases import DATA_TYPE

if TYPE_CHECKING:
    from tests.coral_compiler.conftest import Bench, Ran

COMMAND = Path(sys.executable).with_name("edgekit")


def test_a_file_of_another_model_is_not_taken(
    bench: Bench, run: Callable[..., Ran], numbers: Path, model: Path, compiled: Any
) -> None:
    bench.gives("digits_edgetpu.tflite", compiled(0, 0, keep=False))
    ran = run(model)
    assert (ran.code, bench.left()) == (1, [])
    assert "digits_edgetpu.tflite was not compiled from digits.tflite: its outputs differ" in ran.err


def test_without_a_compiler_the_way_is_told(
    bench: Bench, run: Callable[..., Ran], model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    ran = run(model, "--min-runtime", 13)
    assert (ran.code, bench.left()) == (1, [])
    assert f"no edgetpu_compiler on PATH; {model} is ready to be compiled" in ran.err
    assert "\n  edgetpu_compiler -s -m 13 digits.tflite\n" in ran.err
    assert f"docker run --rm --platform linux/amd64 -v {model.parent}:/work" in ran.err
    assert "--made FOLDER" in ran.err
    assert "2 of 2 on coral" in ran.out
    assert json.loads(run(model, "--json").out)["models"][0]["foretold"]["operations"]["coral"] == 2
    with pytest.raises(CompilerNotFoundError):
        compile_models([model])
    for engine in ("docker", "podman"):
        ran = run(model, "--compiler", f"{engine}:image")
        assert (ran.code, f"there is no {engine} on PATH" in ran.err) == (1, True)


def test_what_the_compiler_would_refuse_does_not_reach_it(bench: Bench, run: Callable[..., Ran], numbers: Path) -> None:
    ran = run(numbers)
    assert ran.code == 1
    assert "would refuse it, and was not started: abs.tflite: No operation gives a quantized tensor" in ran.err
    assert "edgekit convert --target coral" in ran.err
    assert not (bench.folder / "seen").exists()


@pytest.mark.parametrize(
    ("mode", "words", "cure"),
    [
        ("not-quantized", "Model not quantized", "full integer quantization"),
        ("too-new", "newer than the compiler: CONV_2D version 6", ""),
        ("ice", "Internal compiler error", "run it again"),
        ("large", "more room than the Edge TPU has", "--search-delegate"),
        ("silent", "it made no file", "own words"),
        ("bare", "it gives no reason", "wider than 900"),
        ("crash", "it crashed (SIGSEGV)", "another size"),
        ("wrapper-crash", "it crashed (SIGSEGV)", "another size"),
        ("option", "does not know one of the options", "version 16.0"),
        ("strange", "ended with exit code 3", "Something that no version is known to say."),
        ("flood", "printed without end", "smaller model"),
        ("damaged", "is no sound model", ""),
        ("other-program", "tells no version", "I sort photographs"),
    ],
)
def test_failures_are_explained_and_leave_nothing(
    mode: str, words: str, cure: str, bench: Bench, run: Callable[..., Ran], model: Path, compiled: Any
) -> None:
    bench.gives("digits_edgetpu.tflite", compiled())
    bench.says(mode=mode)
    ran = run(model)
    assert (ran.code, bench.left(), ran.out) == (1, [], "")
    assert words in ran.err
    assert cure in ran.err


def test_a_hanging_compiler_is_ended_with_its_children(
    bench: Bench, run: Callable[..., Ran], model: Path, gone: Callable[..., bool]
) -> None:
    bench.says(mode="hang")
    ran = run(model, "--timeout", 3)
    assert (ran.code, bench.left()) == (1, [])
    assert "did not end within 3 s with digits.tflite, and was stopped" in ran.err
    assert gone((bench.folder / "pid").read_text().split())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_compilation_leaves_nothing(
    number: signal.Signals, bench: Bench, run: Callable[..., Ran], model: Path, gone: Callable[..., bool]
) -> None:
    bench.says(mode="hang")
    with subprocess.Popen([COMMAND, "compile", model], stderr=subprocess.PIPE, text=True) as command:
        try:
            while not (bench.folder / "pid").exists() or not (bench.folder / "pid").read_text():
                assert command.poll() is None
                time.sleep(0.02)
            command.send_signal(number)
            _, err = command.communicate(timeout=60)
        finally:
            command.kill()
    assert (command.returncode, "Traceback" in err) == (128 + number, False)
    assert bench.left() == []
    assert gone((bench.folder / "pid").read_text().split())


def test_a_container_image(docker: Path, bench: Bench, run: Callable[..., Ran], model: Path, compiled: Any) -> None:
    bench.gives("digits_edgetpu.tflite", compiled())
    assert run(model, "--compiler", "docker:image").code == 0
    version, work = docker.read_text().splitlines()
    assert version.endswith("--entrypoint edgetpu_compiler image --version")
    assert work.endswith("--entrypoint edgetpu_compiler image -s -t 300 -o out in/digits.tflite")
    assert "--network none" in work
    assert f"--user {os.getuid()}:" in work
    ran = run(model, "--compiler", "docker:absent")
    assert (ran.code, "there is no such container image here" in ran.err) == (1, True)


def test_a_container_is_killed_at_the_limit(
    docker: Path, bench: Bench, run: Callable[..., Ran], model: Path, compiled: Any
) -> None:
    bench.says(mode="hang")
    assert run(model, "--compiler", "docker:image", "--timeout", 2).code == 1
    *_, work, killed = docker.read_text().splitlines()
    name = work.split("--name ")[1].split()[0]
    assert killed == f"kill {name}"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--min-runtime", "15"], "10 to 14"),
        (["--min-runtime", "11"], "int8 numbers, which runtimes before 12 do not know"),
        (["--segments", "0"], "--segments is 0"),
        (["--timeout", "0"], "--timeout is 0"),
        (["--timeout", "nan"], "--timeout is nan"),
        (["--compiler", "docker:"], "names no container image"),
        (["--compiler", "/absent/compiler"], "no program that can be run"),
        (["absent.tflite"], "no such file"),
    ],
)
def test_what_cannot_be_meant(
    arguments: list[str], words: str, bench: Bench, run: Callable[..., Ran], model: Path
) -> None:
    ran = run(model, *arguments)
    assert (ran.code, words in ran.err) == (2, True), ran.err
    assert bench.left() == []


def test_models_that_cannot_be_meant(
    bench: Bench, run: Callable[..., Ran], model: Path, compiled: Any, tmp_path: Path, describe: Any, said: Metadata
) -> None:
    again = tmp_path / "again" / "digits.tflite"
    again.parent.mkdir()
    shutil.copy(model, again)
    assert "two models are called digits" in run(model, again).err
    made = tmp_path / "digits_edgetpu.tflite"
    made.write_bytes(compiled())
    assert "is compiled already" in run(made).err
    shutil.copy(model, made)  # not compiled, whatever it is called
    assert "would replace a model" in run(model, made, "-o", tmp_path).err
    assert "Compile one model at a time" in run(model, made, "--segments", 2).err
    describe(model, replace(said, states=(State(0, 0),)))
    assert "carries states" in run(model, "--segments", 2).err
    Path("digits_edgetpu.tflite").mkdir()
    assert "it is a folder" in run(model).err
    ran = run(model, "-o", model)
    assert (ran.code, "it is no folder" in ran.err) == (1, True)


def test_a_file_without_anything_for_the_edge_tpu_is_no_success(
    bench: Bench, run: Callable[..., Ran], model: Path, tiny_bytes: bytes
) -> None:
    bench.gives("digits_edgetpu.tflite", tiny_bytes)
    bench.says(table={"digits_edgetpu.tflite": [["SOFTMAX", 1, DATA_TYPE], ["FULLY_CONNECTED", 1, DATA_TYPE]]})
    ran = run(model)
    assert (ran.code, bench.left()) == (1, [])
    assert "put no operation of digits.tflite on the Edge TPU" in ran.err
    assert DATA_TYPE in ran.err
