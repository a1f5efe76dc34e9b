"""From sources through models to sinks, in Python and on the command line."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgekit
from edgekit import Classification, DataError, MissingFileError, OutputError, Result, UsageError
from edgekit.cli import main
from edgekit.cli.terminal import CLEAR_LINE, Progress
from edgekit.pipeline import QUEUE_LENGTH
from edgekit.results import Latency
from edgekit.sinks import open_sink
from edgekit.sources import Problem, Sample

cv2 = pytest.importorskip("cv2")

Call = Callable[..., int]
REAL = [
    ("mobilenet_v2_1.0_224_quant", "cat.bmp", 286, "Egyptian cat", 0.82),
    ("mobilenet_v2_1.0_224_quant", "grace_hopper.bmp", 653, "military uniform", 0.90),
    ("mobilenet_v2_1.0_224_quant", "parrot.jpg", 89, "macaw", 0.996),
    ("tf2_mobilenet_v2_1.0_224_ptq", "cat.bmp", 286, "Egyptian cat", 0.61),
    ("tf2_mobilenet_v2_1.0_224_ptq", "grace_hopper.bmp", 653, "military uniform", 0.84),
    ("tf2_mobilenet_v2_1.0_224_ptq", "parrot.jpg", 89, "macaw", 0.94),
    ("mobilenet_v1_0.25_128_quant", "parrot.jpg", 89, "macaw", 0.81),
]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch) -> Call:
    """Runs `edgekit run` with arguments and gives its exit code."""

    def run(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["edgekit", "run", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        code = caught.value.code
        assert isinstance(code, int)
        return code

    return run


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Pictures that the tiny classifier knows as 0, 1 and 2."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(3):
        pixels = np.where(np.arange(64) % 10 == number, 255, 0).astype(np.uint8).reshape(8, 8)
        assert cv2.imwrite(str(folder / f"{number}.png"), pixels)
    return folder


@dataclass
class Scripted:
    """A source for tests: yields what it is given and counts what was taken."""

    items: Sequence[Sample | Problem | Exception]
    uri: str = "test:"
    reads_ahead: bool = True
    taken: int = 0
    closed: threading.Event = field(default_factory=threading.Event)

    def __iter__(self) -> Iterator[Sample | Problem]:
        try:
            for item in self.items:
                self.taken += 1
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            self.closed.set()


def samples(count: int) -> list[Sample]:
    return [Sample(np.zeros((8, 8), np.uint8), "test:", number) for number in range(count)]


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


# Python


def test_results_carry_what_is_known_of_their_samples(tiny_classifier: Path, photos: Path) -> None:
    results = list(edgekit.run(tiny_classifier, photos, top=1))
    assert [Path(result.source).name for result in results] == ["0.png", "1.png", "2.png"]
    assert [result.sequence for result in results] == [0, 1, 2]
    assert [result.captured for result in results] == sorted(result.captured for result in results)
    for number, result in enumerate(results):
        assert isinstance(result, Classification)
        assert result.classes[0].index == number


def test_a_bad_sample_is_a_warning_and_does_not_end_the_run(tiny_classifier: Path, photos: Path) -> None:
    (photos / "1.png").write_bytes(b"")
    with pytest.warns(UserWarning, match=r"skipped.*1\.png is empty"):
        assert [result.sequence for result in edgekit.run(tiny_classifier, photos)] == [0, 2]


def test_mistakes_are_told_before_the_first_result(tiny_classifier: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        edgekit.run(tiny_classifier, tmp_path / "absent.jpg")
    with pytest.raises(UsageError, match="device can only be given"):
        edgekit.run(edgekit.load(tiny_classifier), tmp_path, device="cpu")


@pytest.mark.parametrize("ahead", [True, False])
def test_an_error_of_the_source_comes_after_what_it_gave(tiny_classifier: Path, ahead: bool) -> None:
    source = Scripted([*samples(3), OSError("unplugged")], reads_ahead=ahead)
    results = edgekit.run(edgekit.load(tiny_classifier), source)
    assert [next(results).sequence for _ in range(3)] == [0, 1, 2]
    with pytest.raises(OSError, match="unplugged"):
        next(results)


@pytest.mark.parametrize("taken", [0, 1, 5])
def test_the_reader_ends_with_the_iteration(tiny_classifier: Path, taken: int) -> None:
    source = Scripted(samples(1000))
    results = edgekit.run(edgekit.load(tiny_classifier), source)
    for _ in range(taken):
        next(results)
    results.close()
    assert not [thread for thread in threading.enumerate() if "reader" in thread.name]
    assert source.closed.is_set() is (taken > 0)
    assert source.taken <= taken + QUEUE_LENGTH + 2


def test_an_error_of_the_model_ends_the_reader_and_names_the_sample(tiny_classifier: Path) -> None:
    source = Scripted([Sample(np.zeros((8, 8, 2), np.uint8), "test:7"), *samples(1000)])
    with pytest.raises(DataError, match="test:7"):
        next(edgekit.run(edgekit.load(tiny_classifier), source))
    assert source.closed.is_set()
    assert not [thread for thread in threading.enumerate() if "reader" in thread.name]


# Sinks


def test_a_file_is_appended_to_line_by_line(tiny_classifier: Path, photos: Path, tmp_path: Path) -> None:
    results = list(edgekit.run(tiny_classifier, photos))
    for _ in range(2):
        sink = open_sink(tmp_path / "out.jsonl")
        for result in results:
            sink.write(result)
        sink.close()
    written = lines((tmp_path / "out.jsonl").read_text())
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


def test_a_full_disk_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "full.jsonl").symlink_to("/dev/full")
    sink = open_sink(tmp_path / "full.jsonl")
    with pytest.raises(OutputError, match="No space left"):
        sink.write(Result(task="t", device="cpu", latency=Latency()))
    sink.close()


# The command line


@pytest.mark.parametrize(("model", "picture", "index", "label", "score"), REAL)
def test_real_models_on_real_pictures(
    *, shared: Path, call: Call, capfd: pytest.CaptureFixture[str],
    model: str, picture: str, index: int, label: str, score: float,
) -> None:
    images = shared / "images"
    arguments = ("--labels", images / "imagenet_labels.txt", "--top", 1)
    assert call(shared / "tflite" / f"{model}.tflite", images / picture, *arguments) == 0
    out, err = capfd.readouterr()
    [result] = lines(out)
    [best] = result["classes"]
    assert (best["index"], best["label"]) == (index, label)
    assert abs(best["score"] - score) < 0.035
    assert err == ""


@pytest.mark.parametrize("name", ["mobilenet_v1_0.25_128_quant_edgetpu", "keras_lstm_mnist_ptq_edgetpu"])
def test_a_compiled_model_is_refused_with_the_cure(
    shared: Path, call: Call, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    assert call(shared / "tflite" / f"{name}.tflite", shared / "images" / "cat.bmp") == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert "Edge TPU" in err
    assert "uncompiled model" in err
    assert "Traceback" not in err


def test_lines_have_the_common_keys_and_the_task_s(
    tiny_classifier: Path, photos: Path, call: Call, capfd: pytest.CaptureFixture[str]
) -> None:
    assert call(tiny_classifier, photos, "--top", 2, "--limit", 2) == 0
    out, err = capfd.readouterr()
    found = lines(out)
    assert len(found) == 2
    assert list(found[0]) == [
        "source", "sequence", "captured", "time", "task", "device", "latency_ms", "dropped", "classes",
    ]
    assert list(found[0]["latency_ms"]) == ["preprocess", "inference", "postprocess", "total"]
    assert [list(entry) for entry in found[0]["classes"]] == [["index", "label", "score"]] * 2
    assert err == ""


def test_several_sinks(
    tiny_classifier: Path, photos: Path, tmp_path: Path, call: Call, capfd: pytest.CaptureFixture[str]
) -> None:
    files = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    assert call(tiny_classifier, photos, "--sink", files[0], "--sink", files[1]) == 0
    assert capfd.readouterr().out == ""
    assert files[0].read_text() == files[1].read_text() != ""
    assert call(tiny_classifier, photos, "--sink", "-", "--sink", files[0]) == 0
    assert len(lines(capfd.readouterr().out)) == 3
    assert len(lines(files[0].read_text())) == 6


def test_skipped_samples_are_told_and_make_the_exit_code_1(
    tiny_classifier: Path, photos: Path, call: Call, capfd: pytest.CaptureFixture[str]
) -> None:
    (photos / "0.png").write_bytes(b"")
    (photos / "1.jpg").write_bytes(b"text")
    assert call(tiny_classifier, photos) == 1
    out, err = capfd.readouterr()
    assert [entry["sequence"] for entry in lines(out)] == [2, 3]
    assert len(err.splitlines()) == 2
    assert "0.png is empty" in err
    assert "1.jpg is no picture" in err


def test_no_results_at_all_is_a_failure(
    tiny_classifier: Path, tmp_path: Path, call: Call, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty.mp4").touch()
    assert call(tiny_classifier, tmp_path / "empty.mp4") == 1
    err = capfd.readouterr().err
    assert "Skipped" in err
    assert "no results" in err


def test_numbers_from_a_table(
    tiny_classifier: Path, tmp_path: Path, call: Call, capfd: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "pixels.csv"
    rows = [",".join("1" if at % 10 == number else "0" for at in range(64)) for number in (4, 7)]
    table.write_text("\n".join([rows[0], "1,2,3", rows[1]]))
    assert call(tiny_classifier, table, "--top", 1) == 1
    out, err = capfd.readouterr()
    assert [entry["classes"][0]["index"] for entry in lines(out)] == [4, 7]
    assert err == f"Skipped {table}, line 2: 3 numbers where 64 are wanted\n"


def test_videos_run_to_their_end(
    tiny_classifier: Path, tmp_path: Path, call: Call, capfd: pytest.CaptureFixture[str]
) -> None:
    video = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(video), cv2.CAP_OPENCV_MJPEG, cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for number in range(20):
        writer.write(np.full((48, 64, 3), number, np.uint8))
    writer.release()
    assert call(tiny_classifier, video) == 0
    assert [entry["sequence"] for entry in lines(capfd.readouterr().out)] == list(range(20))
    assert call(tiny_classifier, video, "--limit", 3) == 0
    assert len(lines(capfd.readouterr().out)) == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--task", "detect"], "classification, values"),
        (["--normalize", "0..2"], "imagenet"),
        (["--device", "gpu"], "auto, cpu, coral"),
        (["--sink", "x.txt"], ".jsonl"),
        (["--channels", "rbg"], "'rgb'"),
        (["--labels", "absent.txt"], "absent.txt"),
        (["--limit", "0"], "limit"),
        (["--threads", "0"], "threads"),
    ],
)
def test_mistakes_on_the_command_line_tell_the_choices(
    *, tiny_classifier: Path, photos: Path, call: Call, capfd: pytest.CaptureFixture[str],
    arguments: list[str], words: str,
) -> None:
    assert call(tiny_classifier, photos, *arguments) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert words in err
    assert "Traceback" not in err


def test_missing_files_are_told(
    tiny_classifier: Path, tmp_path: Path, call: Call, capfd: pytest.CaptureFixture[str]
) -> None:
    assert call(tmp_path / "absent.tflite", tmp_path) == 2
    assert "absent.tflite" in capfd.readouterr().err
    assert call(tiny_classifier, tmp_path / "absent.jpg") == 2
    assert "absent.jpg" in capfd.readouterr().err
    assert call(tiny_classifier, "camera:0") == 2
    assert "camera:" in capfd.readouterr().err


def test_help_has_examples(call: Call, capfd: pytest.CaptureFixture[str]) -> None:
    assert call("--help") == 0
    out = capfd.readouterr().out
    assert "edgekit run model.tflite photos/" in out
    for option in ("--sink", "--device", "--task", "--labels", "--normalize", "--channels", "--resize", "--top"):
        assert option in out


def test_what_libraries_say_is_shown_by_debug_only(tiny_classifier: Path, photos: Path) -> None:
    """In processes of their own, since the runtime says it once in each."""
    command = [sys.executable, "-m", "edgekit", "run", str(tiny_classifier), str(photos)]
    quiet = subprocess.run(command, capture_output=True, text=True, check=True)
    debug = subprocess.run([*command, "--debug"], capture_output=True, text=True, check=True)
    assert quiet.stderr == ""
    assert "INFO" in debug.stderr
    assert len(quiet.stdout.splitlines()) == len(debug.stdout.splitlines()) == 3


def test_a_warning_is_one_plain_line(
    tiny_classifier: Path, photos: Path, call: Call, capfd: pytest.CaptureFixture[str]
) -> None:
    tiny_classifier.write_bytes(
        edgekit.metadata.write(tiny_classifier.read_bytes(), edgekit.Metadata(task="detection"))
    )
    assert call(tiny_classifier, photos, "--limit", 1) == 0
    assert capfd.readouterr().err.startswith("Warning: the model's task is detection")


@pytest.fixture
def endless(tmp_path: Path, tiny_classifier: Path) -> list[str]:
    """A command line whose results are more than a pipe holds, so that it runs until it is read."""
    np.save(tmp_path / "many.npy", np.zeros((20_000, 8, 8), np.uint8))
    return [sys.executable, "-m", "edgekit", "run", str(tiny_classifier), str(tmp_path / "many.npy")]


def test_control_c_ends_it_with_130(endless: list[str]) -> None:
    with subprocess.Popen(endless, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout
        json.loads(child.stdout.readline())
        child.send_signal(signal.SIGINT)
        _, err = child.communicate()
    assert child.returncode == 130
    assert "Traceback" not in err


def test_a_reader_that_leaves_ends_it_quietly(endless: list[str]) -> None:
    with subprocess.Popen(endless, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout
        assert child.stderr
        json.loads(child.stdout.readline())
        child.stdout.close()
        err = child.stderr.read()
    assert child.returncode not in (0, -signal.SIGPIPE)  # click makes it 1
    assert err == ""


def test_a_full_standard_output_is_an_error(endless: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(endless, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr


# The live line


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_live_line_is_updated_five_times_a_second_at_most_and_becomes_a_summary() -> None:
    now = [0.0]
    terminal = Terminal()
    progress = Progress(terminal, lambda: now[0])
    for _ in range(41):
        now[0] += 1 / 16
        progress.count(Latency(1.0, 2.0, 3.0))
    updates = terminal.getvalue().split(CLEAR_LINE)[1:]
    assert len(updates) == 11
    assert all("\n" not in update for update in updates)
    progress.skipped += 1
    progress.message("Skipped a.jpg: is empty")
    progress.finish()
    *_, message, summary, end = terminal.getvalue().split(CLEAR_LINE)[-1].split("\n")
    assert message == "Skipped a.jpg: is empty"
    assert summary.startswith("41 samples, 1 skipped, ")
    assert summary.endswith("preprocess 1.00 ms, inference 2.00 ms")
    assert end == ""


def test_nothing_but_messages_goes_to_what_is_no_terminal() -> None:
    stream = io.StringIO()
    progress = Progress(stream)
    progress.count(Latency())
    progress.message("Skipped")
    progress.finish()
    assert stream.getvalue() == "Skipped\n"


def test_on_a_real_terminal_the_summary_is_last(tiny_classifier: Path, photos: Path) -> None:
    leader, follower = os.openpty()
    command = [sys.executable, "-m", "edgekit", "run", str(tiny_classifier), str(photos)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=follower, check=True)
    os.close(follower)
    shown = os.read(leader, 100_000).decode()
    os.close(leader)
    assert len(done.stdout.splitlines()) == 3
    assert shown.split(CLEAR_LINE)[-1].startswith("3 samples, ")
    assert "INFO" not in shown
