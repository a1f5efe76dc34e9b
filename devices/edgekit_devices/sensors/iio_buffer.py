"""The buffer of an IIO device: how its samples are laid out, and the session that reads them.

Layout: Documentation/iio/iio_devbuf.rst in the kernel's source; each value lies at a multiple of its size.
"""

from __future__ import annotations

import errno
import os
import re
import select
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.clocks import DeviceClock, SampleClock
from edgekit.errors import DeviceError
from edgekit.sources import Event
from edgekit.windows import Block
from edgekit_devices.sensors.live import Item

LENGTH = 256
"""Samples that the kernel's buffer holds."""
TIMESTAMP = "timestamp"
NANO = 1e-9
_TYPE = re.compile(r"(be|le):([su])(\d+)/(\d+)(?:X1)?>>(\d+)")


def chosen(source: str, wanted: Sequence[str], there: Sequence[str]) -> list[str]:
    """The channels asked for, else all.

    Raises:
        DeviceError: one is not there, or there are none.
    """
    missing = [channel for channel in wanted if channel not in there]
    if missing or not there:
        raise DeviceError(
            f"{source} has no channel {', '.join(missing)}".rstrip(), hint=f"There are: {', '.join(there) or 'none'}."
        )
    return list(wanted or there)


def scale_of(folder: Path, channel: str) -> tuple[float, float]:
    """Scale and offset of a channel, its own or those of its kind (`accel` for `accel_x`); 1 and 0 without any."""
    kind = re.sub(r"_[a-z]+$|\d+$", "", channel)
    values = []
    for what, default in (("scale", 1.0), ("offset", 0.0)):
        files = (folder / f"in_{name}_{what}" for name in (channel, kind))
        values.append(next((float(read_text(file)) for file in files if file.exists()), default))
    return values[0], values[1]


def read_text(file: Path) -> str:
    """What a file of sysfs says; empty where it is not there."""
    return file.read_text(encoding="ascii", errors="replace").strip() if file.exists() else ""


@dataclass(frozen=True)
class Element:
    """One value in a sample of the buffer.

    Attributes:
        name: Of the channel.
        index: Its place among the others.
        dtype: How it is stored.
        bits: How many of its bits count, after `shift` to the right.
        scale: Factor to the unit; `offset` is added before.
    """

    name: str
    index: int
    dtype: np.dtype[Any]
    bits: int
    shift: int
    scale: float
    offset: float

    def values(self, stored: NDArray[Any]) -> NDArray[np.float64]:
        """Stored integers in the channel's unit."""
        numbers = stored.astype(stored.dtype.newbyteorder("="))
        if numbers.dtype.kind == "u":
            whole = (numbers >> self.shift) & np.array((1 << self.bits) - 1, numbers.dtype)
        else:  # the sign is at the top of the bits that count
            up = numbers.dtype.itemsize * 8 - self.bits - self.shift
            whole = (numbers << up) >> (up + self.shift)
        scaled: NDArray[np.float64] = (whole.astype(np.float64) + self.offset) * self.scale
        return scaled


def element_of(folder: Path, name: str) -> Element:
    """What `scan_elements` says of a channel.

    Raises:
        DeviceError: it says nothing that can be read.
    """
    scan = folder / "scan_elements"
    text = read_text(scan / f"in_{name}_type")
    match = _TYPE.fullmatch(text)
    if not match:
        raise DeviceError(f"{folder}: the type of channel {name} is '{text}', which cannot be read")
    order, sign, bits, storage, shift = match.groups()
    kind = f"{'>' if order == 'be' else '<'}{'i' if sign == 's' else 'u'}{int(storage) // 8}"
    scale, offset = (1.0, 0.0) if name == TIMESTAMP else scale_of(folder, name)
    index = int(read_text(scan / f"in_{name}_index"))
    return Element(name, index, np.dtype(kind), int(bits), int(shift), scale, offset)


