"""The way to an Edge TPU, through the installed command, as far as it goes without one.

The libraries compiled here are stand-ins (`edgetpu_stand_in.c`): they answer as libedgetpu does, or crash, hang and
refuse where builds of it do.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, get_args

import pytest

import edgekit
from edgekit import DeviceError
from edgekit_devices.coral.runtime import LIBRARY_VARIABLE, Listed, Runtime, count_devices
from edgekit_devices.sysfs import ROOT_VARIABLE
from edgekit_devices.targets import TARGETS, Io, Precision

SOURCE = Path(__file__).with_name("edgetpu_stand_in.c")
COMMAND = Path(sys.executable).with_name("edgekit")

Build = Callable[..., Path]
Library = Callable[..., Path]


class Ran(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """Compiles the stand-in, with macros for what it has and how it fails."""
    folder = tmp_path_factory.mktemp("libraries")

    @cache
    def make(**macros: object) -> Path:
        path = folder / f"libstandin{len(list(folder.iterdir()))}.so"
        defined = [f"-D{name}={value}" for name, value in macros.items()]
        try:
            subprocess.run(["cc", "-shared", "-fPIC", *defined, str(SOURCE), "-o", str(path)], check=True)
        except FileNotFoundError:
            pytest.skip("needs a C compiler for the stand-in library")
        return path

    return make


@pytest.fixture
def model(build: Build) -> Path:
    """A file as the Edge TPU's compiler makes it."""
    return build("CUSTOM", [("x", (1, 3), "int8", 1)], [("y", (1, 3), "int8", 1)], code="edgetpu-custom-op")


@pytest.fixture(autouse=True)
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty /sys and /dev, so that nothing depends on what the machine has."""
    root = tmp_path / "system"
    root.mkdir()
    monkeypatch.setenv(ROOT_VARIABLE, str(root))
    return root


@pytest.fixture
def run(model: Path, tmp_path: Path) -> Run:
    """Runs `edgekit run` on three rows, with a library in the environment."""
    rows = tmp_path / "rows.csv"
    rows.write_text("1,2,3\n" * 3)

    def start(runtime: object, *arguments: str, **more: object) -> Ran:
        command = [COMMAND, "run", more.pop("model", model), more.pop("source", rows), *arguments]
        environment = {**os.environ, LIBRARY_VARIABLE: str(runtime), **{key: str(it) for key, it in more.items()}}
        done = subprocess.run(
            [str(part) for part in command], capture_output=True, text=True, env=environment, check=False
        )
        assert "Traceback" not in done.stderr
        assert "Exception ignored" not in done.stderr
        return Ran(done.returncode, done.stdout, done.stderr)

    return start


def results(ran: Ran) -> list[tuple[str, Any]]:
    assert ran.code == 0, ran.err
    entries = [json.loads(line) for line in ran.out.splitlines()]
    return [(entry["device"], entry["values"][0]) for entry in entries]


def test_a_missing_library(run: Run) -> None:
    ran = run("/absent/libedgetpu.so.1")
    assert ran.code == 1
    assert "no Edge TPU runtime (/absent/libedgetpu.so.1: cannot open shared object file" in ran.err
    assert "libedgetpu1-std" in ran.err
    assert "uncompiled model" in ran.err


def test_a_library_for_want_of_libusb(run: Run, tmp_path: Path) -> None:
    """A library that needs one of libusb's name which is not to be had."""
    for name, needs in (("libusb-1.0.so.0", []), ("libedgetpu.so", ["-L", str(tmp_path), "-l:libusb-1.0.so.0"])):
        command = ["cc", "-shared", "-fPIC", "-x", "c", "/dev/null", "-o", str(tmp_path / name)]
        try:
            subprocess.run([*command, f"-Wl,-soname,{name}-of-test", "-Wl,--no-as-needed", *needs], check=True)
        except FileNotFoundError:
            pytest.skip("needs a C compiler for the stand-in library")
    (tmp_path / "libusb-1.0.so.0").unlink()
    ran = run(tmp_path / "libedgetpu.so")
    assert ran.code == 1
    assert "cannot be loaded, for want of libusb (libusb-1.0.so.0-of-test: cannot open" in ran.err
    assert "apt install libusb-1.0-0" in ran.err


def test_a_file_that_is_no_library(run: Run, tmp_path: Path) -> None:
    (tmp_path / "text.so").write_text("not a library")
    ran = run(tmp_path / "text.so")
    assert ran.code == 1
    assert "text.so cannot be loaded (" in ran.err
    assert "Take a build for this system and processor" in ran.err


