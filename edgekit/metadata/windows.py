"""What `edgekit.json` says of windows. Read key by key, as any file may be damaged."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from edgekit.metadata.types import Window
from edgekit.tflite.flatbuffer import DamagedError


def encode_window(window: Window) -> dict[str, Any]:
    """The key `window` of an input."""
    return asdict(window)


def decode_window(values: Any) -> Window | None:
    """From the key `window` of an input; None where there is none.

    Raises:
        DamagedError: it is not what is written there.
    """
    if values is None:
        return None
    try:
        limits = values.get("limits")
        low, high = (None, None) if limits is None else limits
        return Window(
            _count(values["size"]), _count(values["hop"]), _above_zero(values.get("rate")),
            tuple(_text(name) for name in values.get("channels", [])), _text(values.get("features", "")),
            None if limits is None else (_real(low), _real(high)), _above_zero(values.get("max_gap")),
        )
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise DamagedError(f"'window' in its edgekit.json is {values!r}") from error


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError
    return value


def _real(value: Any) -> float:
    if isinstance(value, bool) or not math.isfinite(value):
        raise ValueError
    return float(value)


def _above_zero(value: Any) -> float | None:
    if value is None:
        return None
    if _real(value) <= 0:
        raise ValueError
    return float(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError
    return value
