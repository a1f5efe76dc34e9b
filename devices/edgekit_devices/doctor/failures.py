"""From an error to a finding."""

from __future__ import annotations

from pathlib import Path

from edgekit.errors import EdgeKitError
from edgekit_devices import isolation
from edgekit_devices.doctor.finding import Finding, blocked

_CURES = (
    ("Remote I/O error", "A device on the I2C bus did not answer (errno 121): loose wires, no pull-ups, or a motor on "
     "the same supply.", "i2cdetect -y 1   # again and again; shorter wires, a supply of its own, and a lower "
     "dtparam=i2c_arm_baudrate help"),
    ("the input takes shape", "The model takes a whole window, or another form of data, where the source gives single "
     "samples.", "edgekit run ... --window 1s --hop 0.5s --rate 50   # or [windows] in a pipeline's file"),
    ("Input/output error", "The device, its cable or its card fails.", "sudo dmesg | tail -30"),
    ("No space left on device", "The disk is full.", "sudo du -xh / | sort -h | tail -20"),
    ("No module named", "A package is missing in this Python.", "edgekit doctor   # says which, under Packages"),
)
"""By words of a message: what that means, and what to do."""


def failure(of: str, error: EdgeKitError) -> Finding:
    """What is tried could not be used.

    Args:
        of: What was tried, in the user's words.
        error: Why.
    """
    if isinstance(error, isolation.ChildError):
        return _of_child(of, error)
    why, mend = cure(error.message)
    named = of in error.message or Path(of).name in error.message
    what = error.message if named else f"{of}: {error.message}"
    return blocked(what, why, error.hint or mend)


def cure(message: str) -> tuple[str, str]:
    """What a message means, and what to do; empty where that is not known."""
    return next(((why, mend) for words, why, mend in _CURES if words in message), ("", ""))


def _of_child(of: str, error: isolation.ChildError) -> Finding:
    """The process that tried it died, or was ended at its time limit."""
    step = f" while {error.step}" if error.step else ""
    why, mend = cure(error.log)
    if isinstance(error, isolation.HungError):
        why = why or "A driver, a disk or a server does not answer."
    elif isinstance(error, isolation.CrashedError) and error.signalled:
        why = why or "Native code crashed: a driver or library of the wrong build, a damaged file, or a lack of memory."
    return blocked(f"{of}: the process that tried it {error.how}{step}", why or error.log, mend)
