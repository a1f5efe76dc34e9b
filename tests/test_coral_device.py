"""The way to an Edge TPU, as far as it goes without one.

The libraries compiled here are stand-ins: they answer as libedgetpu does where no device is attached, or where its
delegate fails.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import get_args

import pytest

from edgekit import DeviceError
from edgekit_devices.coral.delegate import LIBRARY_VARIABLE, count_devices, open_delegate
from edgekit_devices.targets import TARGETS, Io, Precision

LISTING = """
#include <stddef.h>
void *edgetpu_list_devices(size_t *count) {{ static int device; *count = {count}; return {count} ? &device : 0; }}
void edgetpu_free_devices(void *devices) {{ }}
"""
DELEGATE = """
#include <stdio.h>
void *tflite_plugin_create_delegate(char **keys, char **values, size_t count, void (*report)(const char *)) {
    char text[99];
    snprintf(text, sizeof text, "options %d: %s=%s", (int)count, count ? keys[0] : "", count ? values[0] : "");
    report(text);
    return 0;
}
void tflite_plugin_destroy_delegate(void *delegate) { }
"""


def library(folder: Path, source: str) -> str:
    path = folder / "stand_in.so"
    try:
        command = ["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", str(path)]
        subprocess.run(command, input=source, text=True, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("needs a C compiler for the stand-in library")
    return str(path)


def test_no_runtime_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIBRARY_VARIABLE, "/absent/libedgetpu.so.1")
    with pytest.raises(DeviceError, match=r"no Edge TPU runtime \(.*libedgetpu\.so\.1") as caught:
        open_delegate("")
    assert "libedgetpu1-std" in caught.value.hint
    assert "--device cpu" in caught.value.hint


@pytest.mark.parametrize("source", ["int answer(void) { return 42; }", LISTING.format(count=1), DELEGATE])
def test_a_library_of_something_else_is_no_runtime(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    monkeypatch.setenv(LIBRARY_VARIABLE, library(tmp_path, source))
    with pytest.raises(DeviceError, match="not an Edge TPU runtime"):
        open_delegate("")


def test_no_device_is_told_with_the_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIBRARY_VARIABLE, library(tmp_path, LISTING.format(count=0) + DELEGATE))
    with pytest.raises(DeviceError, match="no Edge TPU attached") as caught:
        open_delegate("usb")
    assert "18d1:9302" in caught.value.hint
    assert "/dev/apex_0" in caught.value.hint


def test_devices_are_counted(tmp_path: Path) -> None:
    assert count_devices(library(tmp_path, LISTING.format(count=2) + DELEGATE)) == 2


@pytest.mark.parametrize(("spec", "name"), [("usb:1", "Edge TPU 'usb:1'"), ("", "the Edge TPU")])
def test_a_delegate_that_refuses_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str, name: str
) -> None:
    monkeypatch.setenv(LIBRARY_VARIABLE, library(tmp_path, LISTING.format(count=1) + DELEGATE))
    with pytest.raises(DeviceError, match=f"{name} cannot be opened") as caught:
        open_delegate(spec)
    options = "options 1: device=usb:1" if spec else "options 0: ="
    assert options in str(caught.value.__cause__)


def test_targets() -> None:
    assert list(TARGETS) == ["cpu", "coral"]
    assert all(name == target.name for name, target in TARGETS.items())
    coral = TARGETS["coral"]
    assert coral.precisions == ("int8",)
    assert set(coral.io) == {"int8", "uint8"}
    assert not coral.per_channel_dense
    assert TARGETS["cpu"].precisions == get_args(Precision)
    assert TARGETS["cpu"].io == get_args(Io)
