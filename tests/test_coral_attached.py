"""What is read of Edge TPUs from /sys and /dev, on trees that are made up here."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import edgekit
from edgekit import DeviceError
from edgekit_devices.coral import diagnosis, selection, temperature
from edgekit_devices.coral.attached import Attached, look
from edgekit_devices.coral.delegate import CORAL
from edgekit_devices.coral.runtime import Listed
from edgekit_devices.sysfs import ROOT_VARIABLE


def usb(root: Path, name: str = "1-1", identity: str = "18d1:9302", node: bool = True) -> None:
    folder = root / "sys/bus/usb/devices" / name
    folder.mkdir(parents=True)
    vendor, product = identity.split(":")
    number = int(name[-1]) + 3
    for file, text in (("idVendor", vendor), ("idProduct", product), ("busnum", 1), ("devnum", number)):
        (folder / file).write_text(f"{text}\n")
    if node:
        make(root / f"dev/bus/usb/001/{number:03d}")


def pci(root: Path, address: str = "0000:01:00.0", apex: str = "apex_0", vendor: str = "0x1ac1") -> None:
    folder = root / "sys/bus/pci/devices" / address
    folder.mkdir(parents=True)
    (folder / "vendor").write_text(f"{vendor}\n")
    (folder / "device").write_text("0x089a\n")
    if apex:
        make(root / "dev" / apex)
        (root / "sys/class/apex" / apex).mkdir(parents=True)
        (root / "sys/class/apex" / apex / "device").symlink_to(folder)


def make(path: Path, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def barred(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Takes the right to open a node away, which a mode does not do for an administrator."""

    def bar(name: str) -> None:
        monkeypatch.setattr(os, "access", lambda path, mode, **how: name not in str(path))

    return bar


def test_nothing_is_attached(tmp_path: Path) -> None:
    assert look(tmp_path) == ()
    assert temperature.read(tmp_path) == ()
    usb(tmp_path, identity="1d6b:0002")
    pci(tmp_path, apex="", vendor="0x8086")
    assert look(tmp_path) == ()
    assert diagnosis.not_listed((), "lib").message == "no Edge TPU attached"


def test_devices_are_seen_on_the_buses(tmp_path: Path) -> None:
    usb(tmp_path, "1-1", "1a6e:089a")
    usb(tmp_path, "1-2", node=False)
    (tmp_path / "sys/bus/usb/devices/1-3").mkdir()
    pci(tmp_path, "0000:02:00.0", "apex_0")
    pci(tmp_path, "0000:03:00.0", "")
    make(tmp_path / "dev/apex_1")
    make(tmp_path / "sys/class/apex/apex_1/temp", "40000")
    assert look(tmp_path) == (
        Attached("usb", "1-1", "1a6e:089a", Path("/dev/bus/usb/001/004"), True, True),
        Attached("usb", "1-2", "18d1:9302", Path("/dev/bus/usb/001/005"), False, False),
        Attached("pci", "apex_0", "1ac1:089a", Path("/dev/apex_0"), True, True),
        Attached("pci", "0000:03:00.0", "1ac1:089a"),
        Attached("pci", "apex_1", "1ac1:089a", Path("/dev/apex_1"), True, True),
    )


def test_a_usb_device_that_may_not_be_opened(tmp_path: Path, barred: Callable[[str], None]) -> None:
    usb(tmp_path, identity="1a6e:089a")
    barred("bus/usb")
    error = diagnosis.not_listed(look(tmp_path), "lib")
    assert error.message == "this user may not open the Edge TPU at USB 1-1, 1a6e:089a: /dev/bus/usb/001/004"
    lines = error.hint.splitlines()
    assert lines[1:3] == [
        'SUBSYSTEM=="usb",ATTRS{idVendor}=="1a6e",ATTRS{idProduct}=="089a",GROUP="plugdev"',
        'SUBSYSTEM=="usb",ATTRS{idVendor}=="18d1",ATTRS{idProduct}=="9302",GROUP="plugdev"',
    ]
    assert "usermod -aG plugdev $USER" in error.hint
    assert "plug it in again" in error.hint
    # The runtime lists it all the same: it reads no more than the bus.
    listed = [Listed("usb", "/sys/bus/usb/devices/1-1")]
    for spec in ("", "usb", "usb:0", "all"):
        with pytest.raises(DeviceError, match="this user may not open"):
            selection.select(selection.parse(spec), listed, look(tmp_path), "lib")
    assert diagnosis.refused("coral", "lib", "", look(tmp_path)).message == error.message


