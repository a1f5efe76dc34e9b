"""Whether the kernel believes that its clock is right."""

from __future__ import annotations

import ctypes

STA_UNSYNC = 0x0040


class _Timex(ctypes.Structure):
    """The beginning of the kernel's `struct timex`, and room for the rest of it."""

    _fields_ = (
        ("modes", ctypes.c_uint), ("offset", ctypes.c_long), ("freq", ctypes.c_long), ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long), ("status", ctypes.c_int), ("rest", ctypes.c_long * 64),
    )


def kernel_clock() -> bool | None:
    """Whether a program such as systemd-timesyncd or chrony keeps the clock (adjtimex(2)); None where it is not told.

    With no mode set, the call reads and changes nothing.
    """
    state = _Timex()
    ask = getattr(ctypes.CDLL(None), "adjtimex", None)
    if ask is None or ask(ctypes.byref(state)) < 0:
        return None
    return not state.status & STA_UNSYNC
