"""The part of an error of Keras's or TensorFlow's that a user can do something with."""

from __future__ import annotations

import re

LONGEST = 300
_CAUSE = "Exception encountered: "
_LAYER = re.compile(r"Error when deserializing class '(\w+)' using config=\{'name': '([^']+)'")
_SHAPES = re.compile(
    r"variable\.shape=(?P<own>\([^)]*\)), Received: value\.shape=(?P<given>\([^)]*\)).*?Variable path=(?P<path>[^,]+),",
    re.DOTALL,
)
_BOLD = re.compile("\x1b\\[[0-9;]*m")


def reason_of(error: Exception) -> str:
    """One line: the cause that was met last, and the layer where it is named.

    Keras announces a cause with a line that ends in a colon, and puts all configurations around it in between.
    """
    text = _BOLD.sub("", str(error))
    shapes = _SHAPES.search(text)
    if shapes:
        return f"the file's weights for '{shapes['path']}' have the shape {shapes['given']}, not {shapes['own']}"
    layers = _LAYER.findall(text)
    where = f"layer '{layers[-1][1]}' ({layers[-1][0]}): " if layers else ""
    cause = text.rpartition(_CAUSE)[2] if layers else text
    lines = [line.strip() for line in cause.splitlines() if line.strip()]
    told = next((line for line in lines if not line.endswith(":") and "Exception encountered" not in line), "")
    return (where + told)[:LONGEST].rstrip(".") or type(error).__name__
