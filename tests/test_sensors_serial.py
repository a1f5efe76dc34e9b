"""Sensors on a serial port, over a pseudo-terminal: lines, frames, garbage, and ports that vanish."""

from __future__ import annotations

import os
import pty
import struct
import tty
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.errors import DeviceError, UsageError
from edgekit.sources import Event, Problem, Sample, open_source
from edgekit.windows import Block
from edgekit.windows.opening import open_stream
from edgekit.windows.text import TextOptions
from edgekit_devices.sensors.frames import CHECKSUMS, FrameReader, parse_form
from edgekit_devices.sensors.lines import LineReader

pytest.importorskip("serial", reason="needs the sensors extra")


class Port:
    """A pseudo-terminal under a name of its own, which outlives it as that of a USB port does."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.plug()

    def plug(self) -> None:
        self.master, self.slave = pty.openpty()
        tty.setraw(self.slave)
        self.path.unlink(missing_ok=True)
        self.path.symlink_to(os.ttyname(self.slave))

    def unplug(self) -> None:
        self.path.unlink()
        os.close(self.slave)
        os.close(self.master)

    def send(self, data: bytes | str) -> None:
        os.write(self.master, data.encode() if isinstance(data, str) else data)


@pytest.fixture
def port(tmp_path: Path) -> Iterator[Port]:
    made = Port(tmp_path / "ttyUSB0")
    yield made
    if made.path.is_symlink():
        made.unplug()


Until = Callable[[list[Any]], bool]


def collect(items: Iterator[Any], until: Until) -> list[Any]:
    """What an iterator gives until that is enough."""
    found: list[Any] = []
    while not until(found):
        found.append(next(items))
    return found


def rows(items: Sequence[Any]) -> list[list[float]]:
    return [row for item in items if isinstance(item, Block) for row in item.values.tolist()]


def kinds(items: Sequence[Any]) -> list[str]:
    return [item.kind for item in items if isinstance(item, Event)]


def reasons(items: Sequence[Any]) -> list[str]:
    return [item.reason for item in items if isinstance(item, Problem)]


def test_lines_of_numbers_become_samples_and_the_first_line_is_left_out(port: Port) -> None:
    items: Any = iter(open_stream(f"serial:{port.path}?columns=ax,ay").blocks())
    assert next(items).kind == "connected"
    port.send("2,3\n1,2\n3,4\r\n5,")
    port.send("6\n")
    found = collect(items, lambda got: len(rows(got)) == 3)
    assert rows(found) == [[1, 2], [3, 4], [5, 6]]
    block = next(item for item in found if isinstance(item, Block))
    assert block.channels == ("ax", "ay")


def test_a_bad_line_is_a_problem_and_the_rest_goes_on(port: Port) -> None:
    items: Any = iter(open_stream(f"serial:{port.path}").blocks())
    next(items)
    port.send(b"half\n1,2\nrst:0x1 (POWERON)\n\xff\xfe\x00garbage\n3\n4,5\n")
    found = collect(items, lambda got: len(rows(got)) == 2)
    assert rows(found) == [[1, 2], [4, 5]]
    assert len(reasons(found)) == 3
    assert any("1 columns where 2 are wanted: '3'" in reason for reason in reasons(found))
    assert all("\x00" not in reason for reason in reasons(found))


def test_json_lines_are_read_by_name(port: Port) -> None:
    items: Any = iter(open_stream(f"serial:{port.path}?format=json&columns=y,x").blocks())
    next(items)
    port.send('{"x":0,"y":0}\n{"x":1,"y":2,"name":"a"}\n{"y":4,"x":3,"name":"b"}\n{"x":5}\nno\n[1]\n')
    found = collect(items, lambda got: len(reasons(got)) == 2 and len(rows(got)) == 3)
    np.testing.assert_array_equal(rows(found), [[2, 1], [4, 3], [np.nan, 5]])


def test_a_port_that_vanishes_and_returns_goes_on(port: Port) -> None:
    items: Any = iter(open_stream(f"serial:{port.path}").blocks())
    next(items)
    port.send("0\n1\n")
    collect(items, lambda got: len(rows(got)) == 1)
    port.unplug()
    assert kinds(collect(items, lambda got: "retrying" in kinds(got))) == ["lost", "retrying"]
    port.plug()
    assert kinds(collect(items, lambda got: "connected" in kinds(got))) == ["connected"]
    port.send("half\n2\n")
    assert rows(collect(items, lambda got: len(rows(got)) == 1)) == [[2]]


def test_a_mute_sensor_is_told_and_so_is_its_return(port: Port) -> None:
    items: Any = iter(open_stream(f"serial:{port.path}?stall=0.2").blocks())
    next(items)
    assert kinds(collect(items, lambda got: len(got) == 1)) == ["stalled"]
    port.send("0\n1\n")
    assert kinds(collect(items, lambda got: len(rows(got)) == 1)) == ["recovered"]


def test_a_stream_that_is_stopped_ends_though_nothing_comes(port: Port) -> None:
    stream: Any = open_stream(f"serial:{port.path}")
    items = iter(stream.blocks())
    next(items)
    stream.stop()
    assert list(items) == []


def test_single_rows_go_to_models_of_single_rows(port: Port) -> None:
    source = open_source(f"serial:{port.path}", shape=(1, 3))
    items: Any = iter(source)
    next(items)
    port.send("half\n1,2,3\n")
    sample = next(items)
    assert isinstance(sample, Sample)
    np.testing.assert_array_equal(np.asarray(sample.data), [[1, 2, 3]])


def test_times_of_the_sender_are_brought_to_the_monotonic_clock(port: Port) -> None:
    items: Any = iter(open_stream(f"serial:{port.path}?columns=t_ms,a").blocks())
    next(items)
    port.send("0,0\n5000,1\n5010,2\n5020,3\n")
    [block] = [item for item in collect(items, lambda got: len(rows(got)) == 3) if isinstance(item, Block)]
    np.testing.assert_allclose(np.diff(block.times), 0.01, rtol=1e-6)
    assert block.channels == ("a",)
    port.send("12,4\n22,5\n")  # it was switched off and on
    found = collect(items, lambda got: len(rows(got)) == 2)
    assert kinds(found) == ["clock"]


def test_a_port_that_is_not_there_at_the_start_is_an_error(tmp_path: Path) -> None:
    stream = open_stream(f"serial:{tmp_path / 'ttyUSB9'}")
    with pytest.raises(DeviceError, match="there is no such port"):
        next(iter(stream.blocks()))


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("serial:", "names no port"),
        ("serial:/dev/ttyUSB0?baut=9600", "no option baut"),
        ("serial:/dev/ttyUSB0?baud=fast", "baud has to be a number"),
        ("serial:/dev/ttyUSB0?format=xml", "format"),
        ("serial:/dev/ttyUSB0?format=frame", "go together"),
        ("serial:/dev/ttyUSB0?format=frame&frame=AA55,<Iz,none", "fields cannot be"),
        ("serial:/dev/ttyUSB0?format=frame&frame=AA5,<I,none", "frame cannot be"),
        ("serial:/dev/ttyUSB0?format=frame&frame=AA55,<2h,none&columns=a", "1 columns are named"),
    ],
)
def test_uris_that_make_no_sense_are_refused(uri: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        open_stream(uri)


def crc16(data: bytes, modbus: bool) -> int:
    """Bit by bit, as the definitions have it."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte if modbus else byte << 8
        for _ in range(8):
            low, high = crc >> 1 ^ (0xA001 if crc & 1 else 0), crc << 1 ^ (0x1021 if crc & 0x8000 else 0)
            crc = low if modbus else high & 0xFFFF
    return crc


