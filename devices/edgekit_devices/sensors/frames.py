"""Binary frames, as microcontrollers send them: a start mark, numbers, and a checksum.

Declared as `MARK,FIELDS,CHECKSUM`, such as `AA55,<I3h,crc16`: the mark in hexadecimal, the fields as Python's `struct`
writes them (with the byte order in front), and the checksum over the fields: `sum8`, `xor8`, `crc16` (CCITT-FALSE:
polynomial 0x1021, start 0xFFFF), `crc16-modbus`, or `none`. Two bytes of a checksum have the fields' byte order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import UsageError
from edgekit.sources import Event, Problem
from edgekit.windows import Block
from edgekit.windows.cells import UNITS, is_time, unit_of
from edgekit.windows.text import Parsed, TextOptions
from edgekit_devices.sensors.lines import Timed

FORM = "Write it as MARK,FIELDS,CHECKSUM, such as AA55,<I3h,crc16."
_FIELD = re.compile(r"(\d*)([bBhHiIqQfd])")
_TYPES = {"b": "i1", "B": "u1", "h": "i2", "H": "u2", "i": "i4", "I": "u4", "q": "i8", "Q": "u8", "f": "f4", "d": "f8"}
Payload = NDArray[np.uint8]


def _crc(payload: Payload, table: NDArray[np.uint16], start: int, reflected: bool) -> NDArray[np.uint16]:
    """A checksum of 16 bits of each row, byte by byte over all rows at once."""
    crc = np.full(len(payload), start, np.uint16)
    for column in payload.T:
        crc = (crc >> 8) ^ table[(crc ^ column) & 0xFF] if reflected else (crc << 8) ^ table[(crc >> 8) ^ column]
    return crc


@cache
def _table(polynomial: int, reflected: bool) -> NDArray[np.uint16]:
    entries = []
    for byte in range(256):
        value = byte if reflected else byte << 8
        for _ in range(8):
            if reflected:
                value = (value >> 1) ^ (polynomial if value & 1 else 0)
            else:
                value = (value << 1) ^ (polynomial if value & 0x8000 else 0)
        entries.append(value & 0xFFFF)
    return np.array(entries, np.uint16)


CHECKSUMS: Mapping[str, tuple[int, Callable[[Payload], NDArray[Any]]]] = MappingProxyType({
    "none": (0, lambda payload: np.zeros(len(payload), np.uint8)),
    "sum8": (1, lambda payload: payload.sum(axis=1, dtype=np.uint8)),
    "xor8": (1, lambda payload: np.bitwise_xor.reduce(payload, axis=1)),
    "crc16": (2, lambda payload: _crc(payload, _table(0x1021, False), 0xFFFF, False)),
    "crc16-modbus": (2, lambda payload: _crc(payload, _table(0xA001, True), 0xFFFF, True)),
})
"""Bytes of each checksum, and its value for each row of payloads."""


@dataclass(frozen=True)
class FrameForm:
    """How a frame is built.

    Attributes:
        mark: Bytes that begin it.
        fields: Its numbers, a type each, in order.
        checksum: One of `CHECKSUMS`.
    """

    mark: bytes
    fields: tuple[np.dtype[Any], ...]
    checksum: str

    @property
    def payload(self) -> int:
        """Bytes of all fields."""
        return sum(field.itemsize for field in self.fields)

    @property
    def size(self) -> int:
        """Bytes of a frame."""
        return len(self.mark) + self.payload + CHECKSUMS[self.checksum][0]


def parse_form(text: str) -> FrameForm:
    """From a declaration.

    Raises:
        UsageError: it is none.
    """
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 3 or not re.fullmatch(r"(?:[0-9A-Fa-f]{2})+", parts[0]) or parts[2] not in CHECKSUMS:
        raise UsageError(f"frame cannot be '{text}'", hint=f"{FORM} Checksums are {', '.join(CHECKSUMS)}.")
    order, rest = (parts[1][0], parts[1][1:]) if parts[1][:1] in ("<", ">") else ("<", parts[1])
    if not re.fullmatch(rf"(?:{_FIELD.pattern})+", rest):
        raise UsageError(f"frame: the fields cannot be '{parts[1]}'", hint=FORM)
    fields = [np.dtype(order + _TYPES[kind]) for count, kind in _FIELD.findall(rest) for _ in range(int(count or 1))]
    return FrameForm(bytes.fromhex(parts[0]), tuple(fields), parts[2])


class FrameReader:
    """Turns the bytes of a sender of frames into blocks. After garbage it looks for the next mark.

    Args:
        source: For messages, without passwords.
        form: How frames are built.
        options: Names of the fields (`columns`) and which of them is the time.
        rate: Samples a second, for frames without times.

    Raises:
        UsageError: the names are not as many as the fields.
    """

    def __init__(self, source: str, form: FrameForm, options: TextOptions, rate: float | None = None) -> None:
        names = options.columns
        if names and len(names) != len(form.fields):
            raise UsageError(f"{source}: {len(names)} columns are named, and a frame has {len(form.fields)} fields")
        self._source, self._form = source, form
        wanted = options.time or next((name for name in names if is_time(name)), "")
        if wanted not in ("", "no", *names):
            raise UsageError(f"{source}: there is no column {wanted} for the time; there are {', '.join(names)}")
        self._time = names.index(wanted) if wanted in names else None
        self._scale = UNITS[options.unit or unit_of(wanted)]
        self._taken = [at for at in range(len(form.fields)) if at != self._time]
        self._channels = tuple(names[at] for at in self._taken) if names else ()
        self._timed, self._rest, self._skipped = Timed(source, rate), b"", 0

    def feed(self, data: bytes, arrived: float) -> list[Block | Problem | Event]:
        """What the bytes complete."""
        buffer, form = self._rest + data, self._form
        good: list[NDArray[np.uint8]] = []
        problems: list[tuple[int, str]] = []
        while len(buffer) >= form.size:
            frames = np.frombuffer(buffer, np.uint8, len(buffer) // form.size * form.size).reshape(-1, form.size)
            count = self._leading(frames)
            if count:
                problems += self._told_skipped()
                good.append(frames[:count])
                buffer = buffer[count * form.size :]
                continue
            after = buffer.find(form.mark, 1)
            skipped = after if after > 0 else max(len(buffer) - len(form.mark) + 1, 1)
            self._skipped += skipped
            buffer = buffer[skipped:]
        self._rest = buffer
        whole = np.concatenate(good) if good else np.empty((0, form.size), np.uint8)
        return self._timed.items(self._parsed(whole, problems), self._channels, arrived)

    def _told_skipped(self) -> list[tuple[int, str]]:
        skipped, self._skipped = self._skipped, 0
        return [(0, f"{skipped} bytes that are no frame, or have a wrong checksum")] if skipped else []

    def _leading(self, frames: Payload) -> int:
        """How many frames in a row from the first on are good."""
        form = self._form
        mark, payload = frames[:, : len(form.mark)], frames[:, len(form.mark) : len(form.mark) + form.payload]
        size, compute = CHECKSUMS[form.checksum]
        good = (mark == np.frombuffer(form.mark, np.uint8)).all(axis=1)
        if size:
            order = form.fields[0].byteorder if form.fields[0].itemsize > 1 else "<"
            said = np.ascontiguousarray(frames[:, -size:]).view(np.dtype(f"{'>' if order == '>' else '<'}u{size}"))
            good &= said[:, 0] == compute(payload)
        wrong = np.flatnonzero(~good)
        return int(wrong[0]) if wrong.size else len(frames)

    def _parsed(self, frames: Payload, problems: list[tuple[int, str]]) -> Parsed:
        at, columns = len(self._form.mark), []
        for field in self._form.fields:
            column = np.ascontiguousarray(frames[:, at : at + field.itemsize]).view(field)[:, 0]
            columns.append(column.astype(np.float64))
            at += field.itemsize
        whole = np.stack(columns, axis=1)
        times = whole[:, self._time] * self._scale if self._time is not None else None
        return Parsed(times, whole[:, self._taken].astype(np.float32), np.arange(len(whole)), problems)
