"""`edgekit devices`, on trees that are made up."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from edgekit_devices.listing import Listed, accelerators, list_all
from edgekit_devices.listing.graphics import list_providers
from edgekit_devices.machine import Machine

Make = Callable[..., Machine]
Write = Callable[[Mapping[str, str | None]], Path]
Command = Callable[..., int]


def of_kind(machine: Machine, kind: str) -> list[Listed]:
    return [one for one in list_all(machine) if one.kind == kind]


def states(machine: Machine, kind: str) -> dict[str, str]:
    return {one.use: one.state for one in of_kind(machine, kind)}


def test_a_root_that_is_no_folder(
    command: Command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EDGEKIT_ROOT", str(tmp_path / "absent"))
    for name in ("devices", "doctor"):
        assert command(name) == 2
        assert f"EDGEKIT_ROOT={tmp_path}/absent is no folder" in capsys.readouterr().err


def test_the_command_lists_a_board_with_what_is_attached(
    write: Write, command: Command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write({
        "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0", "dev/video0": "",
        "sys/class/video4linux/video0/name": "HD Webcam", "sys/bus/iio/devices/iio:device0/name": "mpu6050",
        "sys/bus/iio/devices/iio:device0/in_accel_x_raw": "1",
    })
    monkeypatch.setenv("EDGEKIT_ROOT", str(root))
    monkeypatch.setattr(accelerators, "list_providers", lambda machine: iter(()))  # a child process each time
    assert command("devices", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["machine"] == "Raspberry Pi 5 Model B Rev 1.0"
    found = {one["use"]: one for one in said["devices"]}
    assert found["camera:0"]["name"] == "HD Webcam"
    assert found["iio:device0"]["detail"] == "accel_x"
    assert found["cpu"]["state"] == "usable"
    assert command("devices") == 0
    shown = capsys.readouterr().out
    assert "Accelerators, for --device" in shown
    assert "camera:0  HD Webcam" in shown
    assert "Microphones, as SOURCE: none" in shown


def test_a_processor_without_a_runtime(pi: Make, installed: Callable[..., Any]) -> None:
    found = of_kind(pi(installed=installed(numpy="2")), "accelerator")[0]
    assert (found.use, found.state, found.mend) == ("cpu", "library missing", "pip install ai-edge-litert")


def test_edge_tpus_in_every_state(pi: Make) -> None:
    folder = "sys/bus/usb/devices"
    files: dict[str, str | None] = {"sys/bus/pci/devices/0000:01:00.0/vendor": "0x1ac1",
                                    "sys/bus/pci/devices/0000:01:00.0/device": "0x089a"}
    for number in (1, 2):
        files |= {
            f"{folder}/1-{number}/idVendor": "18d1", f"{folder}/1-{number}/idProduct": "9302",
            f"{folder}/1-{number}/busnum": "1", f"{folder}/1-{number}/devnum": str(number),
            f"dev/bus/usb/001/00{number}": "",
        }
    assert states(pi(files), "accelerator") == {
        "cpu": "usable", "coral:usb:0": "library missing", "coral:usb:1": "library missing", "coral": "not usable",
    }
    machine = pi({**files, "usr/lib/libedgetpu.so.1": "", "proc/77/comm": "frigate"}, barred="usb/001/001")
    holds(machine.root, 77, "/dev/bus/usb/001/002")
    found = {one.use: one for one in of_kind(machine, "accelerator")}
    assert found["coral:usb:0"].state == "no permission"
    assert found["coral:usb:1"].detail == "frigate (process 77) has it open"


def holds(root: Path, process: int, device: str) -> None:
    folder = root / "proc" / str(process) / "fd"
    folder.mkdir(parents=True)
    (folder / "3").symlink_to(device)


def test_what_onnxruntime_runs_on(pi: Make, installed: Callable[..., Any]) -> None:
    pytest.importorskip("onnxruntime")
    found = list(list_providers(pi(installed=installed(onnxruntime="1.23.0"))))
    assert (found[-1].use, found[-1].state) == ("onnx", "usable")
    assert list(list_providers(pi(installed={}))) == []


def test_delegates_that_a_maker_s_system_brings(pi: Make) -> None:
    assert states(pi({"usr/lib/libvx_delegate.so": ""}), "accelerator") == {
        "cpu": "usable", "delegate:/usr/lib/libvx_delegate.so": "usable",
    }


def test_cameras_in_every_state(pi: Make) -> None:
    names = ("HD Webcam", "Other Webcam", "bcm2835-codec-decode", "unicam", "Third")
    files: dict[str, str | None] = {"proc/77/comm": "motion"}
    for number, name in enumerate(names):
        files |= {f"dev/video{number}": "", f"sys/class/video4linux/video{number}/name": name}
    machine = pi(files, barred="video4")
    holds(machine.root, 77, "/dev/video1")
    assert states(machine, "camera") == {
        "camera:0": "usable", "camera:1": "busy", "camera:4": "no permission", "csi:0": "library missing",
    }
    listed = pi(programs={"rpicam-hello": "Available cameras\n0 : imx708 [4608x2592]\n1 : imx219 [3280x2464]\n"})
    assert [one.name for one in of_kind(listed, "camera") if one.use.startswith("csi")] == ["imx708", "imx219"]


def test_a_jetson_s_cameras(pi: Make) -> None:
    files = {"dev/video0": "", "sys/class/video4linux/video0/name": "vi-output, imx219 9-0010"}
    assert states(pi(files), "camera") == {"csi:0": "library missing"}
    assert states(pi(files, programs={"gst-launch-1.0": ""}), "camera") == {"csi:0": "usable"}


def test_sensors_in_every_state(pi: Make, installed: Callable[..., Any], tmp_path: Path) -> None:
    files: dict[str, str | None] = {
        "dev/ttyUSB0": "", "dev/ttyACM0": "", "dev/ttyS0": "", "dev/ttyS1": "", "sys/class/tty/ttyS1/type": "4",
        "sys/class/tty/ttyS0/type": "0", "dev/i2c-1": "", "dev/i2c-20": "",
        "sys/class/i2c-dev/i2c-1/name": "bcm2835 (i2c@7e804000)", "sys/class/i2c-dev/i2c-20/name": "fef04500.hdmi",
        "sys/bus/i2c/devices/1-0068/name": "mpu6050", "dev/serial/by-id/.keep": "", "proc/9/comm": "minicom",
    }
    machine = pi(files)
    (tmp_path / "dev/serial/by-id/usb-Arduino_Uno-if00").symlink_to(tmp_path / "dev/ttyACM0")
    holds(tmp_path, 9, "/dev/ttyUSB0")
    bus = "i2c:1?address=ADDRESS&registers=NAME:REGISTER:FORM"
    assert states(machine, "sensor") == {
        "serial:/dev/ttyUSB0": "busy", "serial:/dev/serial/by-id/usb-Arduino_Uno-if00": "usable",
        "serial:/dev/ttyS1": "usable", bus: "usable",
    }
    assert next(one for one in of_kind(machine, "sensor") if one.use == bus).detail.endswith("0x68 mpu6050")
    without = pi(installed=installed(numpy="2"))
    assert {one.state for one in of_kind(without, "sensor")} == {"busy", "library missing"}
    barred = pi(barred="tty")
    assert {one.state for one in of_kind(barred, "sensor") if one.use.startswith("serial")} == {"no permission"}


def test_microphones_in_every_state(pi: Make) -> None:
    files: dict[str, str | None] = {
        "proc/asound/cards": " 0 [vc4hdmi0 ]: vc4-hdmi - vc4-hdmi-0\n                      vc4-hdmi-0\n"
        " 1 [Device   ]: USB-Audio - USB PnP Sound Device\n                      C-Media USB PnP\n",
        "proc/asound/pcm": "00-00: MAI PCM i2s-hifi-0 : MAI PCM : playback 1\n"
        "01-00: USB Audio : USB Audio : playback 1 : capture 1\n",
    }
    found = of_kind(pi(files), "audio")
    assert [(one.use, one.name, one.state) for one in found] == [
        ("mic:plughw:1,0", "USB PnP Sound Device", "library missing")
    ]
    assert states(pi(programs={"arecord": ""}), "audio") == {"mic:plughw:1,0": "usable"}
    assert states(pi({"usr/lib/libportaudio.so.2": ""}), "audio") == {"mic:hw:1,0": "usable"}
    assert states(pi(barred="snd"), "audio") == {"mic:hw:1,0": "no permission"}
