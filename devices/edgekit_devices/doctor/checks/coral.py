"""Coral Edge TPUs that are attached: bus, driver, rights, library."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from edgekit.errors import EdgeKitError
from edgekit_devices import isolation, sysfs
from edgekit_devices.coral import attached, diagnosis, temperature
from edgekit_devices.doctor.finding import Check, Finding, blocked, note, ok, warning
from edgekit_devices.listing.accelerators import (
    EDGE_TPU_COMMAND,
    can_ask_edge_tpus,
    edge_tpu_library,
    has_edge_tpu_library,
)
from edgekit_devices.listing.asked import FUNCTIONS
from edgekit_devices.machine import Machine
from edgekit_devices.machine.libraries import find_library

GROUP = "Coral Edge TPU"
SECONDS = 20.0
FULL_SPEED = 5000
"""Megabits a second on USB 3."""
FRESH, LOADED = attached.USB_IDS
RULES_FOLDERS = ("etc/udev/rules.d", "lib/udev/rules.d", "usr/lib/udev/rules.d", "run/udev/rules.d")
LIBUSB = "libusb-1.0.so.0"


def seen(machine: Machine) -> Iterator[Finding]:
    """What is on the buses."""
    for device in attached.look(machine.root):
        where = f"{device.kind.upper()} {device.name}, {device.identity}"
        yield ok(f"an Edge TPU is attached: {where}")
        if device.identity == FRESH:
            yield note(
                f"the Edge TPU at {where} has not been used since it was plugged in",
                f"The first use loads its firmware, after which it is {LOADED} and another number: a container or "
                "virtual machine has to be given all of /dev/bus/usb, and udev needs rules for both.",
            )


def usb_speed(machine: Machine) -> Iterator[Finding]:
    """A USB 2 port or cable costs what the chip gains."""
    for device in attached.look(machine.root):
        speed = machine.text(f"sys/bus/usb/devices/{device.name}/speed")
        if device.kind == "usb" and speed.isdigit() and int(speed) < FULL_SPEED:
            yield warning(
                f"the Edge TPU at USB {device.name} runs at {speed} Mb/s instead of {FULL_SPEED}",
                "USB 2 carries some 40 MB/s, USB 3 more than 300, and all inputs, and parameters that do not fit the "
                "chip's memory, go through it in each run.",
                "Plug it into a blue (USB 3) port with the cable that came with it, without a hub; then lsusb -t has "
                f"to show {FULL_SPEED}M.",
            )


def driver(machine: Machine) -> Iterator[Finding]:
    """PCIe needs gasket and apex."""
    for device in attached.look(machine.root):
        if device.kind == "pci" and device.node is None:
            yield blocked(f"the Edge TPU on PCIe {device.name} has no driver: there is no /dev/apex_0",
                          _driver_reason(machine), _driver_command(machine))


def _driver_reason(machine: Machine) -> str:
    if machine.path("sys/module/apex").exists():
        return "The module apex is loaded, and does not take the device: see sudo dmesg | grep -i apex."
    return "The kernel has no module for it: gasket and apex are built on the device, by DKMS."


def _driver_command(machine: Machine) -> str:
    if machine.path("sys/module/apex").exists():
        return "sudo modprobe -r apex && sudo modprobe apex && sudo dmesg | grep -i apex"
    lines = ["sudo apt install dkms linux-headers-$(uname -r)"]
    if _release(machine) >= (6, 12):
        lines.append("sudo apt install ./gasket-dkms_*.deb   # from "
                     "https://github.com/feranick/gasket-driver/releases: Google's does not build for this kernel")
    else:
        lines.append("sudo apt install gasket-dkms   # from Google's packages, https://coral.ai/docs/m2/get-started")
    if "Raspberry Pi 5" in machine.text("proc/device-tree/model"):
        lines.append("echo dtoverlay=pciex1-compat-pi5,no-mip | sudo tee -a /boot/firmware/config.txt")
        lines.append("echo dtoverlay=pcie-32bit-dma-pi5 | sudo tee -a /boot/firmware/config.txt")
    return "\n".join((*lines, "sudo modprobe apex || sudo reboot"))


def _release(machine: Machine) -> tuple[int, ...]:
    parts = machine.kernel[1].split("-")[0].split(".")[:2]
    return tuple(int(part) for part in parts if part.isdigit())


def rights(machine: Machine) -> Iterator[Finding]:
    """The node has to be there, and to be the user's."""
    for device in attached.look(machine.root):
        if device.node is None:
            continue
        inside = machine.path(str(device.node).lstrip("/"))
        if not device.present:
            error = diagnosis.not_permitted(device)
            yield blocked(error.message, "", error.hint)
        elif not (device.allowed and machine.may_use(inside)):
            yield blocked(diagnosis.not_permitted(device).message, "", _allow(machine, device))


def _allow(machine: Machine, device: attached.Attached) -> str:
    """The commands that let the user open it: rules for udev, where they are missing, and the group."""
    group, rules = ("plugdev", diagnosis.USB_RULES) if device.kind == "usb" else ("apex", diagnosis.PCI_RULES)
    needed = _missing_rules(machine) if device.kind == "usb" else not _mentions(machine, "apex")
    again = "log in again, and plug it in again" if device.kind == "usb" else "log in again"
    join = f"sudo groupadd -f {group} && sudo usermod -aG {group} {machine.user.name}   # then {again}"
    return f"{_add_rules(rules)}\n{join}" if needed else join


