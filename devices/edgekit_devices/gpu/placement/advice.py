"""What to change in a model for operations that LiteRT's GPU accelerator refuses."""

from __future__ import annotations

_INT16 = "INT16"
_GENERAL = (
    "What depends on it stays on the processor too: write that part in other operations, or keep it at the end of the "
    "model."
)
_OTHER_FORMAT = "Convert the model with --precision float16, and look again."
_OTHER_LAYER = "Write that layer in others, and look again; or run the model with --device cpu."
_BY_TYPE = {
    "ARG_MAX": "At the end of a model: --move-to-host leaves it out, and EdgeKit computes it on the processor.",
}


def advice_for_wrong(integers: bool) -> str:
    """What to change where the GPU computes something else.

    Args:
        integers: Whether the operation takes numbers of 8 bits.
    """
    return _OTHER_FORMAT if integers else _OTHER_LAYER


def advice_for_unopened(integers: bool) -> str:
    """What to do about a model that the GPU cannot open.

    Args:
        integers: Whether there are numbers of 8 bits in it.
    """
    return f"{_OTHER_FORMAT} Or use --device cpu." if integers else "Use --device cpu."


def advice_for(type_: str, reason: str) -> str:
    """A sentence on what to change.

    Args:
        type_: Type of the operation, or name of a custom one.
        reason: The accelerator's own words.
    """
    if _INT16 in reason:
        return "Convert the model with --precision float16: the GPU has no operation on 16-bit integers."
    return _BY_TYPE.get(type_, _GENERAL)
