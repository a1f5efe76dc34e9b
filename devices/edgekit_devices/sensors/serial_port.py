"""Sensors on a serial port, or behind one of pyserial's URLs."""

from __future__ import annotations

import errno
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from edgekit.errors import DeviceError, MissingDependencyError, UsageError
from edgekit.uris import number_of, parts_of, redacted
from edgekit.windows.text import OPTIONS as TEXT_OPTIONS
from edgekit.windows.text import TextOptions, text_options
from edgekit_devices.sensors.frames import FrameForm, FrameReader, parse_form
from edgekit_devices.sensors.lines import LineReader
from edgekit_devices.sensors.live import STALL_SECONDS, Item, LiveStream

BAUD = 115200
MOST_BYTES = 1 << 16


def open_serial(uri: str, *, shape: tuple[int, ...] | None = None) -> LiveStream:
    """A serial port: `serial:/dev/ttyUSB0?baud=115200&format=csv&columns=ax,ay,az`.

    Options: `baud` (115200), `format` (`csv`, `json` or `frame`), `frame` (see `edgekit_devices.sensors.frames`),
    `columns`, `time`, `unit`, `rate` (samples a second, where the lines hold no times), `stall` (seconds).

    Args:
        uri: As above; in place of a port, one of pyserial's URLs: `serial:socket://10.0.0.2:4000`.
        shape: What single rows are brought to.

    Raises:
        UsageError: an option that does not exist or makes no sense.
    """
    names = {"baud", "frame", "rate", "stall", *TEXT_OPTIONS}
    port, given = parts_of(uri, frozenset(names))
    if not port:
        raise UsageError(f"{redacted(uri)} names no port", hint="Write serial:/dev/ttyUSB0.")
    if ("frame" in given) != (given.get("format") == "frame"):
        raise UsageError(f"{redacted(uri)}: format=frame and frame=MARK,FIELDS,CHECKSUM go together")
    form = parse_form(given["frame"]) if "frame" in given else None
    rate = number_of(uri, given, "rate", 0.0) or None
    text = text_options({key: value for key, value in given.items() if form is None or key != "format"})
    link = SerialLink(redacted(uri), port, int(number_of(uri, given, "baud", BAUD)), text, form, rate)
    if form:
        link.reader()  # says now what is wrong with the names
    return LiveStream(uri, link, rate=rate, stall=number_of(uri, given, "stall", STALL_SECONDS), shape=shape)


@dataclass(frozen=True)
class SerialLink:
    """Where the port is, and what comes from it.

    Attributes:
        source: For messages.
        port: Path or URL; `baud` its speed.
        text: How lines are read, or fields are named.
        form: How frames are built; None for lines.
        rate: Samples a second, for senders without times.
    """

    source: str
    port: str
    baud: int
    text: TextOptions
    form: FrameForm | None
    rate: float | None

    def reader(self) -> LineReader | FrameReader:
        """Something fresh that reads what comes."""
        if self.form is not None:
            return FrameReader(self.source, self.form, self.text, self.rate)
        return LineReader(self.source, self.text, self.rate, joins=True)

    def open(self) -> SerialSession:
        """Open the port, for ourselves alone.

        Raises:
            DeviceError: it is not there, in use, or not ours to open.
            MissingDependencyError: pyserial is not installed.
        """
        try:
            import serial
        except ImportError:
            raise MissingDependencyError(
                "serial ports need pyserial", hint="Install it: pip install 'edgekit-sdk[sensors]'"
            ) from None
        exclusive = {} if "://" in self.port else {"exclusive": True}
        try:
            port = serial.serial_for_url(self.port, baudrate=self.baud, timeout=0, **exclusive)
        except (serial.SerialException, ValueError) as error:
            raise DeviceError(f"{self.source} cannot be opened: {_reason(error)}", hint=_hint(error)) from error
        return SerialSession(port, self.reader())


class SerialSession:
    """An open port."""

    def __init__(self, port: Any, reader: LineReader | FrameReader) -> None:
        self._port, self._reader = port, reader

    def read(self, seconds: float) -> Sequence[Item]:
        """Blocks and problems of what came.

        Raises:
            OSError: the port is gone.
        """
        if self._port.timeout != seconds:
            self._port.timeout = seconds
        data = self._port.read(1)
        if not data:
            return ()
        data += self._port.read(min(self._port.in_waiting, MOST_BYTES))
        return self._reader.feed(data, time.monotonic())

    def close(self) -> None:
        """Close the port."""
        with suppress(OSError):  # it is gone
            self._port.close()


def _reason(error: Exception) -> str:
    number = getattr(error, "errno", None)
    return {errno.ENOENT: "there is no such port", errno.EACCES: "no permission", errno.EBUSY: "it is in use",
            errno.EAGAIN: "it is in use"}.get(number or 0, str(error))


def _hint(error: Exception) -> str:
    number = getattr(error, "errno", None)
    if number == errno.EACCES:
        return "Add the user to the group dialout, and log in again."
    return "See which ports there are: ls /dev/serial/by-id." if number == errno.ENOENT else ""
