"""What the doctor says of Edge TPUs, on trees that are made up; and with a library that is none."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit_devices.coral.diagnosis import USB_RULES
from edgekit_devices.coral.runtime import LIBRARY_VARIABLE
from edgekit_devices.doctor.checks import coral
from edgekit_devices.doctor.finding import Finding
from edgekit_devices.machine import Machine

Make = Callable[..., Machine]
Ask = Callable[[Machine, str], list[Finding]]
Worst = Callable[[Machine, str], Finding]

STAND_IN = Path(__file__).parents[1] / "edgetpu_stand_in.c"
STICK = "sys/bus/usb/devices/1-1"


def usb(identity: str = "18d1:9302", speed: str = "5000") -> dict[str, str | None]:
    vendor, product = identity.split(":")
    return {
        f"{STICK}/idVendor": vendor, f"{STICK}/idProduct": product, f"{STICK}/busnum": "1", f"{STICK}/devnum": "4",
        f"{STICK}/speed": speed, "dev/bus/usb/001/004": "",
    }


def pcie(driver: bool) -> dict[str, str | None]:
    address = "0000:01:00.0"
    files: dict[str, str | None] = {
        f"sys/bus/pci/devices/{address}/vendor": "0x1ac1", f"sys/bus/pci/devices/{address}/device": "0x089a",
    }
    return {**files, "dev/apex_0": "", f"sys/class/apex/apex_0/{address}": ""} if driver else files


def test_without_one_nothing_is_said(pi: Make, findings: Ask) -> None:
    for check in coral.CHECKS:
        assert findings(pi(), check.name) == []


def test_one_that_was_not_used_yet(pi: Make, worst: Worst) -> None:
    assert "/dev/bus/usb" in worst(pi(usb("1a6e:089a")), "coral-attached").why
    assert worst(pi(usb()), "coral-attached").level == "ok"


def test_one_in_a_slow_port(pi: Make, findings: Ask) -> None:
    found = findings(pi(usb(speed="480")), "coral-usb-speed")[0]
    assert found.what == "the Edge TPU at USB 1-1 runs at 480 Mb/s instead of 5000"
    assert "5000M" in found.mend
    assert findings(pi(usb()), "coral-usb-speed") == []


def test_rules_of_udev_for_both_identities(pi: Make, findings: Ask) -> None:
    found = findings(pi(usb()), "coral-udev")[0]
    assert found.what == "udev has no rule for 1a6e:089a and 18d1:9302"
    assert all(rule in found.mend for rule in USB_RULES)
    one = {**usb(), "etc/udev/rules.d/99-edgetpu.rules": USB_RULES[0]}
    assert findings(pi(one), "coral-udev")[0].what == "udev has no rule for 18d1:9302"
    both = {**usb(), "lib/udev/rules.d/60-libedgetpu1-std.rules": "\n".join(USB_RULES)}
    (pi().root / "etc/udev/rules.d/99-edgetpu.rules").unlink()
    assert findings(pi(both), "coral-udev") == []


def test_one_that_the_user_may_not_open(pi: Make, worst: Worst) -> None:
    found = worst(pi(usb(), barred="bus/usb"), "coral-rights")
    assert found.level == "blocked"
    assert "usermod -aG plugdev" in found.mend


def test_one_that_a_container_was_not_given(pi: Make, worst: Worst) -> None:
    machine = pi(usb())
    (machine.root / "dev/bus/usb/001/004").unlink()
    assert "pass on /dev/bus/usb" in worst(machine, "coral-rights").mend


@pytest.mark.parametrize(
    ("release", "words"), [("6.1.21-v8+", "gasket-dkms   # from Google's"), ("6.12.47-v8", "feranick/gasket-driver")]
)
def test_one_on_pcie_without_a_driver(pi: Make, worst: Worst, release: str, words: str) -> None:
    found = worst(pi(pcie(driver=False), kernel=("aarch64", release)), "coral-driver")
    assert found.level == "blocked"
    assert words in found.mend
    assert "pciex1-compat-pi5" in found.mend  # on a Raspberry Pi 5
    loaded = pi({**pcie(driver=False), "sys/module/apex": None})
    assert "modprobe -r apex" in worst(loaded, "coral-driver").mend


def test_one_without_its_library(pi: Make, worst: Worst, findings: Ask) -> None:
    found = worst(pi(usb()), "coral-library")
    assert (found.level, "libedgetpu1-std" in found.mend) == ("blocked", True)
    with_library = {**usb(), "usr/lib/libedgetpu.so.1": ""}
    assert worst(pi(with_library), "coral-library").mend == "sudo apt install libusb-1.0-0"
    assert findings(pi({**with_library, "usr/lib/libusb-1.0.so.0": ""}), "coral-library") == []


def test_heat(pi: Make, findings: Ask) -> None:
    points = {f"sys/class/apex/apex_0/trip_point{at}_temp": text for at, text in enumerate(("85000", "90000", "95000"))}
    files = {**pcie(driver=True), **points}
    assert findings(pi({**files, "sys/class/apex/apex_0/temp": "45000"}), "coral-temperature")[0].level == "ok"
    assert findings(pi({**files, "sys/class/apex/apex_0/temp": "91000"}), "coral-temperature")[0].level == "warning"
    assert findings(pi({**files, "sys/class/apex/apex_0/temp": "-89000"}), "coral-temperature")[0].level == "blocked"
    assert "no sensor" in findings(pi(usb()), "coral-temperature")[-1].what


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Compiles the stand-in for libedgetpu, with macros for what it has and how it fails."""
    folder = tmp_path_factory.mktemp("libraries")

    def make(**macros: object) -> str:
        path = folder / f"libstandin{len(list(folder.iterdir()))}.so"
        defined = [f"-D{name}={value}" for name, value in macros.items()]
        try:
            subprocess.run(["cc", "-shared", "-fPIC", *defined, str(STAND_IN), "-o", str(path)], check=True)
        except FileNotFoundError:
            pytest.skip("needs a C compiler for the stand-in library")
        return str(path)

    return make


def test_what_the_library_says(pi: Make, findings: Ask, library: Callable[..., str]) -> None:
    files = {**usb(), "usr/lib/libusb-1.0.so.0": ""}

    def ask(name: str) -> list[Finding]:
        return findings(pi(files, environment={"PATH": "", LIBRARY_VARIABLE: name}), "coral-library")

    name = library(USB=1, VERSION='"14"')
    (sees,) = ask(name)
    assert sees.what == f"{Path(name).name}: BuildLabel(stand-in), RuntimeVersion(14), sees 1 device"
    _, stuck = ask(library())
    assert stuck.what == "an Edge TPU is attached, and libedgetpu does not see it"
    assert "authorized" in stuck.mend
    (died,) = ask(library(LIST="die"))
    assert "crashed (SIGSEGV) while it listed its devices" in died.what
    not_one = pi().root / "no_library.so"
    not_one.write_text("no library")
    assert "cannot be loaded" in ask(str(not_one))[0].what


def test_a_user_whom_the_rules_leave_out(pi: Make, worst: Worst) -> None:
    rules = {"etc/udev/rules.d/99-edgetpu.rules": "\n".join(USB_RULES)}
    found = worst(pi({**usb(), **rules}, barred="bus/usb"), "coral-rights")
    assert found.mend.startswith("sudo groupadd -f plugdev && sudo usermod -aG plugdev pi")
