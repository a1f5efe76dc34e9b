"""Where results go."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

import edgekit
from edgekit import OutputError, Result, UsageError, plugins
from edgekit.results import Latency
from edgekit.sinks import CountingSink, EventSink, ReportingSink, open_sink
from edgekit.sinks.tolerant import tolerant
from edgekit.sources import Event

cv2 = pytest.importorskip("cv2")


def test_a_file_is_appended_to_line_by_line(tiny_classifier: Path, photos: Path, tmp_path: Path) -> None:
    results = list(edgekit.run(tiny_classifier, photos))
    for _ in range(2):
        sink = open_sink(tmp_path / "out.jsonl")
        for result in results:
            sink.write(result)
        sink.close()
    written = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [entry["sequence"] for entry in written] == [0, 1, 2, 0, 1, 2]
    assert written[0] == results[0].to_dict()


def test_sinks_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"out\.txt") as caught:
        open_sink("out.txt")
    assert ".jsonl" in caught.value.hint
    with pytest.raises(OutputError) as missing:
        open_sink(tmp_path / "absent" / "out.jsonl")
    assert "folder" in missing.value.hint
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(OutputError, match=r"folder\.jsonl"):
        open_sink(tmp_path / "folder.jsonl")


def test_a_file_is_made_with_the_first_result(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    sink = open_sink(path)
    assert not path.exists()
    sink.write(Result(task="t", device="cpu", latency=Latency()))
    assert len(path.read_text().splitlines()) == 1
    sink.close()
    open_sink(tmp_path / "none.jsonl").close()
    assert not (tmp_path / "none.jsonl").exists()


def test_a_folder_that_takes_no_file_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="Not a directory"):
        open_sink(tmp_path / "file" / "out.jsonl")
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    with pytest.raises(OutputError, match="Permission denied"):
        open_sink(tmp_path / "out.jsonl")


def test_a_full_disk_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "full.jsonl").symlink_to("/dev/full")
    sink = open_sink(tmp_path / "full.jsonl")
    with pytest.raises(OutputError, match="No space left"):
        sink.write(Result(task="t", device="cpu", latency=Latency()))
    sink.close()


def test_the_beginning_of_a_line_that_did_not_fit_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.jsonl"
    result = Result(task="t", device="cpu", latency=Latency())
    sink = open_sink(path)
    sink.write(result)
    whole, write = path.read_bytes(), os.write
    left = [10, 0]

    def full(file: int, data: bytes) -> int:
        if not (room := left.pop(0)):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(file, data[:room])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(OutputError, match="No space left"):
            sink.write(result)
    assert path.read_bytes() == whole
    sink.write(result)
    sink.close()
    assert path.read_bytes() == whole * 2


def test_events_are_written_where_they_are_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    happened = Event("camera:0", "lost", "the device is gone", captured=12.5)
    for uri in (f"{tmp_path}/out.jsonl?events=yes", "-?events=yes"):
        sink = open_sink(uri)
        assert isinstance(sink, EventSink)
        sink.event(happened)
        sink.close()
    line = (tmp_path / "out.jsonl").read_text()
    assert json.loads(line) == {"event": "lost", "source": "camera:0", "detail": "the device is gone", "captured": 12.5}
    assert capsys.readouterr().out == line
    assert not isinstance(open_sink(tmp_path / "plain.jsonl"), EventSink)
    with pytest.raises(UsageError, match="takes no events"):
        open_sink(f"{tmp_path}/out.csv?events=yes")
    with pytest.raises(UsageError, match="events cannot be 'maybe'"):
        open_sink("-?events=maybe")


def test_an_installed_package_may_bring_a_sink(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    opened: list[str] = []

    class Point:
        def load(self) -> object:
            return opened.append

    monkeypatch.setattr(plugins, "registered", lambda group: {"own": Point()} if group == "edgekit.sinks" else {})
    open_sink("own:place")
    assert opened == ["own:place"]
    with pytest.raises(UsageError, match=r"no sink 'other://\*\*\*@host'") as caught:
        open_sink("other://me:cret@host")
    assert "own:" in caught.value.hint
    open_sink(tmp_path / "a:b.jsonl").close()  # a colon makes no scheme of a file's name


def test_a_full_disk_ends_a_batch_and_not_a_run_without_end(
    tiny_classifier: Path, photos: Path, tmp_path: Path, call: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "full.jsonl").symlink_to("/dev/full")
    for uri in (f"{tmp_path}/full.jsonl", f"{tmp_path}/full.jsonl?events=yes"):
        assert call(tiny_classifier, photos, "--sink", uri) == 1
        assert "Error: " in capfd.readouterr().err
        assert call(tiny_classifier, "test:pattern?fps=200", "--limit", 5, "--sink", uri, "--sink", "-") == 1
        out, err = capfd.readouterr()
        assert len(out.splitlines()) == 5
        assert err.count("No space left") == 1


def test_room_on_the_disk_again_is_told_with_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[Event] = []
    path = tmp_path / "out.jsonl"
    sink = tolerant(open_sink(path), str(path))
    assert isinstance(sink, ReportingSink)
    assert isinstance(sink, CountingSink)
    sink.on_event = events.append
    result = Result(task="t", device="cpu", latency=Latency())
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left")))
        sink.write(result)
        sink.write(result)
    sink.write(result)
    sink.write(result)
    sink.close()
    assert [event.kind for event in events] == ["refused", "recovered"]
    assert "2 results are missing" in events[1].detail
    assert sink.counts().refused == 2
    assert len(path.read_text().splitlines()) == 2