def checksum(kind: str, payload: bytes) -> bytes:
    if kind == "none":
        return b""
    if kind == "sum8":
        return bytes([sum(payload) & 0xFF])
    if kind == "xor8":
        value = 0
        for byte in payload:
            value ^= byte
        return bytes([value])
    return struct.pack("<H", crc16(payload, kind == "crc16-modbus"))


def test_checksums_are_those_of_the_catalogue() -> None:
    digits = np.frombuffer(b"123456789", np.uint8)[None]
    assert CHECKSUMS["crc16"][1](digits)[0] == 0x29B1  # CRC-16/IBM-3740, known as CCITT-FALSE
    assert CHECKSUMS["crc16-modbus"][1](digits)[0] == 0x4B37


@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from(["sum8", "xor8", "crc16", "crc16-modbus"]),
    st.lists(st.tuples(st.binary(max_size=30), st.integers(-1000, 1000)), min_size=1, max_size=20),
    st.integers(1, 40),
)
def test_good_frames_are_found_among_garbage_however_they_are_cut(
    kind: str, parts: list[tuple[bytes, int]], size: int
) -> None:
    stream, expected = b"", []
    for garbage, number in parts:
        payload = struct.pack("<Ihf", number + 1000, number, 0.5)
        stream += garbage.replace(b"\xaa", b"") + b"\xaa\x55" + payload + checksum(kind, payload)
        expected.append([number + 1000, number, 0.5])
    reader = FrameReader("test", parse_form(f"AA55,<Ihf,{kind}"), TextOptions())
    found = [item for at in range(0, len(stream), size) for item in reader.feed(stream[at : at + size], float(at))]
    assert rows(found) == expected
    skipped = sum(int(reason.split()[0]) for reason in reasons(found))
    assert skipped == len(stream) - len(parts) * (2 + 10 + len(checksum(kind, b"")))