def _add_rules(rules: Sequence[str]) -> str:
    lines = [f"echo '{rule}' | sudo tee -a {diagnosis.RULES_FILE}" for rule in rules]
    return "\n".join((*lines, "sudo udevadm control --reload-rules && sudo udevadm trigger"))


def _mentions(machine: Machine, *words: str) -> bool:
    """Whether one of udev's files of rules holds all of these words."""
    texts = (sysfs.text(file).lower() for folder in RULES_FOLDERS for file in machine.entries(f"{folder}/*.rules"))
    return any(all(word in text for word in words) for text in texts)


def _missing_rules(machine: Machine) -> list[str]:
    """Identities for which udev has no rule."""
    return [identity for identity in attached.USB_IDS if not _mentions(machine, *identity.split(":"))]


def rules(machine: Machine) -> Iterator[Finding]:
    """A device on USB has two identities, and a rule for one of them is not enough."""
    if not any(device.kind == "usb" for device in attached.look(machine.root)):
        return
    missing = _missing_rules(machine)
    if missing:
        yield (note if machine.user.is_root else warning)(
            f"udev has no rule for {' and '.join(missing)}",
            "Without one only root may open it. It is 1a6e:089a until its first use, and 18d1:9302 from then on.",
            _add_rules(diagnosis.USB_RULES),
        )


def library(machine: Machine) -> Iterator[Finding]:
    """libedgetpu, which no wheel brings, and the libusb that it needs on PCIe too."""
    there = attached.look(machine.root)
    if not has_edge_tpu_library(machine):
        if there:
            yield blocked(f"an Edge TPU is attached, and there is no {edge_tpu_library(machine)}",
                          "It is the Edge TPU's runtime; no PyPI package has it.", EDGE_TPU_COMMAND)
        return
    if find_library(machine, LIBUSB) is None:
        yield blocked(f"there is no {LIBUSB}", "libedgetpu needs it, also for a device on PCIe.",
                      "sudo apt install libusb-1.0-0")
    if can_ask_edge_tpus(machine):
        yield from _ask(machine, there)


def _ask(machine: Machine, there: tuple[attached.Attached, ...]) -> Iterator[Finding]:
    """What the library itself says; it may crash."""
    name = edge_tpu_library(machine)
    try:
        answer = isolation.call(f"{FUNCTIONS}ask_edgetpus", {"library": name}, seconds=SECONDS)
    except isolation.ChildError as error:
        if isinstance(error, isolation.CrashedError) and not error.signalled:
            yield warning(f"{name} could not be asked: {error.log}", "Something else is broken: see Packages.")
            return
        yield blocked(f"{name} {error.how} while {error.step or 'it was asked'}",
                      error.log or "It is mostly of another build than this system.", EDGE_TPU_COMMAND)
        return
    except EdgeKitError as error:
        yield blocked(error.message, "", error.hint)
        return
    devices = answer["devices"]
    yield ok(f"{Path(name).name}: {answer['version'] or 'of no version that it tells'}, sees {len(devices)} "
             f"{'device' if len(devices) == 1 else 'devices'}")
    if there and not devices and all(device.present and device.allowed for device in there):
        yield _stuck(there[0])


def _stuck(device: attached.Attached) -> Finding:
    """The kernel sees it, and the runtime does not."""
    again = f"/sys/bus/usb/devices/{device.name}/authorized"
    return blocked(
        "an Edge TPU is attached, and libedgetpu does not see it", "It hangs, or another program has it.",
        f"echo 0 | sudo tee {again}; sleep 2; echo 1 | sudo tee {again}   # as if it were plugged in again"
        if device.kind == "usb" else "sudo modprobe -r apex && sudo modprobe apex   # or power the board off and on",
    )


def heat(machine: Machine) -> Iterator[Finding]:
    """Chips on PCIe have a sensor; those on USB have none to read."""
    for chip in temperature.read(machine.root):
        if chip.warning:
            yield (blocked if chip.dead else warning)(
                f"the Edge TPU {chip.warning}", "", "Power the board off and on." if chip.dead else
                "Give it a heat sink or a fan, or run it slower: --device-option Performance=Medium",
            )
        else:
            yield ok(f"the Edge TPU {chip.name} is at {chip.celsius:.0f} °C")
    for device in attached.look(machine.root):
        if device.kind == "usb":
            yield note(f"the Edge TPU at USB {device.name} has no sensor of heat that can be read",
                       "Where it is too warm, runs take longer: edgekit_stage_seconds of /metrics shows it.")


CHECKS = (
    Check("coral-attached", GROUP, seen),
    Check("coral-usb-speed", GROUP, usb_speed),
    Check("coral-driver", GROUP, driver),
    Check("coral-rights", GROUP, rights),
    Check("coral-udev", GROUP, rules),
    Check("coral-library", GROUP, library),
    Check("coral-temperature", GROUP, heat),
)