def layout_of(elements: Sequence[Element]) -> np.dtype[Any]:
    """Where each element lies in a sample: in the order of their indices, each at a multiple of its size."""
    offsets, at, largest = [], 0, 1
    ordered = sorted(elements, key=lambda element: element.index)
    for element in ordered:
        size = element.dtype.itemsize
        at = -(-at // size) * size
        offsets.append(at)
        at, largest = at + size, max(largest, size)
    return np.dtype({
        "names": [element.name for element in ordered], "formats": [element.dtype for element in ordered],
        "offsets": offsets, "itemsize": -(-at // largest) * largest,
    })


class BufferSession:
    """A device whose samples come through its character device. Its settings are put back at the end.

    Args:
        source: For blocks, events and errors.
        folder: Of the device in sysfs.
        device: Its character device.
        wanted: Channels; empty for all.
        rate: What it is set to; None leaves it.

    Raises:
        DeviceError: it has no such channel, or cannot be configured.
        PermissionError: not by us.
    """

    about = "through its buffer"

    def __init__(self, source: str, folder: Path, device: Path, wanted: Sequence[str], rate: float | None) -> None:
        self._source, self._restore = source, list[tuple[Path, str]]()
        self._clock, self._counted, self._steps, self._rest = DeviceClock(), SampleClock(rate), 0, b""
        self._file = -1
        try:
            self._elements, self._stamped = self._configure(folder, wanted, rate)
            self._layout = layout_of(self._elements)
            self._monotonic = read_text(folder / "current_timestamp_clock") == "monotonic"
            self._file = os.open(device, os.O_RDONLY | os.O_NONBLOCK)
        except OSError as error:
            self.close()
            if isinstance(error, PermissionError):
                raise
            raise DeviceError(f"{source} cannot be configured: {error}") from error
        except BaseException:
            self.close()
            raise

    def _configure(
        self, folder: Path, wanted: Sequence[str], rate: float | None
    ) -> tuple[list[Element], bool]:
        scan = folder / "scan_elements"
        there = sorted(path.name[3 : -len("_en")] for path in scan.glob("in_*_en"))
        channels = chosen(self._source, wanted, [name for name in there if name != TIMESTAMP])
        self._set(folder / "buffer" / "enable", "0")
        if rate is not None:
            self._set_rate(folder, rate)
        self._set(folder / "current_timestamp_clock", "monotonic", needed=False)
        for name in there:
            self._set(scan / f"in_{name}_en", "1" if name in (*channels, TIMESTAMP) else "0")
        self._set(folder / "buffer" / "length", str(LENGTH), needed=False)
        self._set(folder / "buffer" / "enable", "1")
        stamped = TIMESTAMP in there
        return [element_of(folder, name) for name in (*channels, *([TIMESTAMP] if stamped else []))], stamped

    def _set_rate(self, folder: Path, rate: float) -> None:
        files = sorted(folder.glob("*sampling_frequency"))
        if not files:
            raise DeviceError(f"{self._source} has no rate that can be set", hint="Leave rate out.")
        for file in files:
            self._set(file, f"{rate:g}")

    def _set(self, file: Path, value: str, *, needed: bool = True) -> None:
        """Write a setting, and keep in mind what it was."""
        if not file.exists():
            if needed:
                raise DeviceError(f"{self._source}: {file} is missing")
            return
        before = read_text(file)
        if before != value:
            try:
                file.write_text(value, encoding="ascii")
            except OSError:
                if needed:
                    raise
                return
            self._restore.append((file, before))

    def read(self, seconds: float) -> Sequence[Item]:
        """A block of what came.

        Raises:
            OSError: the device is gone.
        """
        ready, _, _ = select.select([self._file], [], [], seconds)
        if not ready:
            return ()
        try:
            data = os.read(self._file, LENGTH * self._layout.itemsize)
        except BlockingIOError:
            return ()
        if not data:
            raise OSError(errno.ENODEV, "the device is gone")
        data = self._rest + data
        whole = len(data) // self._layout.itemsize
        self._rest = data[whole * self._layout.itemsize :]
        return self._items(np.frombuffer(data, self._layout, whole), time.monotonic()) if whole else ()

    def _items(self, samples: NDArray[Any], arrived: float) -> Sequence[Item]:
        channels = [element for element in self._elements if element.name != TIMESTAMP]
        values = np.stack([element.values(samples[element.name]) for element in channels], axis=1)
        times, events = self._times(samples, arrived)
        names = tuple(element.name for element in channels)
        return [*events, Block(times, values.astype(np.float32), self._source, names)]

    def _times(self, samples: NDArray[Any], arrived: float) -> tuple[NDArray[np.float64], list[Event]]:
        if not self._stamped:
            return self._counted.times(len(samples), arrived), []
        stamps = samples[TIMESTAMP].astype(np.float64) * NANO
        if self._monotonic:
            return stamps, []
        times = self._clock.map(stamps, arrived)
        if self._clock.steps == self._steps:
            return times, []
        self._steps = self._clock.steps
        return times, [Event(self._source, "clock", "the clock of its time stamps was set anew")]

    def close(self) -> None:
        """Stop the buffer and put the settings back."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        for file, value in reversed(self._restore):
            with suppress(OSError):  # the device is gone, and its settings with it
                file.write_text(value, encoding="ascii")
        self._restore = []
