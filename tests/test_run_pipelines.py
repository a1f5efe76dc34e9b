"""`edgekit run` on live sources, from files, recorded and played back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgekit
from edgekit import MissingFileError, UsageError
from edgekit.pipeline.config import read_config
from edgekit.sources import Memory, open_source

cv2 = pytest.importorskip("cv2")

Call = Callable[..., int]
PATTERN = "test:pattern?size=32x24&fps=200"


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_live_source_runs_until_the_limit(
    tiny_classifier: Path, call: Call, capfd: pytest.CaptureFixture[str]
) -> None:
    assert call(tiny_classifier, PATTERN, "--limit", 5) == 0
    found = lines(capfd.readouterr().out)
    assert len(found) == 5
    for entry in found:
        assert entry["dropped"] == sum(entry["drops"].values())
        assert entry["age_ms"] > 0
    assert found[-1]["sequence"] == 4 + found[-1]["dropped"]


def test_several_sources(tiny_classifier: Path, photos: Path, call: Call, capfd: pytest.CaptureFixture[str]) -> None:
    assert call(tiny_classifier, photos / "0.png", photos / "2.png", f"{PATTERN}&frames=1") == 0
    found = lines(capfd.readouterr().out)
    assert {Path(entry["source"]).name for entry in found} == {"0.png", "2.png", f"{PATTERN}&frames=1"}


def test_events_are_told_on_standard_error(
    tiny_classifier: Path, call: Call, capfd: pytest.CaptureFixture[str]
) -> None:
    assert call(tiny_classifier, "http://me:secret@127.0.0.1:9/x#wait=0", "--device", "cpu") == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("Error: http://***@127.0.0.1:9/x#wait=0: ffmpeg ended with exit code 1")
    assert "secret" not in err


def test_a_recording_gives_the_same_bytes_again(tiny_classifier: Path, tmp_path: Path, call: Call) -> None:
    kept = tmp_path / "kept"
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    assert call(tiny_classifier, PATTERN, "--limit", 8, "--record", kept, "--sink", first) == 0
    assert call(tiny_classifier, f"replay:{kept}", "--sink", second) == 0
    assert first.read_bytes() == second.read_bytes() != b""


def test_a_recording_of_rows_and_bad_samples(tiny_classifier: Path, tmp_path: Path, call: Call) -> None:
    (tmp_path / "rows.csv").write_text(",".join("0" * 64) + "\n1,2\n" + ",".join("1" * 64) + "\n")
    kept = tmp_path / "kept"
    outputs = [tmp_path / "first.jsonl", tmp_path / "second.jsonl"]
    assert call(tiny_classifier, tmp_path / "rows.csv", "--record", kept, "--sink", outputs[0]) == 1
    assert call(tiny_classifier, f"replay:{kept}", "--sink", outputs[1]) == 1
    assert outputs[0].read_bytes() == outputs[1].read_bytes()


def test_a_recording_of_several_inputs(build: Callable[..., Path], tmp_path: Path) -> None:
    path = build("ADD", [("a", (1, 3), "float32"), ("b", (1, 3), "float32")], [("y", (1, 3), "float32")])
    frames = Memory(live=False)
    frames.push({"a": np.ones(3, np.float32), "b": np.arange(3, dtype=np.float32)})
    frames.close()
    first = list(edgekit.run(path, frames, task="values", record=tmp_path / "kept"))
    second = list(edgekit.run(path, f"replay:{tmp_path / 'kept'}", task="values"))
    assert [result.to_json() for result in first] == [result.to_json() for result in second]


def test_a_recording_that_was_cut_off_ends_with_its_last_whole_line(tiny_classifier: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    frames = Memory(live=False, length=3)
    for level in range(3):
        frames.push(np.full((8, 8), level, np.uint8))
    frames.close()
    assert len(list(edgekit.run(tiny_classifier, frames, record=kept))) == 3
    index = kept / "samples.jsonl"
    index.write_bytes(index.read_bytes()[:-20])
    assert len(list(open_source(f"replay:{kept}"))) == 2
    (kept / "000000.png").write_bytes(b"")
    items = list(open_source(f"replay:{kept}"))
    assert "line 1: damaged" in str(items[0])
    with pytest.raises(UsageError, match="holds a recording already"):
        edgekit.run(tiny_classifier, frames, record=kept)
    with pytest.raises(MissingFileError, match="--record"):
        open_source(f"replay:{tmp_path / 'absent'}")


@pytest.fixture
def config(tmp_path: Path, tiny_classifier: Path, photos: Path) -> Path:
    path = tmp_path / "pipeline.toml"
    path.write_text("""
        sources = ["photos"]
        sinks = ["-", "out.jsonl"]
        flow = "every"

        [model]
        path = "tiny.tflite"
        top = 1
    """)
    return path


def test_a_file_says_all_of_it_with_paths_from_where_it_lies(
    config: Path, call: Call, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    assert call(config) == 0
    found = lines(capfd.readouterr().out)
    assert [len(entry["classes"]) for entry in found] == [1, 1, 1]
    assert (config.parent / "out.jsonl").exists()
    assert call(config, "--limit", 1) == 0
    assert len(lines(capfd.readouterr().out)) == 1


def test_check_opens_all_and_runs_nothing(config: Path, call: Call, capfd: pytest.CaptureFixture[str]) -> None:
    assert call(config, "--check") == 0
    out = capfd.readouterr().out
    assert "is sound: classification on cpu, from " in out
    assert not (config.parent / "out.jsonl").exists()
    (config.parent / "tiny.tflite").write_bytes(b"")
    assert call(config, "--check") == 2


@pytest.mark.parametrize(
    ("sink", "code", "words"),
    [("absent/out.jsonl", 1, "absent/out.jsonl cannot be written"), ("photos.jsonl", 1, "directory"),
     ("out.txt", 2, "no sink"), ("mqtt://broker", 2, "no topic"), ("http:///path", 2, "names no server"),
     ("out.csv?events=yes", 2, "takes no events")],
)
def test_check_looks_at_the_sinks_and_opens_none(
    config: Path, call: Call, capfd: pytest.CaptureFixture[str], sink: str, code: int, words: str
) -> None:
    (config.parent / "photos.jsonl").mkdir()
    config.write_text(config.read_text().replace("out.jsonl", sink))
    (config.parent / "tiny.tflite").unlink()  # told before a model is opened
    assert call(config, "--check") == code
    assert words in capfd.readouterr().err
    assert not list(config.parent.glob("out*"))


def test_a_check_does_not_wait_for_a_sink(config: Path, call: Call) -> None:
    os.mkfifo(config.parent / "out.jsonl")
    assert call(config, "--check") == 0
    config.write_text(config.read_text().replace("out.jsonl", "mqtt://127.0.0.1:9/a"))
    assert call(config, "--check") == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [(["--zone", "door=1,2,x"], "is no zone"), (["--line", "a"], "is no line"), (["--max-rate", "5"], "5"),
     (["--hold", "1"], "--hold goes with")],
)
def test_wrong_steps_after_the_model_are_told_before_it_is_opened(
    call: Call, capfd: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    assert call("absent.tflite", PATTERN, *options) == 2
    assert words in capfd.readouterr().err


def test_every_mistake_of_a_file_is_told_with_its_line(
    config: Path, call: Call, capfd: pytest.CaptureFixture[str]
) -> None:
    config.write_text("""\