@pytest.mark.parametrize(
    ("macros", "words"),
    [
        ({"NO_DELEGATE": 1}, "is not a TensorFlow Lite delegate: it has no tflite_plugin_create_delegate"),
        ({"NO_LISTING": 1}, "is not an Edge TPU runtime: it has no edgetpu_list_devices"),
    ],
)
def test_a_library_of_something_else(run: Run, library: Library, macros: dict[str, int], words: str) -> None:
    ran = run(library(**macros))
    assert (ran.code, words in ran.err) == (1, True), ran.err


def test_no_device(run: Run, library: Library) -> None:
    ran = run(library())
    assert ran.code == 1
    assert "no Edge TPU attached" in ran.err
    assert "18d1:9302" in ran.err
    assert "/dev/apex_0" in ran.err


@pytest.mark.parametrize("name", ["keras_lstm_mnist_ptq", "mobilenet_v1_0.25_128_quant"])
def test_real_compiled_models_without_a_device(run: Run, library: Library, shared: Path, name: str) -> None:
    ran = run(library(), model=shared / "tflite" / f"{name}_edgetpu.tflite")
    assert (ran.code, "no Edge TPU attached" in ran.err) == (1, True)
    ran = run(library(), "--device", "cpu", model=shared / "tflite" / f"{name}_edgetpu.tflite")
    assert (ran.code, f"{name}.tflite, which lies beside it" in ran.err) == (2, True)


def test_a_device_that_is_not_there(run: Run, library: Library) -> None:
    for spec in ("usb:2", "pci:1", ":3"):
        ran = run(library(USB=2, PCI=1), "--device", f"coral:{spec}")
        assert ran.code == 1
        assert f"there is no Edge TPU 'coral:{spec}'" in ran.err
        assert "coral:usb:0, coral:usb:1, coral:pci:0" in ran.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--device", "coral:usb:x"], "there is no Edge TPU 'coral:usb:x'"),
        (["--device", "coral:0"], "coral::0 (first of all)"),
        (["--device-option", "Performance=max"], "Choose one of Low, Medium, High, Max."),
        (["--device-option", "Usb.MaxBulkInQueueLength=256"], "Choose one of 0 to 255."),
        (["--device-option", "performance=Max"], "Did you mean 'Performance'? It takes Performance=Low|Medium|High"),
        (["--device-option", "timeout=soon"], "Give seconds from 0"),
        (["--device-option", "Performance"], "Write it as KEY=VALUE."),
        (["--device-option", "timeout=1", "--device-option", "timeout=2"], "given twice"),
    ],
)
def test_mistakes_are_told_with_the_choices(run: Run, arguments: list[str], words: str) -> None:
    ran = run("/absent.so", *arguments)
    assert (ran.code, words in ran.err) == (2, True), ran.err


@pytest.mark.parametrize(
    ("macros", "words"),
    [
        ({"LOAD": "die"}, "crashed (SIGSEGV) while it was loaded"),
        ({"LIST": "die"}, "crashed (SIGSEGV) while it listed its devices"),
        ({"CREATE": "die"}, "crashed (SIGSEGV) while it opened coral with custom.tflite"),
        ({"PREPARE": "die"}, "crashed (SIGSEGV) while it opened coral with custom.tflite"),
        ({"RUN": "die"}, "crashed (SIGSEGV) while coral ran the model for the first time"),
        ({"CLOSE": "die"}, "crashed (SIGSEGV) while it closed coral"),
    ],
)
def test_a_library_that_crashes_ends_only_the_child(
    run: Run, library: Library, macros: dict[str, str], words: str
) -> None:
    ran = run(library(USB=1, **macros))
    assert (ran.code, words in ran.err) == (1, True), ran.err
    assert "built for another TensorFlow Lite" in ran.err


@pytest.mark.parametrize("step", ["CREATE", "RUN"])
def test_a_library_that_hangs_is_given_up(run: Run, library: Library, step: str) -> None:
    ran = run(library(USB=1, **{step: "hang"}), "--device-option", "timeout=2")
    assert (ran.code, "did not answer within 2 s while" in ran.err) == (1, True), ran.err
    assert "timeout=60" in ran.err


def test_a_child_that_hangs_ends_with_the_command(
    library: Library, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: Callable[..., bool]
) -> None:
    monkeypatch.setenv("STAND_IN_PID", str(tmp_path / "pid"))
    monkeypatch.setenv(LIBRARY_VARIABLE, str(library(USB=1, CREATE="hang")))
    (tmp_path / "rows.csv").write_text("1,2,3\n")
    with subprocess.Popen([COMMAND, "run", model, tmp_path / "rows.csv"], stderr=subprocess.PIPE, text=True) as command:
        try:
            while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
                assert command.poll() is None
                time.sleep(0.02)
            command.terminate()
            _, err = command.communicate(timeout=60)
        finally:
            command.kill()
    assert (command.returncode, err) == (128 + signal.SIGTERM, "Stopped.\n")
    assert gone([(tmp_path / "pid").read_text()])


