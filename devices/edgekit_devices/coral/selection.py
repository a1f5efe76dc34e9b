"""Which Edge TPU is meant: what follows the colon of `coral:`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.errors import UsageError
from edgekit_devices.coral import diagnosis
from edgekit_devices.coral.attached import Attached
from edgekit_devices.coral.runtime import Kind, Listed

ALL = "all"
_FORM = re.compile(r"(?P<kind>usb|pci)?(?::(?P<number>\d{1,3}))?", re.ASCII)
_KINDS: dict[str, Kind] = {"usb": "usb", "pci": "pci"}


@dataclass(frozen=True, slots=True)
class Choice:
    """Which devices are meant.

    Attributes:
        spec: As it was written, and as libedgetpu reads it.
        kind: The bus; None for either.
        number: Place among those on the bus, from 0; None for any.
        every: Whether all of them are.
    """

    spec: str
    kind: Kind | None = None
    number: int | None = None
    every: bool = False


def parse(spec: str) -> Choice:
    """Read what was written behind `coral:`.

    Args:
        spec: ========== ===============================
              (empty)    any
              `usb`      any on USB
              `usb:N`    the N-th on USB, from 0
              `pci`      any on PCIe
              `pci:N`    the N-th on PCIe
              `:N`       the N-th of all
              `all`      all of them, in turn
              ========== ===============================

    Raises:
        UsageError: it is none of these.
    """
    if spec == ALL:
        return Choice(spec, every=True)
    found = _FORM.fullmatch(spec)
    if found is None:
        raise UsageError(
            f"there is no Edge TPU 'coral:{spec}'",
            hint="Write coral, coral:usb, coral:usb:0, coral:pci, coral:pci:0, coral::0 (first of all) or coral:all.",
        )
    number = found["number"]
    return Choice(spec, _KINDS.get(found["kind"] or ""), None if number is None else int(number))


def select(choice: Choice, listed: Sequence[Listed], seen: Sequence[Attached], library: str) -> dict[str, Listed]:
    """The devices meant, by what libedgetpu is to be told.

    Args:
        choice: From `parse`.
        listed: What the runtime sees.
        seen: What the kernel sees.
        library: The runtime.

    Returns:
        One of them; of several, where any will do, the first that may be opened.

    Raises:
        DeviceError: none is there, or none may be opened.
    """
    of_kind = [entry for entry in listed if choice.kind in (None, entry.kind)]
    on_bus = [device for device in seen if choice.kind in (None, device.kind)]
    if not of_kind and (on_bus or not listed):
        raise diagnosis.not_listed(on_bus, library)
    if choice.every:
        found = dict(zip(diagnosis.specs(listed), listed, strict=True))
        barred = [device for entry in listed if (device := _barred(entry, seen))]
    else:
        meant = of_kind if choice.number is None else of_kind[choice.number : choice.number + 1]
        if not meant:
            raise diagnosis.not_there(f"coral:{choice.spec}", listed)
        free = [entry for entry in meant if not _barred(entry, seen)]
        found = {choice.spec: (free or meant)[0]}
        barred = [] if free else [device for entry in meant if (device := _barred(entry, seen))]
    if barred:
        raise diagnosis.not_permitted(barred[0])
    return found


def _barred(entry: Listed, seen: Sequence[Attached]) -> Attached | None:
    """The device as the kernel sees it, where this user may not open it."""
    name = Path(entry.path).name
    return next((it for it in seen if it.name == name and it.node and not (it.present and it.allowed)), None)
