"""Messages kept on disk until they are acknowledged."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit import OutputError, UsageError
from edgekit.spool import Spool, marks


def taken(spool: Spool) -> list[tuple[bytes, bool]]:
    return [(entry.message, entry.duplicate) for entry in iter(spool.take, None)]


def test_messages_come_in_order_and_once(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    for text in (b"a", b"b", b"c"):
        spool.append(text)
    entries = list(iter(spool.take, None))
    assert [(entry.message, entry.duplicate) for entry in entries] == [(b"a", False), (b"b", False), (b"c", False)]
    for entry in entries:
        spool.acknowledge(entry.number)
    assert spool.pending == 0
    spool.close()
    assert taken(Spool(tmp_path)) == []


def test_what_was_handed_out_before_is_marked(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    for text in (b"a", b"b", b"c"):
        spool.append(text)
    first = spool.take()
    assert first is not None
    spool.acknowledge(first.number)
    spool.take()
    spool.close()
    assert taken(Spool(tmp_path)) == [(b"b", True), (b"c", False)]


def test_a_lost_connection_hands_out_again_what_was_not_acknowledged(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    numbers = [spool.append(text) for text in (b"a", b"b", b"c")]
    spool.take(), spool.take()
    spool.acknowledge(numbers[1])  # before the first one: not yet done with
    assert spool.pending == 3
    spool.rewind()
    assert taken(spool) == [(b"a", True), (b"c", False)]
    spool.acknowledge(numbers[0])
    assert spool.pending == 1


def test_the_oldest_is_dropped_and_counted(tmp_path: Path) -> None:
    spool = Spool(tmp_path, most_messages=3)
    for number in range(5):
        spool.append(b"%d" % number)
    assert (spool.pending, spool.dropped) == (3, 2)
    assert [message for message, _ in taken(spool)] == [b"2", b"3", b"4"]
    spool.close()
    assert Spool(tmp_path).dropped == 2
    with pytest.raises(OutputError, match="longer than the spool"):
        Spool(tmp_path / "small", most_bytes=100).append(bytes(100))


def test_its_bytes_are_bounded_and_files_deleted(tmp_path: Path) -> None:
    spool = Spool(tmp_path, most_bytes=1000, segment_bytes=300)
    for number in range(100):
        spool.append(b"%050d" % number)
        assert sum(path.stat().st_size for path in tmp_path.glob("*.messages")) <= 1000 + 300
    assert spool.pending == 1000 // 66
    for entry in iter(spool.take, None):
        spool.acknowledge(entry.number)
    assert len(list(tmp_path.glob("*.messages"))) == 1


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    with pytest.raises(UsageError, match=f"in use by process {os.getpid()}"):
        Spool(tmp_path)
    code = f"from pathlib import Path; from edgekit.spool import Spool; Spool(Path({str(tmp_path)!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "UsageError" in done.stderr
    spool.close()
    Spool(tmp_path).close()


def test_after_a_restart_of_the_machine_everything_may_have_been_delivered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path)
    spool.append(b"a")
    spool.close()
    monkeypatch.setattr(marks, "this_boot", lambda: b"another start ..")
    again = Spool(tmp_path)
    again.append(b"b")
    assert taken(again) == [(b"a", True), (b"b", False)]


def test_damage_costs_the_rest_of_a_segment_and_is_counted(tmp_path: Path) -> None:
    spool = Spool(tmp_path, segment_bytes=60)
    for number in range(9):
        spool.append(b"%d" % number)  # 17 bytes each, 3 a segment
    spool.close()
    with sorted(tmp_path.glob("*.messages"))[1].open("r+b") as file:
        file.seek(17 + 16)
        file.write(b"x")  # the message of the second record
    again = Spool(tmp_path)
    assert again.damaged == 2
    assert b"".join(message for message, _ in taken(again)) == b"0123678"


def test_a_full_disk_refuses_a_message_and_keeps_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path)
    spool.append(b"a")
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda file, data: write(file, data[:5]) if len(data) > 12 else full())
        with pytest.raises(OutputError, match="No space left"):
            spool.append(b"b")
    spool.append(b"c")
    assert [message for message, _ in taken(spool)] == [b"a", b"c"]
    spool.sync()
    spool.close()
    again = Spool(tmp_path)
    assert again.damaged == 0
    assert [message for message, _ in taken(again)] == [b"a", b"c"]


def full() -> int:
    raise OSError(28, os.strerror(28))


class Killed(BaseException):
    """The process ends here, with no clean-up."""


@contextmanager
def killed_at(step: int, share: float) -> Iterator[None]:
    """Let the process die at a write or unlink, the first 0: of that one only a share of the bytes is written."""
    left = [step]

    def dying(real: Callable[..., int], *, data: int | None) -> Callable[..., int]:
        def call(*arguments: object, **more: object) -> int:
            left[0] -= 1
            if left[0] < 0:
                if left[0] == -1 and data is not None:
                    whole = arguments[data]
                    assert isinstance(whole, bytes)
                    real(*arguments[:data], whole[: int(len(whole) * share)], *arguments[data + 1 :])
                raise Killed
            return real(*arguments, **more)

        return call

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "write", dying(os.write, data=1))
        patch.setattr(os, "pwrite", dying(os.pwrite, data=1))
        patch.setattr(Path, "unlink", dying(Path.unlink, data=None))  # type: ignore[arg-type]
        yield


STEPS = st.lists(
    st.sampled_from(["append", "append", "append", "take", "take", "acknowledge", "late", "rewind", "sync", "reopen"])
    | st.tuples(st.just("kill"), st.integers(0, 4), st.floats(0, 1)),
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_any_interleaving_keeps_the_order_and_loses_nothing(steps: list[object]) -> None:
    """What was appended is handed out in order until acknowledged, a second time only with its mark."""
    with TemporaryDirectory() as folder:
        world = World(Path(folder))
        for step in steps:
            world.do(step)
        world.finish()


class World:
    """A spool and what is known of it from outside."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kept: list[int] = []  # appended and not acknowledged
        self.unsure: set[int] = set()  # killed in the middle: either way is right
        self.seen: set[int] = set()  # handed out to us once
        self.count = 0
        self.open()

    def open(self) -> None:
        self.spool = Spool(self.folder, segment_bytes=64)
        self.out: list[tuple[int, int]] = []  # handed out since: message, number
        self.position = -1

    def do(self, step: object) -> None:
        if isinstance(step, tuple):
            with killed_at(step[1], step[2]):
                try:
                    for name in ("append", "take", "acknowledge", "append", "take", "late", "append"):
                        self.act(name)
                except Killed:
                    pass
            self.abandon()
        else:
            self.act(str(step))

    def act(self, name: str) -> None:
        if name == "append":
            self.count += 1
            self.unsure.add(self.count)
            self.kept.append(self.count)
            self.spool.append(b"%d" % self.count)
            self.unsure.discard(self.count)
        elif name == "take":
            self.take()
        elif name in ("acknowledge", "late") and self.out:
            message, number = self.out.pop(0 if name == "acknowledge" else -1)
            self.unsure.add(message)  # an acknowledgement behind another one is forgotten by a kill
            self.spool.acknowledge(number)
        elif name == "rewind":
            self.spool.rewind()
            self.out, self.position = [], -1
        elif name == "sync":
            self.spool.sync()
        elif name == "reopen":
            self.spool.close()
            self.open()

    def take(self) -> None:
        entry = self.spool.take()
        if entry is None:
            return
        message = int(entry.message)
        assert message > self.position  # in order
        skipped = {m for m in self.kept if self.position < m < message}
        assert skipped <= self.unsure  # nothing lost
        assert entry.duplicate or message not in self.seen  # marked
        self.position = message
        self.seen.add(message)
        self.out.append((message, entry.number))

    def abandon(self) -> None:
        """As the end of a process leaves it: descriptors closed, nothing else."""
        self.spool.close()
        self.open()

    def finish(self) -> None:
        self.abandon()
        while (before := self.position) is not None:
            self.take()
            if self.position == before:
                break
        assert {m for m in self.kept if m > self.position} <= self.unsure
        assert self.spool.damaged == 0
        self.spool.close()
