"""Sensors on an I2C bus, with the registers that they are declared to have."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgekit.errors import DeviceError, MissingDependencyError, UsageError
from edgekit.uris import number_of, parts_of, redacted
from edgekit_devices.sensors.live import STALL_SECONDS, LiveStream
from edgekit_devices.sensors.polling import PolledSession

RATE = 50.0
MOST_BYTES = 32
"""Of one reading, by the SMBus specification."""
FORM = "Write registers=NAME:REGISTER:TYPE,..., such as ax:0x3B:>h,ay:0x3D:>h with the types of Python's struct."


@dataclass(frozen=True)
class Register:
    """A number that the sensor holds: its name, where it begins, and how it is stored (one type of `struct`)."""

    name: str
    at: int
    form: str

    @property
    def size(self) -> int:
        """Bytes."""
        return struct.calcsize(self.form)


def open_i2c(uri: str, *, shape: tuple[int, ...] | None = None) -> LiveStream:
    """An I2C sensor: `i2c:1?address=0x68&registers=ax:0x3B:>h,ay:0x3D:>h&scale=0.000061&init=0x6B=0&rate=100`.

    Options: `address`, `registers`, `scale` (one factor for all, or one a register, separated by commas), `init`
    (REGISTER=VALUE written at the start, separated by commas), `rate` (50), `stall`.

    Args:
        uri: As above, with the number of the bus.
        shape: What single rows are brought to.

    Raises:
        UsageError: an option is missing, does not exist or makes no sense.
    """
    bus, given = parts_of(uri, frozenset({"address", "registers", "scale", "init", "rate", "stall"}))
    called = redacted(uri)
    lacks = [name for name in ("address", "registers") if name not in given]
    if lacks or not bus.isdigit():
        missing = [*([] if bus.isdigit() else ["the number of the bus"]), *lacks]
        raise UsageError(f"{called} lacks {' and '.join(missing)}", hint=f"Begin with i2c:1?address=0x68. {FORM}")
    registers = tuple(_register(part, called) for part in given["registers"].split(","))
    pairs = [part.partition("=") for part in given["init"].split(",")] if "init" in given else []
    rate = number_of(uri, given, "rate", RATE)
    scales = _scales(given.get("scale", "1"), registers, called)
    link = I2cLink(
        called, int(bus), _whole(given["address"], called), registers, scales,
        tuple((_whole(register, called), _whole(value, called)) for register, _, value in pairs), rate,
    )
    return LiveStream(uri, link, rate=rate, stall=number_of(uri, given, "stall", STALL_SECONDS), shape=shape)


def _whole(text: str, uri: str) -> int:
    try:
        number = int(text, 0)
    except ValueError:
        number = -1
    if not 0 <= number <= 0xFF:
        raise UsageError(f"{uri}: '{text}' is no byte", hint="Write 0x68 or 104.")
    return number


def _register(text: str, uri: str) -> Register:
    name, _, rest = text.partition(":")
    at, _, form = rest.partition(":")
    try:
        values = struct.unpack(form, bytes(struct.calcsize(form)))
    except struct.error:
        values = ()
    if not name or len(values) != 1 or not isinstance(values[0], (int, float)):
        raise UsageError(f"{uri}: registers cannot be '{text}'", hint=FORM)
    return Register(name, _whole(at, uri), form)


def _scales(text: str, registers: Sequence[Register], uri: str) -> tuple[float, ...]:
    try:
        scales = tuple(float(part) for part in text.split(","))
    except ValueError:
        scales = ()
    if len(scales) not in (1, len(registers)):
        raise UsageError(f"{uri}: scale takes one factor, or one for each of {len(registers)} registers")
    return scales * (len(registers) if len(scales) == 1 else 1)


@dataclass(frozen=True)
class I2cLink:
    """Where the sensor is and what is read of it."""

    source: str
    bus: int
    address: int
    registers: tuple[Register, ...]
    scales: tuple[float, ...]
    init: tuple[tuple[int, int], ...]
    rate: float

    def open(self) -> PolledSession:
        """Open the bus and write what is written at the start.

        Raises:
            DeviceError: there is no such bus, or the sensor does not answer.
            MissingDependencyError: smbus2 is not installed.
        """
        try:
            import smbus2
        except ImportError:
            raise MissingDependencyError(
                "I2C needs smbus2", hint="Install it: pip install 'edgekit-sdk[sensors]'"
            ) from None
        try:
            bus = smbus2.SMBus(self.bus)
        except OSError as error:
            raise DeviceError(
                f"{self.source}: bus {self.bus} cannot be opened: {error.strerror or error}",
                hint="Turn I2C on (raspi-config), and see what is there: i2cdetect -y 1.",
            ) from error
        try:
            for register, value in self.init:
                bus.write_byte_data(self.address, register, value)
        except OSError as error:
            bus.close()
            raise DeviceError(
                f"{self.source}: no answer from address {self.address:#04x}: {error.strerror or error}"
            ) from error
        names = tuple(register.name for register in self.registers)
        return PolledSession(self.source, names, lambda: self._values(bus), self.rate, bus.close)

    def _values(self, bus: Any) -> list[float]:
        """All registers, in one reading where they lie together: their bytes are of the same moment then."""
        start = min(register.at for register in self.registers)
        end = max(register.at + register.size for register in self.registers)
        if end - start <= MOST_BYTES:
            data = bytes(bus.read_i2c_block_data(self.address, start, end - start))
            parts = [data[register.at - start : register.at - start + register.size] for register in self.registers]
        else:
            parts = [
                bytes(bus.read_i2c_block_data(self.address, register.at, register.size)) for register in self.registers
            ]
        return [
            struct.unpack(register.form, part)[0] * scale
            for register, part, scale in zip(self.registers, parts, self.scales, strict=True)
        ]