@pytest.mark.parametrize(
    ("macros", "words"),
    [
        ({"CREATE": "refuse"}, "coral:usb:0 cannot be opened by"),
        ({"CREATE": "refuse", "REASON": '"the bus is down"'}, "the bus is down"),
        ({"CLAIM_NOTHING": 1}, "coral:usb:0: its delegate takes no part of it"),
        ({"RUN": "fail"}, "the model does not run on coral:usb:0"),
        (
            {"PREPARE": "fail", "COMPLAINT": '"Package requires runtime version (14), which is newer than this '
             'runtime version (13)."'},
            "compiled for a newer version of the Edge TPU's runtime",
        ),
    ],
)
def test_a_library_that_refuses_is_told(run: Run, library: Library, macros: dict[str, Any], words: str) -> None:
    ran = run(library(USB=1, **macros), "--device", "coral:usb:0")
    assert (ran.code, words in ran.err) == (1, True), ran.err


def test_a_device_that_works(run: Run, library: Library) -> None:
    """Each output byte of the stand-in is the device's number plus 1."""
    runtime = library(USB=2, PCI=1, VERSION='"14"')
    assert results(run(runtime)) == [("coral", 1)] * 3
    assert results(run(runtime, "--device", "coral:usb:1")) == [("coral:usb:1", 2)] * 3
    assert results(run(runtime, "--device", "coral,cpu")) == [("coral", 1)] * 3
    ran = run("/absent.so", "--device", "coral:pci", "--device-option", f"library={runtime}")
    assert results(ran) == [("coral:pci", 1)] * 3
    assert ran.err == ""


def test_several_devices_take_turns(run: Run, library: Library) -> None:
    ran = run(library(USB=2, PCI=1), "--device", "coral:all")
    assert sorted(results(ran)) == [("coral:pci:0", 1), ("coral:usb:0", 1), ("coral:usb:1", 2)]
    assert [json.loads(line)["sequence"] for line in ran.out.splitlines()] == [0, 1, 2]


def test_options_are_passed_on_to_a_device_with_a_number(run: Run, library: Library, tmp_path: Path) -> None:
    log = tmp_path / "options.txt"
    options = ["--device-option", "Performance=High", "--device-option", "Usb.AlwaysDfu=True"]
    for spec, told in (("", ":0"), ("usb", "usb:0"), ("pci:0", "pci:0")):
        ran = run(library(USB=1, PCI=1), "--device", f"coral:{spec}", *options, STAND_IN_LOG=log)
        assert ran.code == 0
        in_child, in_process = log.read_text().splitlines()
        assert in_child == in_process == f"device={told} Performance=High Usb.AlwaysDfu=True "
        log.unlink()
    assert run(library(USB=1), STAND_IN_LOG=log).code == 0
    assert log.read_text().splitlines() == ["", ""]


def test_a_device_that_is_busy_for_a_moment_is_opened_all_the_same(
    library: Library, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "busy").touch()
    monkeypatch.setenv("STAND_IN_BUSY", str(tmp_path / "busy"))
    options = {"library": library(USB=1), "timeout": 0}
    assert edgekit.load(model, device="coral", device_options=options)([1, 2, 3]).device == "coral"
    assert not (tmp_path / "busy").exists()


