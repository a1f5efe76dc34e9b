"""What a model runs on: the processor, or an accelerator that an installed package registered."""

from __future__ import annotations

from edgekit import plugins
from edgekit.choices import one_of
from edgekit.errors import UsageError
from edgekit.interpreter import Delegate

AUTO = "auto"
CPU = "cpu"
EDGE_TPU = "coral"
"""Name under which the Edge TPU is registered: the one accelerator whose models are of no use elsewhere."""


def choose_device(wanted: str, *, compiled_for_edgetpu: bool) -> str:
    """Name the device for a model.

    Args:
        wanted: `auto`, `cpu`, or a name registered in the entry point group `edgekit.devices`, which may be
            followed by a colon and what that device understands, such as `coral:usb:0`.
        compiled_for_edgetpu: Whether the file went through the Edge TPU's compiler.

    Returns:
        `wanted`; for `auto` the Edge TPU where the file is compiled for it, else `cpu`.

    Raises:
        UsageError: nobody registered the device, or it does not go with the file.
    """
    if wanted == AUTO:
        wanted = EDGE_TPU if compiled_for_edgetpu else CPU
    name = wanted.partition(":")[0]
    if wanted != CPU:  # looking for what is registered takes 25 ms
        known = plugins.registered("edgekit.devices")
        if name not in known:
            one_of("device", wanted, (AUTO, CPU, *sorted(known)))
    if compiled_for_edgetpu and wanted == CPU:
        raise UsageError(
            "the model is compiled for the Edge TPU and cannot run on the cpu",
            hint="Use --device coral, or the file that it was compiled from.",
        )
    if name == EDGE_TPU and not compiled_for_edgetpu:
        raise UsageError(
            "the model is not compiled for the Edge TPU, which would run none of it",
            hint="Compile it with edgetpu_compiler, or use --device cpu.",
        )
    return wanted


def open_delegates(device: str) -> tuple[Delegate, ...]:
    """Open the accelerator of a device that `choose_device` named; none for the cpu.

    Raises:
        DeviceError: the accelerator is absent, or refuses.
    """
    if device == CPU:
        return ()
    name, _, spec = device.partition(":")
    return (plugins.load("edgekit.devices", name)(spec),)
