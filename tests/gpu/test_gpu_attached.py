"""Whether a GPU is attached, as `auto` asks: by the kernel's files and what the environment names."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit import DeviceError, MissingDependencyError
from edgekit.tflite import read_model
from edgekit_devices.gpu import requirements
from edgekit_devices.gpu.automatic import attached

Call = Callable[..., int]


@pytest.fixture
def graphics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with a driver for Vulkan and a GPU, as far as files show it."""
    for variable in ("VK_DRIVER_FILES", "VK_ICD_FILENAMES", "VK_ADD_DRIVER_FILES"):
        monkeypatch.delenv(variable, raising=False)
    for path in ("usr/share/vulkan/icd.d/nvidia_icd.json", "dev/dri/renderD128"):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).touch()
    monkeypatch.setenv("EDGEKIT_ROOT", str(tmp_path))
    return tmp_path


def words_of_gpu(model: Path) -> str:
    return attached(read_model(model))


def test_a_gpu_is_attached_where_a_driver_and_a_device_are(tiny_classifier: Path, graphics: Path) -> None:
    words = words_of_gpu(tiny_classifier)
    assert "nvidia_icd.json@" in words
    assert words.endswith("/dev/dri/renderD128")
    drivers = graphics / "usr/share/vulkan/icd.d"
    (drivers / "nvidia_icd.json").rename(drivers / "lvp_icd.x86_64.json")
    assert words_of_gpu(tiny_classifier) == ""


def test_a_driver_alone_is_no_gpu_unless_the_environment_names_it(
    tiny_classifier: Path, graphics: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (graphics / "dev/dri/renderD128").unlink()
    assert words_of_gpu(tiny_classifier) == ""
    driver = graphics / "vk_swiftshader_icd.json"
    driver.touch()
    monkeypatch.setenv("VK_DRIVER_FILES", f"{driver}:{graphics}/absent.json")
    assert words_of_gpu(tiny_classifier).startswith(f"{driver}@")
    monkeypatch.setenv("VK_DRIVER_FILES", f"{graphics}/absent.json")
    with pytest.raises(DeviceError, match=r"VK_DRIVER_FILES=.*absent\.json names drivers that are not there"):
        words_of_gpu(tiny_classifier)


def test_a_gpu_that_cannot_be_used_says_why(
    tiny_classifier: Path, graphics: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_path, **_how: False)
    with pytest.raises(DeviceError, match=r"this user may not open .*/renderD128") as caught:
        words_of_gpu(tiny_classifier)
    assert "usermod -aG render,video" in caught.value.hint
    (graphics / "proc").mkdir()
    (graphics / "proc/cpuinfo").write_text("Features : fp asimd crc32\n")
    with pytest.raises(DeviceError, match="LSE atomics"):
        words_of_gpu(tiny_classifier)
    (graphics / "proc/cpuinfo").write_text("Features : fp asimd atomics\n")
    monkeypatch.setattr(requirements, "LIBRARY", "absent.so")
    with pytest.raises(MissingDependencyError):
        words_of_gpu(tiny_classifier)


@pytest.mark.usefixtures("software_gpu")
def test_a_gpu_that_is_slower_than_the_processor_is_measured(
    *, photo_model: Path, photos: Path, call: Call, capfd: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A GPU in software."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for when in ("now", "before"):
        assert call(photo_model, photos, "--threads", 1, "--task", "values", "--normalize", "0..1") == 0
        out, err = capfd.readouterr()
        assert {json.loads(line)["device"] for line in out.splitlines()} == {"cpu"}
        [line] = err.splitlines()
        assert line.startswith("Device: cpu, 1 thread: ")
        assert line.endswith(f" ms on gpu (measured {when})")
