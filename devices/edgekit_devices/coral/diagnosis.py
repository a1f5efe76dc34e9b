"""What is wrong with an Edge TPU, and how it is mended: one message for each state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgekit.errors import DeviceError
from edgekit_devices.coral.attached import Attached

if TYPE_CHECKING:  # what lists devices works where the runtime cannot be imported
    from edgekit_devices.coral.runtime import Kind, Listed
    from edgekit_devices.isolation import CrashedError, HungError

USB_RULES = (
    'SUBSYSTEM=="usb",ATTRS{idVendor}=="1a6e",ATTRS{idProduct}=="089a",GROUP="plugdev"',
    'SUBSYSTEM=="usb",ATTRS{idVendor}=="18d1",ATTRS{idProduct}=="9302",GROUP="plugdev"',
)
"""udev's rules for both identities: a device has the second from its first use on."""
PCI_RULES = ('SUBSYSTEM=="apex", MODE="0660", GROUP="apex"',)
RULES_FILE = "/etc/udev/rules.d/99-edgetpu.rules"

ATTACH = (
    "USB: lsusb has to show 18d1:9302, or 1a6e:089a before the first use; plug it in again, into a port with enough "
    "current. PCIe: lspci -nn has to show 1ac1:089a, and /dev/apex_0 has to be there (driver gasket). In a container, "
    "pass on /dev/bus/usb as a whole, or /dev/apex_0."
)
_DRIVER = (
    "Install the driver: sudo apt install gasket-dkms, from Google's packages, or for kernels since 6.12 from "
    "https://github.com/feranick/gasket-driver/releases; then sudo modprobe apex. /dev/apex_0 has to appear."
)
_BUSY = "See that no other program uses it, then unplug it and plug it in again, or power the board off and on."
_OTHER_BUILD = (
    "The library is of another build than the model or the TensorFlow Lite runtime: take a newer one from "
    "https://github.com/feranick/libedgetpu/releases."
)


def not_listed(seen: Sequence[Attached], library: str) -> DeviceError:
    """Nothing is there for the runtime.

    Args:
        seen: What the kernel sees all the same.
        library: The runtime.
    """
    for device in seen:
        if device.node is None:
            return DeviceError(
                f"the Edge TPU on PCIe {device.name} has no driver: there is no /dev/apex_0", hint=_DRIVER
            )
        if not device.present or not device.allowed:
            return not_permitted(device)
    if seen:
        return DeviceError(
            f"an Edge TPU is attached ({_where(seen[0])}), and {library} does not see it", hint=_BUSY
        )
    return DeviceError("no Edge TPU attached", hint=ATTACH)


def not_permitted(device: Attached) -> DeviceError:
    """It is attached, and its node is not there, or not for this user."""
    if not device.present:
        return DeviceError(
            f"the Edge TPU at {_where(device)} cannot be reached: {device.node} is not there",
            hint="In a container, pass on /dev/bus/usb as a whole: the device gets another number with its first use."
            if device.kind == "usb" else "In a container, pass it on: --device /dev/apex_0.",
        )
    rules, group = (USB_RULES, "plugdev") if device.kind == "usb" else (PCI_RULES, "apex")
    lines = [
        f"Put {'these lines' if len(rules) > 1 else 'this line'} into {RULES_FILE}:",
        *rules,
        "then: sudo udevadm control --reload-rules && sudo udevadm trigger",
        f"and: sudo groupadd -f {group} && sudo usermod -aG {group} $USER, log in again"
        + (", and plug it in again." if device.kind == "usb" else "."),
    ]
    return DeviceError(f"this user may not open the Edge TPU at {_where(device)}: {device.node}", hint="\n".join(lines))


def not_there(wanted: str, listed: Sequence[Listed]) -> DeviceError:
    """Others are attached, and not the one that was asked for."""
    return DeviceError(
        f"there is no Edge TPU '{wanted}'",
        hint=f"Attached {'is' if len(listed) == 1 else 'are'} {', '.join(names(listed))}; "
        "coral alone takes any of them, and coral:all every one.",
    )


