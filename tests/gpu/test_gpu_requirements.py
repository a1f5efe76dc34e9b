"""What the GPU needs: each thing that is missing has a message of its own, and nothing of the library is loaded."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import edgekit
from edgekit import DeviceError, MissingDependencyError, UsageError
from edgekit_devices.doctor.checks import graphics
from edgekit_devices.gpu import requirements, vulkan
from edgekit_devices.gpu.adapters import adapters
from edgekit_devices.isolation import CrashedError, HungError
from edgekit_devices.machine import this_machine

A72 = "fp asimd evtstrm crc32 cpuid"
A78 = "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid"


@pytest.fixture
def board(tmp_path: Path) -> Callable[[str], Path]:
    """Makes the files of a machine whose processor has these features."""

    def make(found: str, key: str = "Features") -> Path:
        file = tmp_path / "board" / "proc" / "cpuinfo"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f"processor\t: {core}\n{key}\t: {found}\n\n" for core in range(4)))
        return tmp_path / "board"

    return make


def loaded() -> bool:
    return requirements.LIBRARY in Path("/proc/self/maps").read_text()


@pytest.mark.parametrize(("found", "key", "has"), [(A72, "Features", False), (A78, "Features", True),
                                                  ("fpu sse2 avx2", "flags", True)])
def test_the_processor_is_asked_for_lse_atomics(
    board: Callable[..., Path], found: str, key: str, has: bool
) -> None:
    assert requirements.has_lse(board(found, key)) is has


@pytest.mark.usefixtures("software_gpu")
def test_without_lse_atomics_the_library_is_never_loaded(
    board: Callable[..., Path], numbers: Path, tmp_path: Path, call: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("EDGEKIT_ROOT", str(board(A72)))
    rows = tmp_path / "rows.csv"
    rows.write_text("1,2,3\n")
    assert call(numbers, rows, "--device", "gpu") == 1
    said = capfd.readouterr()
    assert "no LSE atomics" in said.err
    assert "--device cpu" in said.err
    assert "Traceback" not in said.err
    assert said.out == ""
    assert not loaded()


@pytest.mark.usefixtures("no_gpu")
def test_without_an_adapter_the_driver_is_named_as_the_cure(
    numbers: Path, tmp_path: Path, call: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("1,2,3\n")
    assert call(numbers, rows, "--device", "gpu") == 1
    said = capfd.readouterr()
    assert "Vulkan" in said.err
    assert "driver" in said.err
    assert "Traceback" not in said.err
    assert call(numbers, rows, "--device", "gpu,cpu") == 0
    said = capfd.readouterr()
    assert "gpu cannot be used, trying cpu" in said.err
    assert '"device":"cpu"' in said.out


def test_without_the_loader_it_is_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vulkan, "LOADER", "libabsent.so.1")
    with pytest.raises(DeviceError, match="there is no Vulkan") as told:
        vulkan.enumerate_adapters(lambda _step: None)
    assert "libvulkan1" in told.value.hint


def test_a_missing_package_is_told_from_a_missing_library(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(requirements, "LIBRARY", "libabsent.so")
        with pytest.raises(MissingDependencyError, match="without its GPU library") as told:
            requirements.check()
        assert "--force-reinstall" in told.value.hint
    monkeypatch.setattr(requirements, "PACKAGE", "absent_package")
    with pytest.raises(MissingDependencyError, match=r"needs ai-edge-litert, which is not installed\n") as told:
        requirements.check()
    assert "pip install 'ai-edge-litert" in told.value.hint
    monkeypatch.setattr(requirements, "OTHER_PACKAGE", "edgekit")  # stands in for tflite-runtime
    with pytest.raises(MissingDependencyError, match="tflite-runtime, which is, has no GPU"):
        requirements.check()


def test_32_bits_are_too_few(monkeypatch: pytest.MonkeyPatch, numbers: Path) -> None:
    monkeypatch.setattr(sys, "maxsize", 2**31 - 1)
    with pytest.raises(DeviceError, match="64-bit system") as told:
        edgekit.load(numbers, device="gpu")
    assert "--device cpu" in told.value.hint


def test_an_adapter_cannot_be_chosen_by_number(numbers: Path) -> None:
    with pytest.raises(UsageError, match="no device 'gpu:1'") as told:
        edgekit.load(numbers, device="gpu:1")
    assert "VK_DRIVER_FILES" in told.value.hint


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "soon", "1e9"])
def test_a_time_limit_is_a_number_of_seconds(numbers: Path, seconds: str) -> None:
    with pytest.raises(UsageError, match="timeout cannot be"):
        edgekit.load(numbers, device="gpu", device_options={"timeout": seconds})


@pytest.mark.usefixtures("software_gpu")
def test_adapters_are_listed() -> None:
    [adapter] = adapters()
    assert adapter.name.startswith("SwiftShader")
    assert adapter.kind == "software"
    assert adapter.software
    assert not loaded()


@pytest.mark.usefixtures("no_gpu")
def test_without_a_driver_there_are_no_adapters() -> None:
    assert adapters() == ()


@pytest.mark.usefixtures("no_gpu")
def test_drivers_that_the_environment_names_and_that_are_not_there(numbers: Path) -> None:
    with pytest.raises(DeviceError, match="no driver of a GPU answers") as told:
        edgekit.load(numbers, device="gpu")
    assert "no other drivers than those in VK_DRIVER_FILES=" in told.value.hint
    *_, found = graphics.vulkan(this_machine())
    assert (found.level, found.mend) == ("warning", "unset VK_DRIVER_FILES   # or correct it")


def test_a_driver_that_crashes_takes_nobody_along(numbers: Path, broken_driver: Callable[[str], None]) -> None:
    broken_driver("abort()")
    with pytest.raises(CrashedError, match="SIGABRT"):
        adapters()
    with pytest.raises(DeviceError, match=r"SIGABRT\) while it asked the Vulkan drivers") as told:
        edgekit.load(numbers, device="gpu")
    assert "dmesg" in told.value.hint


def test_a_driver_that_hangs_is_given_up(numbers: Path, broken_driver: Callable[[str], None]) -> None:
    broken_driver("pause()")
    with pytest.raises(HungError, match="did not answer within 1 s"):
        adapters(seconds=1)
    with pytest.raises(DeviceError, match="the GPU's process did not answer within 1 s") as told:
        edgekit.load(numbers, device="gpu", device_options={"timeout": 1})
    assert "timeout=SECONDS" in told.value.hint
