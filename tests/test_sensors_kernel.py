"""Sensors behind the kernel: IIO on a made-up tree, and I2C on a bus that is none."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.errors import DeviceError, UsageError
from edgekit.sources import Event, Problem
from edgekit.windows import Block
from edgekit.windows.opening import open_stream


class Tree:
    """A made-up /sys/bus/iio/devices with one accelerometer, and a pipe as its character device."""

    def __init__(self, folder: Path) -> None:
        self.sys, self.dev = folder / "sys", folder / "dev"
        self.device = self.sys / "iio:device0"
        (self.device / "buffer").mkdir(parents=True)
        (self.device / "scan_elements").mkdir()
        self.dev.mkdir()
        self.write("name", "mpu6050")
        self.write("sampling_frequency", "50")
        self.write("current_timestamp_clock", "realtime")
        self.write("in_accel_scale", "0.5")
        self.write("in_temp_offset", "100")
        for index, (name, kind, raw) in enumerate(
            [("accel_x", "le:s16/16>>0", 4), ("accel_y", "be:s12/16>>4", -6), ("temp", "le:u16/32>>0", 7),
             ("timestamp", "le:s64/64>>0", None)]
        ):
            self.write(f"scan_elements/in_{name}_en", "0")
            self.write(f"scan_elements/in_{name}_type", kind)
            self.write(f"scan_elements/in_{name}_index", str(index))
            if raw is not None:
                self.write(f"in_{name}_raw", str(raw))
        self.write("buffer/enable", "0")
        self.write("buffer/length", "2")
        os.mkfifo(self.dev / "iio:device0")
        self.pipe = os.open(self.dev / "iio:device0", os.O_RDWR | os.O_NONBLOCK)

    def write(self, name: str, value: str) -> None:
        (self.device / name).write_text(value)

    def read(self, name: str) -> str:
        return (self.device / name).read_text()

    @property
    def options(self) -> str:
        return f"base={self.sys}&dev={self.dev}"


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    made = Tree(tmp_path)
    yield made
    os.close(made.pipe)


def blocks(items: Iterator[Any], count: int) -> Block:
    """The first `count` samples that come, as one block."""
    found: list[Block] = []
    while sum(len(block.times) for block in found) < count:
        item = next(items)
        found += [item] if isinstance(item, Block) else []
    return Block(
        np.concatenate([block.times for block in found]), np.concatenate([block.values for block in found]),
        found[0].source, found[0].channels,
    )


def sample(x: int, y: int, temp: int, stamp: int) -> bytes:
    """As the kernel lays it out: each value at a multiple of its size."""
    return struct.pack("<h", x) + struct.pack(">h", y << 4) + struct.pack("<I", temp) + struct.pack("<q", stamp)


def test_an_iio_buffer_gives_scaled_values_with_the_kernel_s_times(tree: Tree) -> None:
    items: Any = iter(open_stream(f"iio:device0?rate=200&{tree.options}").blocks())
    assert next(items).detail == "through its buffer"
    assert tree.read("buffer/enable") == "1"
    assert tree.read("sampling_frequency") == "200"
    assert tree.read("current_timestamp_clock") == "monotonic"
    data = sample(2, -3, 5, 7_000_000_000) + sample(4, 2047, 6, 7_005_000_000)
    os.write(tree.pipe, data[:20])
    os.write(tree.pipe, data[20:])
    found = blocks(items, 2)
    np.testing.assert_array_equal(found.values, [[1, -1.5, 105], [2, 1023.5, 106]])
    np.testing.assert_allclose(found.times, [7.0, 7.005])
    assert found.channels == ("accel_x", "accel_y", "temp")
    items.close()
    assert [tree.read(name) for name in ("buffer/enable", "sampling_frequency", "current_timestamp_clock")] == [
        "0", "50", "realtime"
    ]


def test_an_iio_device_is_found_by_name_and_gives_the_channels_asked_for(tree: Tree) -> None:
    items: Any = iter(open_stream(f"iio:mpu6050?channels=temp,accel_x&{tree.options}").blocks())
    next(items)
    os.write(tree.pipe, struct.pack("<hxxIq", 2, 5, 10**9))
    found = blocks(items, 1)
    assert found.channels == ("temp", "accel_x")
    np.testing.assert_array_equal(found.values, [[105, 1]])


def test_an_iio_device_without_a_buffer_is_asked(tree: Tree) -> None:
    items: Any = iter(open_stream(f"iio:device0?mode=poll&rate=500&{tree.options}").blocks())
    assert next(items).detail == "asked 500 times a second"
    found = blocks(items, 3)
    np.testing.assert_array_equal(found.values[0], [2, -3, 107])
    assert (np.diff(found.times) > 0).all()


def test_an_iio_device_that_fails_is_waited_for(tree: Tree) -> None:
    items: Any = iter(open_stream(f"iio:device0?mode=poll&rate=1000&channels=temp&{tree.options}").blocks())
    next(items)
    blocks(items, 1)
    tree.write("in_temp_raw", "")
    seen: list[Any] = []
    while not any(isinstance(item, Event) and item.kind == "lost" for item in seen):
        seen.append(next(items))
    assert sum(isinstance(item, Problem) for item in seen) == 4
    tree.write("in_temp_raw", "1")
    assert next(items).kind == "connected"
    assert blocks(items, 1).values[0, 0] == 101


@pytest.mark.parametrize(
    ("uri", "message"),
    [("iio:device7?", "no such IIO device; there are device0 .mpu6050."), ("iio:device0?channels=magn_x&", "magn_x")],
)
def test_iio_devices_and_channels_that_are_not_there_are_told(tree: Tree, uri: str, message: str) -> None:
    with pytest.raises(DeviceError, match=message):
        next(iter(open_stream(uri + tree.options).blocks()))


class Bus:
    """An I2C bus in memory. It fails as often as it is told to."""

    def __init__(self) -> None:
        self.registers = bytearray(256)
        self.failures = 0
        self.closed = 0

    def __call__(self, number: int) -> Bus:
        if number != 1:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")
        return self

    def _fail(self) -> None:
        if self.failures:
            self.failures -= 1
            raise OSError(errno.EREMOTEIO, "Remote I/O error")

    def write_byte_data(self, address: int, register: int, value: int) -> None:
        assert address == 0x68
        self._fail()
        self.registers[register] = value

    def read_i2c_block_data(self, address: int, register: int, length: int) -> list[int]:
        assert address == 0x68
        assert length <= 32
        self._fail()
        return list(self.registers[register : register + length])

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Bus:
    smbus2 = pytest.importorskip("smbus2", reason="needs the sensors extra")
    made = Bus()
    monkeypatch.setattr(smbus2, "SMBus", made)
    return made


I2C = "i2c:1?address=0x68&registers=ax:0x3B:>h,ay:0x3D:>h&scale=0.5&init=0x6B=1&rate=1000"


def test_declared_registers_are_read_and_scaled(bus: Bus) -> None:
    bus.registers[0x3B:0x3F] = struct.pack(">2h", 4, -6)
    items: Any = iter(open_stream(I2C).blocks())
    next(items)
    found = blocks(items, 2)
    np.testing.assert_array_equal(found.values, [[2, -3], [2, -3]])
    assert found.channels == ("ax", "ay")
    assert bus.registers[0x6B] == 1


def test_a_failed_reading_is_a_problem_and_several_are_a_lost_sensor(bus: Bus) -> None:
    items: Any = iter(open_stream(I2C).blocks())
    next(items)
    bus.failures = 2
    seen = [next(items) for _ in range(3)]
    assert [item.reason for item in seen[:2]] == ["a reading failed: [Errno 121] Remote I/O error"] * 2
    assert isinstance(seen[2], Block)
    bus.failures = 6
    events: list[Any] = []
    while not any(isinstance(item, Event) and item.kind == "connected" for item in events):
        events.append(next(items))
    assert [item.kind for item in events if isinstance(item, Event)] == ["lost", "retrying", "connected"]
    assert bus.closed == 2


def test_a_bus_or_sensor_that_is_not_there_is_an_error(bus: Bus) -> None:
    bus.failures = 1
    with pytest.raises(DeviceError, match="no answer from address 0x68"):
        next(iter(open_stream(I2C).blocks()))
    with pytest.raises(DeviceError, match="bus 7 cannot be opened"):
        next(iter(open_stream(I2C.replace("i2c:1", "i2c:7")).blocks()))


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("i2c:1?address=0x68", "lacks registers"),
        ("i2c:one?address=0x68&registers=a:0:B", "lacks the number of the bus"),
        ("i2c:1?address=0x168&registers=a:0:B", "'0x168' is no byte"),
        ("i2c:1?address=1&registers=a:0:2h", "registers cannot be"),
        ("i2c:1?address=1&registers=a:0:B,b:1:B&scale=1,2,3", "one for each of 2 registers"),
    ],
)
def test_i2c_uris_that_make_no_sense_are_refused(uri: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        open_stream(uri)