def test_of_several_the_one_that_may_be_opened_is_taken(tmp_path: Path, barred: Callable[[str], None]) -> None:
    usb(tmp_path, "1-1")
    pci(tmp_path)
    barred("bus/usb")
    listed = [Listed("usb", "/sys/bus/usb/devices/1-1"), Listed("pci", "/dev/apex_0")]
    assert selection.select(selection.parse(""), listed, look(tmp_path), "lib") == {"": listed[1]}
    with pytest.raises(DeviceError, match="this user may not open"):
        selection.select(selection.parse(":0"), listed, look(tmp_path), "lib")


def test_a_pcie_device_without_driver_or_right(tmp_path: Path, barred: Callable[[str], None]) -> None:
    pci(tmp_path, apex="")
    error = diagnosis.not_listed(look(tmp_path), "lib")
    assert error.message == "the Edge TPU on PCIe 0000:01:00.0 has no driver: there is no /dev/apex_0"
    assert "gasket" in error.hint
    pci(tmp_path, "0000:02:00.0", "apex_1")
    barred("apex_1")
    error = diagnosis.not_listed(look(tmp_path)[1:], "lib")
    assert error.message == "this user may not open the Edge TPU at PCIe apex_1, 1ac1:089a: /dev/apex_1"
    assert 'SUBSYSTEM=="apex", MODE="0660", GROUP="apex"' in error.hint.splitlines()


def test_a_device_whose_node_a_container_lacks(tmp_path: Path) -> None:
    usb(tmp_path, node=False)
    error = diagnosis.not_listed(look(tmp_path), "lib")
    assert error.message.endswith("cannot be reached: /dev/bus/usb/001/004 is not there")
    assert "container" in error.hint


def test_a_device_that_only_the_kernel_sees(tmp_path: Path) -> None:
    usb(tmp_path)
    error = diagnosis.not_listed(look(tmp_path), "libedgetpu.so.1")
    assert error.message == "an Edge TPU is attached (USB 1-1, 18d1:9302), and libedgetpu.so.1 does not see it"


def test_a_device_of_the_other_kind_does_not_explain_what_is_missing(tmp_path: Path) -> None:
    pci(tmp_path, apex="")
    with pytest.raises(DeviceError, match="no Edge TPU attached"):
        selection.select(selection.parse("usb"), [], look(tmp_path), "lib")
    with pytest.raises(DeviceError, match="has no driver"):
        selection.select(selection.parse("pci:0"), [], look(tmp_path), "lib")
    listed = [Listed("usb", "/sys/bus/usb/devices/1-1")]
    with pytest.raises(DeviceError, match="has no driver"):
        selection.select(selection.parse("pci"), listed, look(tmp_path), "lib")
    with pytest.raises(DeviceError, match="there is no Edge TPU 'coral:pci'"):
        selection.select(selection.parse("pci"), listed, (), "lib")


def heat(root: Path, chip: str, millidegrees: object, points: bool = True) -> None:
    make(root / f"sys/class/apex/{chip}/temp", f"{millidegrees}\n")
    for number, point in enumerate((85000, 90000, 95000)) if points else ():
        make(root / f"sys/class/apex/{chip}/trip_point{number}_temp", f"{point}\n")


@pytest.mark.parametrize(
    ("millidegrees", "celsius", "steps", "words"),
    [
        (45123, 45.123, 0, ""),
        (84999, 84.999, 0, ""),
        (85000, 85.0, 1, "apex_0 is at 85.0 °C and runs slower for it (a step at 85, 90, 95 °C): cool it"),
        (96500, 96.5, 3, "apex_0 is at 96.5 °C"),
        (-87900, -87.9, 0, "apex_0 does not answer (its sensor reads -87.9 °C)"),
    ],
)
def test_temperatures(tmp_path: Path, millidegrees: int, celsius: float, steps: int, words: str) -> None:
    heat(tmp_path, "apex_0", millidegrees)
    [chip] = temperature.read(tmp_path)
    assert (chip.name, chip.celsius, chip.trip_points) == ("apex_0", celsius, (85.0, 90.0, 95.0))
    assert (chip.steps, chip.throttled, chip.dead) == (steps, steps > 0, celsius < 0)
    assert chip.warning.startswith(words)
    assert bool(chip.warning) is bool(words)


def test_chips_without_a_sensor_are_left_out(tmp_path: Path) -> None:
    heat(tmp_path, "apex_0", "no number")
    (tmp_path / "sys/class/apex/apex_1").mkdir()
    heat(tmp_path, "apex_2", 50000, points=False)
    assert temperature.read(tmp_path) == (temperature.Temperature("apex_2", 50.0, ()),)


def test_the_device_s_own_options() -> None:
    names = {option.name: str(option) for option in CORAL.options}
    assert names["Usb.MaxBulkInQueueLength"] == "Usb.MaxBulkInQueueLength=0 to 255"
    with pytest.raises(edgekit.UsageError, match="coral:usb:-1"):
        CORAL.check("usb:-1")
    assert ROOT_VARIABLE == "EDGEKIT_ROOT"