sources = "camera:0"
flow = "fastest"
treshold = 3
limit = true

[model]
pth = "x.tflite"
threads = 0
iou = 2

[windows]
rate = -1
invalid = "hld"

[after]
track = "yes"
""")
    assert call(config, "--check") == 2
    err = capfd.readouterr().err
    assert err.splitlines()[1:] == [
        "  line 1: sources has to be a list of texts, not 'camera:0'",
        "  line 2: flow cannot be 'fastest' (did you mean 'freshest'?); it is one of auto, freshest, every",
        "  line 3: no key 'treshold'; there are sources, sinks, flow, max_age, limit, record, serve, model, models, "
        "windows, after",
        "  line 4: limit has to be a whole number from 1, not true",
        "  line 6: path is missing in [model]",
        "  line 7: no key 'pth' in [model]; did you mean 'path'?",
        "  line 8: threads in [model] has to be a whole number from 1 to 256, not 0",
        "  line 9: iou in [model] has to be a number from 0 to 1, not 2",
        "  line 12: rate in [windows] has to be a number above 0, not -1",
        "  line 13: invalid in [windows] cannot be 'hld' (did you mean 'hold'?); it is one of drop, hold, refuse",
        "  line 16: track in [after] has to be true or false, not 'yes'",
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [("", "sources is missing"), ("sources = [", "is no TOML"), ("model = 3", "model has to be a table"),
     ("[[model]]", "model has to be a table")],
)
def test_what_is_no_such_file(config: Path, content: str, words: str) -> None:
    config.write_text(content)
    with pytest.raises(UsageError, match=words):
        read_config(config)
    with pytest.raises(MissingFileError):
        read_config(config.parent / "absent.toml")


@pytest.mark.parametrize(("more", "word"), [(["photo.jpg"], "SOURCE"), (["--top", "3"], "--top")])
def test_what_the_file_says_is_said_there(
    config: Path, call: Call, capfd: pytest.CaptureFixture[str], more: list[str], word: str
) -> None:
    assert call(config, *more) == 2
    assert f"{word} cannot be given beside" in capfd.readouterr().err


def test_a_model_without_a_source(tiny_classifier: Path, call: Call, capfd: pytest.CaptureFixture[str]) -> None:
    assert call(tiny_classifier) == 2
    assert "there is no SOURCE" in capfd.readouterr().err


def test_the_library_leaves_the_interpreter_s_switch_interval_alone(tiny_classifier: Path, photos: Path) -> None:
    code = (
        "import sys, edgekit; before = sys.getswitchinterval(); "
        f"list(edgekit.run({str(tiny_classifier)!r}, {str(photos)!r})); assert sys.getswitchinterval() == before"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