def test_a_frame_with_a_wrong_checksum_is_a_problem(port: Port) -> None:
    uri = f"serial:{port.path}?format=frame&frame=AA55,<I2h,crc16&columns=t_us,x,y"
    items: Any = iter(open_stream(uri).blocks())
    next(items)

    def frame(number: int) -> bytes:
        payload = struct.pack("<I2h", 1000 * number, number, -number)
        return b"\xaa\x55" + payload + checksum("crc16", payload)

    spoilt = bytearray(frame(2))
    spoilt[7] ^= 0xFF
    port.send(frame(1) + bytes(spoilt) + frame(3))
    found = collect(items, lambda got: len(rows(got)) == 2)
    assert rows(found) == [[1, -1], [3, -3]]
    assert reasons(found) == ["12 bytes that are no frame, or have a wrong checksum"]
    times = np.concatenate([item.times for item in found if isinstance(item, Block)])
    np.testing.assert_allclose(np.diff(times), 0.002, atol=1e-4)


@settings(max_examples=20, deadline=None)
@given(st.binary(max_size=400), st.integers(1, 50))
def test_no_bytes_whatsoever_end_the_reading(data: bytes, size: int) -> None:
    for make in (
        lambda: LineReader("test", TextOptions()), lambda: LineReader("test", TextOptions("json")),
        lambda: FrameReader("test", parse_form("AA,<h,sum8"), TextOptions()),
    ):
        reader: Any = make()
        for at in range(0, len(data), size):
            reader.feed(data[at : at + size], float(at))


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.lists(st.floats(-1e6, 1e6, width=32), min_size=3, max_size=3), min_size=1, max_size=30),
    st.integers(1, 40), st.sampled_from([",", ";", "\t", " "]),
)
def test_lines_do_not_depend_on_how_the_bytes_come(table: list[list[float]], size: int, delimiter: str) -> None:
    data = "".join(delimiter.join(map(repr, row)) + "\n" for row in table).encode()
    reader = LineReader("test", TextOptions())
    found = [item for at in range(0, len(data), size) for item in reader.feed(data[at : at + size], float(at))]
    np.testing.assert_allclose(rows(found), table, rtol=1e-6)
    assert not reasons(found)
