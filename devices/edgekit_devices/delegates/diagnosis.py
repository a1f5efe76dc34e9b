"""What is wrong with a delegate, and how it is mended: one message for each state."""

from __future__ import annotations

from collections.abc import Mapping

from edgekit.delegation import Delegation
from edgekit.errors import DeviceError, ModelFileError
from edgekit.interpreter import first_line
from edgekit_devices.isolation import CrashedError, HungError

OTHER_BUILD = (
    "A delegate is tied to the TensorFlow Lite that it was built for: take its maker's build for this system and "
    "processor, as near as can be to this runtime (pip show ai-edge-litert, or tflite-runtime)."
)
_RESTORED = "Restored original execution plan after delegate application failure."
"""What the runtime adds to a delegate's own words, with nothing between."""


def not_loaded(library: str, error: DeviceError) -> DeviceError:
    """The library is not there, is for another system, lacks another library, or is no delegate."""
    if "No such file" in error.message and library in error.message.partition(": ")[2].partition(":")[0]:
        return DeviceError(f"there is no delegate {library}", hint="Give the whole path of its library.")
    if "is no TensorFlow Lite delegate" in error.message:
        hint = (
            "It has to have the interface for external delegates (tflite_plugin_create_delegate); makers who build it "
            "apart from their own often call it lib..._external_delegate.so."
        )
        return DeviceError(error.message, hint=hint)
    if "No such file" in error.message:
        return DeviceError(
            error.message, hint="It needs another library, which is not found: ldd shows all that it needs. Install "
            "that one, or name its folder in LD_LIBRARY_PATH.",
        )
    return DeviceError(error.message, hint=OTHER_BUILD)


def refused(library: str, reason: str, options: Mapping[str, str]) -> DeviceError:
    """The library was loaded, and makes no delegate."""
    told = ", ".join(f"{name}={value}" for name, value in options.items())
    return DeviceError(
        f"{library} makes no delegate{f': {reason}' if reason else ', and gives no reason'}",
        hint="See that the accelerator is attached, that its driver is loaded and that this user may open its device "
        f"in /dev; {f'and that these are options that it knows: {told}.' if told else 'it was given no options.'}",
    )


def not_taken(name: str, error: ModelFileError | DeviceError) -> DeviceError:
    """The delegate, or the runtime with it, does not take the model."""
    reason = first_line(str(error.__cause__ or error).replace(_RESTORED, ""))
    return DeviceError(
        f"the model does not run on {name}: {reason}",
        hint="The accelerator may not know one of the model's operations or types (most take int8 alone), or the "
        f"delegate may be of another build. {OTHER_BUILD}",
    )


def nothing_taken(library: str, found: Delegation) -> DeviceError:
    """All would run on the processor, under a name that says otherwise."""
    kinds = ", ".join(found.left)
    return DeviceError(
        f"{library} takes none of the model's {found.total} operation{'s' if found.total > 1 else ''} ({kinds})",
        hint="Convert the model for this accelerator (most take int8 alone), see its options, or use --device cpu.",
    )


def crashed(library: str, error: CrashedError) -> DeviceError:
    """The child process died."""
    words = f" ({error.log})" if error.log else ""
    if not error.signalled:
        return DeviceError(f"{library} was not tried: the child process for it {error.how}{words}", hint="")
    return DeviceError(f"{library} {error.how}{f' while {error.step}' if error.step else ''}{words}", hint=OTHER_BUILD)


def hung(library: str, error: HungError) -> DeviceError:
    """The child process did not come to an end."""
    words = f" ({error.log})" if error.log else ""
    return DeviceError(
        f"{library} {error.how}{f' while {error.step}' if error.step else ''}{words}",
        hint="Power the accelerator off and on. Where it compiles the model first, it may need longer: "
        "--inference-timeout 120 allows 120 s for that, too.",
    )
