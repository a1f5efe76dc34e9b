"""Delegates for TensorFlow Lite that makers' systems bring: looked for by the names of their libraries."""

from __future__ import annotations

from collections.abc import Iterator

from edgekit_devices.listing.types import Listed
from edgekit_devices.machine import Machine
from edgekit_devices.machine.libraries import find_library

LIBRARIES = {
    "libarmnnDelegate.so": "Arm NN, for Mali GPUs and Arm processors",
    "libvx_delegate.so": "VX, for VeriSilicon NPUs",
    "libteflon.so": "Teflon, Mesa's for the same",
    "libneutron_delegate.so": "Neutron, for the NPU of i.MX 95",
    "libethosu_delegate.so": "Ethos-U, for Arm Ethos-U65",
    "libQnnTFLiteDelegate.so": "QNN, for Qualcomm",
}
"""By file name what a delegate is for; docs/devices.md tells their options."""


def list_delegates(machine: Machine) -> Iterator[Listed]:
    """Those whose libraries are there. None is loaded for that, so that nothing is known of their devices."""
    for name, use in LIBRARIES.items():
        path = find_library(machine, name)
        if path:
            shown = path if machine.real or machine.root not in path.parents else machine.shown(path)
            yield Listed("accelerator", f"delegate:{shown}", use, detail="its device is asked when a model is opened")
