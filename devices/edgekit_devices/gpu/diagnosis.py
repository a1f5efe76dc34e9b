"""What is wrong with a GPU, and how it is mended: one message for each state."""

from __future__ import annotations

from collections.abc import Mapping

from edgekit.errors import DeviceError, EdgeKitError, UsageError
from edgekit_devices.gpu.answer import Answer
from edgekit_devices.gpu.automatic import chosen_drivers
from edgekit_devices.isolation import CrashedError, HungError

_CPU = "Use --device cpu."
_NO_ADAPTER = (
    "Install the GPU's driver with its part for Vulkan: on a Jetson it is in JetPack, on a PC in the driver's package "
    "or in mesa-vulkan-drivers. The user has to be in the groups video and render, and a container needs the devices "
    f"passed on (on a Jetson --runtime nvidia). docs/jetson.md has it step by step. {_CPU}"
)
_NO_ADAPTER_TAKEN = (
    "It needs a newer driver, or is too small for WebGPU; the environment's VK_DRIVER_FILES names the driver to take, "
    f"where there are several. {_CPU}"
)
_NONE_FOUND = "No adapters found"
MOST_REASONS = 3


def no_adapter() -> DeviceError:
    """No driver for Vulkan answers."""
    chosen = chosen_drivers()
    hint = f"Vulkan uses no other drivers than those in {chosen}: correct it, or unset it. {_CPU}" if chosen else ""
    return DeviceError("no Vulkan adapter: no driver of a GPU answers", hint=hint or _NO_ADAPTER)


def not_opened(error: DeviceError, answer: Answer) -> DeviceError:
    """The child told an error, and the library's log has more of it."""
    if any(_NONE_FOUND in fault for fault in answer.faults):
        return DeviceError("the GPU library takes none of the Vulkan adapters that are here", hint=_NO_ADAPTER_TAKEN)
    if not answer.faults:
        return error
    cause = "; ".join(fault.rstrip(". ") for fault in answer.faults[:MOST_REASONS])
    return DeviceError(f"{error.message} ({cause})", hint=error.hint or _CPU)


def has_variables() -> UsageError:
    """The model has variables, such as the state of an LSTM."""
    return UsageError(
        "the model has variables, such as the state of an LSTM, which LiteRT's GPU runtime cannot hold", hint=_CPU
    )


def known_fault(faults: Mapping[int, str]) -> DeviceError:
    """The model agrees with the processor on what was tried, and holds operations that the library computes wrong."""
    number = f"{len(faults)} operations" if len(faults) > 1 else "1 operation"
    said = " ".join(dict.fromkeys(faults.values()))
    return DeviceError(
        f"the GPU would compute {number} of the model wrong. {said}",
        hint="Convert the model with --target jetson, which keeps weights in float16; edgekit inspect MODEL --target "
        f"jetson names the operations. {_CPU} --device-option check=off runs it all the same.",
    )


def nothing_taken(answer: Answer) -> UsageError:
    """The GPU takes no operation, and all of the model would run on the processor."""
    return UsageError(f"the GPU takes none of the model's operations ({reasons(answer)})", hint=_CPU)


def crashed(error: CrashedError, answer: Answer) -> DeviceError:
    """The child died while it opened the model."""
    doing = f" while {error.step}" if error.step else ""
    last = answer.faults[-1] if answer.faults else error.log
    hint = f"The GPU's driver is at fault, or has no memory left: look at dmesg, and update it. {_CPU}"
    return DeviceError(f"the GPU's process {error.how}{doing}{f': {last}' if last else ''}", hint=hint)


def hung(error: HungError, answer: Answer) -> DeviceError:
    """The child took too long to open the model."""
    doing = f" while {error.step}" if error.step else ""
    hint = f"Compiling a large model can take minutes: give it more by --device-option timeout=SECONDS. {_CPU}"
    fault = f": {answer.faults[-1]}" if answer.faults else ""
    return DeviceError(f"the GPU's process {error.how}{doing}{fault}", hint=hint)


def died_again(name: str, times: int, error: EdgeKitError) -> DeviceError:
    """The process died each time that it was given this input."""
    return DeviceError(f"{error.message}, {times} times in a row with the same input: {name} is given up",
                       hint=error.hint)


def partly(answer: Answer) -> str:
    """What to tell the user of a model that is on the GPU in part."""
    how_many = f"{answer.taken} of {answer.taken + answer.left} operations are" if answer.taken else "a part is"
    return f"{how_many} on the GPU, the others on the processor ({reasons(answer)})"


def software(answer: Answer) -> str:
    """What to tell the user of an adapter that is none."""
    return f"{answer.adapter} is no GPU: it computes on the processor, slower than --device cpu"


def reasons(answer: Answer) -> str:
    """Why operations are left to the processor, in a line."""
    told = [reason.rstrip(".") for reason in answer.reasons[:MOST_REASONS]]
    more = len(answer.reasons) - len(told)
    return "; ".join(told) + (f"; and {more} more" if more else "") or "it gives no reason"