def test_two_models_share_the_device_of_one_process(
    library: Library, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child process could not open what this one holds."""
    gc.collect()
    monkeypatch.setenv("STAND_IN_LOG", str(tmp_path / "log"))
    monkeypatch.setenv(LIBRARY_VARIABLE, str(library(USB=2)))
    opened = (tmp_path / "log").read_text
    first = edgekit.load(model, device="coral:usb:0")
    assert len(opened().splitlines()) == 2
    second = edgekit.load(model, device="coral:usb:0")
    assert len(opened().splitlines()) == 3
    third = edgekit.load(model, device="coral:usb:1")
    assert len(opened().splitlines()) == 5
    assert [it([1, 2, 3]).device for it in (first, second, third)] == ["coral:usb:0", "coral:usb:0", "coral:usb:1"]


def test_falling_back_on_the_processor_is_told(run: Run, library: Library, build: Build, model: Path) -> None:
    compiled = model.rename(model.with_name("m_edgetpu.tflite"))
    ran = run(library(), "--device", "coral,cpu", model=compiled)
    assert ran.code == 1
    assert "none of the devices can be used (coral: no Edge TPU attached; cpu: m_edgetpu.tflite is compiled" in ran.err
    assert "Put m.tflite beside it." in ran.err
    build("ABS", [("x", (1, 3), "int8", 1)], [("y", (1, 3), "int8", 1)]).rename(model.with_name("m.tflite"))
    ran = run(library(CREATE="die", USB=1), "--device", "coral,cpu", model=compiled)
    assert results(ran) == [("cpu", 1)] * 3
    assert "Warning: coral cannot be used, trying cpu: " in ran.err
    assert "crashed (SIGSEGV)" in ran.err
    assert "the uncompiled twin of m_edgetpu.tflite" in ran.err
    assert results(run(library(), "--device", "coral-fake", model=compiled)) == [("coral-fake", 1)] * 3


def test_a_model_that_is_not_compiled(run: Run, library: Library, build: Build) -> None:
    plain = build("ABS", [("x", (1, 3), "int8", 1)], [("y", (1, 3), "int8", 1)])
    ran = run(library(USB=1), "--device", "coral", model=plain)
    assert (ran.code, "the model is not compiled for the Edge TPU" in ran.err) == (2, True)
    assert results(run(library(USB=1), "--device", "coral,cpu", model=plain)) == [("cpu", 1)] * 3


def test_a_chip_that_is_too_warm_is_told(run: Run, library: Library, system: Path) -> None:
    for chip in ("apex_0", "apex_1"):
        folder = system / "sys/class/apex" / chip
        folder.mkdir(parents=True)
        (folder / "temp").write_text("91200\n")
        (folder / "trip_point0_temp").write_text("85000\n")
        (system / "dev").mkdir(exist_ok=True)
        (system / "dev" / chip).touch()
    ran = run(library(USB=1, PCI=2), "--device", "coral:pci:1")
    assert results(ran) == [("coral:pci:1", 2)] * 3
    assert ran.err == "Warning: the Edge TPU apex_1 is at 91.2 °C and runs slower for it (a step at 85 °C): cool it\n"
    assert run(library(USB=1, PCI=2), "--device", "coral:usb").err == ""


def test_a_runtime_that_is_too_old_for_the_model(run: Run, library: Library, shared: Path) -> None:
    """The need is in the compiled file; with a library of that version or a newer one the model runs."""
    paths = {it: shared / "edgetpu" / "compiled" / it for it in (
        "LibrEdgeTPU__dense_256_edgetpu.tflite", "LibrEdgeTPU__looming_64x64_3x3_edgetpu.tflite"
    )}
    for path in paths.values():
        ran = run(library(USB=1, VERSION='"12"'), model=path)
        assert ran.code == 1
        assert "the model needs version 14 of the Edge TPU's runtime, and " in ran.err
        assert "is of version 12" in ran.err
        assert "edgetpu_compiler --min_runtime_version 12" in ran.err
        assert edgekit.load(path, device_options={"library": library(USB=1, VERSION='"14"')}).device == "coral"


def test_a_child_that_cannot_be_started(
    library: Library, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "")
    options = {"library": library(USB=1)}
    with pytest.raises(DeviceError, match="coral was not tried: the child process for it could not be started") as told:
        edgekit.load(model, device="coral", device_options=options)
    assert "timeout=0" in told.value.hint
    assert edgekit.load(model, device="coral", device_options={**options, "timeout": 0}).device == "coral"


def test_what_the_runtime_says(library: Library) -> None:
    runtime = Runtime(str(library(USB=1, PCI=2, VERSION='"13"')))
    assert runtime.devices() == (
        Listed("usb", "/sys/bus/usb/devices/1-1"), Listed("pci", "/dev/apex_0"), Listed("pci", "/dev/apex_1"),
    )
    assert (runtime.version(), runtime.runtime_version()) == ("BuildLabel(stand-in), RuntimeVersion(13)", 13)
    silent = Runtime(str(library()))
    assert (silent.devices(), silent.version(), silent.runtime_version()) == ((), "", None)
    assert count_devices(str(library(USB=1, PCI=2, VERSION='"13"'))) == 3


def test_targets() -> None:
    assert list(TARGETS) == ["cpu", "coral", "jetson"]
    assert all(name == target.name for name, target in TARGETS.items())
    coral = TARGETS["coral"]
    assert coral.precisions == ("int8",)
    assert set(coral.io) == {"int8", "uint8"}
    assert TARGETS["cpu"].precisions == get_args(Precision)
    assert TARGETS["cpu"].io == get_args(Io)