def too_old(library: str, version: int, needed: int) -> DeviceError:
    """The model needs a newer runtime."""
    return DeviceError(
        f"the model needs version {needed} of the Edge TPU's runtime, and {library} is of version {version}",
        hint="Install a newer one (https://github.com/feranick/libedgetpu/releases), or compile the model again with "
        f"edgetpu_compiler --min_runtime_version {version}.",
    )


def refused(name: str, library: str, reason: str, seen: Sequence[Attached]) -> DeviceError:
    """The delegate was not made, which is all that libedgetpu says.

    Args:
        name: The device, such as `coral:usb:0`.
        library: The runtime.
        reason: What it said all the same; may be empty.
        seen: What the kernel sees now: the first use gives a USB device another identity and node.
    """
    barred = next((device for device in seen if device.node and not (device.present and device.allowed)), None)
    if barred and len(seen) == 1:
        return not_permitted(barred)
    said = f": {reason}" if reason else ""
    return DeviceError(f"{name} cannot be opened by {library}{said}", hint=_BUSY)


def not_run(name: str, library: str, reason: str) -> DeviceError:
    """The delegate is there, and the model does not run on it.

    Args:
        name: The device.
        library: The runtime.
        reason: All that TensorFlow Lite said.
    """
    for words, meaning, hint in _REASONS:
        if words in reason:
            return DeviceError(f"the model does not run on {name}: {meaning}", hint=hint)
    first = reason.strip().partition("\n")[0]
    return DeviceError(f"the model does not run on {name}: {first}", hint=_OTHER_BUILD)


_REASONS = (
    (
        "newer than this runtime version",
        "it was compiled for a newer version of the Edge TPU's runtime",
        "Install a newer libedgetpu (https://github.com/feranick/libedgetpu/releases), or compile the model again with "
        "edgetpu_compiler --min_runtime_version 13.",
    ),
    (
        "custom op: edgetpu-custom-op",
        "its delegate takes no part of it, so that it is no Edge TPU's or of another build",
        _OTHER_BUILD,
    ),
    ("Unsupported data type in custom op handler", "the runtime of the Edge TPU is of another build", _OTHER_BUILD),
    ("Failed to retrieve TPU context", "the device was lost", _BUSY),
)


def crashed(name: str, library: str, error: CrashedError) -> DeviceError:
    """The child process that tried the device died."""
    words = f" ({error.log})" if error.log else ""
    if not error.signalled:
        return DeviceError(
            f"{name} was not tried: the child process for it {error.how}{words}",
            hint="It is started with the same Python. --device-option timeout=0 does without.",
        )
    return DeviceError(
        f"{library} {error.how} while {error.step or 'it was tried'}, so that {name} is not used{words}",
        hint="That was in a child process, which keeps it from ending this one. It is mostly a libedgetpu that was "
        "built for another TensorFlow Lite: take the newest of https://github.com/feranick/libedgetpu/releases.",
    )


def hung(name: str, library: str, error: HungError) -> DeviceError:
    """The child process that tried the device did not come to an end."""
    return DeviceError(
        f"{library} {error.how} while {error.step or 'it was tried'}, so that {name} is not used",
        hint=f"{_BUSY} More time is given by --device-option timeout=60.",
    )


def names(listed: Sequence[Listed]) -> list[str]:
    """The devices as users ask for them, such as `coral:usb:0`."""
    return [f"coral:{spec}" for spec in specs(listed)]


def specs(listed: Sequence[Listed]) -> list[str]:
    """The devices as libedgetpu numbers them, such as `usb:0`."""
    seen: dict[Kind, int] = {}
    found = []
    for device in listed:
        number = seen.get(device.kind, 0)
        seen[device.kind] = number + 1
        found.append(f"{device.kind}:{number}")
    return found


def _where(device: Attached) -> str:
    return f"{'USB' if device.kind == 'usb' else 'PCIe'} {device.name}, {device.identity}"
