"""`edgekit run`."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgekit

cv2 = pytest.importorskip("cv2")

Call = Callable[..., int]


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_lines_have_the_common_keys_and_the_task_s(
    tiny_classifier: Path, photos: Path, call: Call, capfd: pytest.CaptureFixture[str]
) -> None:
    assert call(tiny_classifier, photos, "--top", 2, "--limit", 2, "--device", "cpu") == 0
    out, err = capfd.readouterr()
    found = lines(out)
    assert len(found) == 2
    assert list(found[0]) == [
        "source", "sequence", "captured", "time", "task", "device", "latency_ms", "age_ms", "dropped", "drops",
        "classes",
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
    assert call(tiny_classifier, photos, "--device", "cpu") == 1
    out, err = capfd.readouterr()
    assert [entry["sequence"] for entry in lines(out)] == [2, 3]
    assert len(err.splitlines()) == 2
    assert "0.png: the file is empty" in err
    assert "1.jpg: no picture, since" in err


def test_no_results_at_all_is_a_failure(
    tiny_classifier: Path, tmp_path: Path, call: Call, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty.mp4").touch()
    assert call(tiny_classifier, tmp_path / "empty.mp4", "--sink", tmp_path / "out.jsonl") == 2
    assert not (tmp_path / "out.jsonl").exists()
    err = capfd.readouterr().err
    assert f"skipped {tmp_path}/empty.mp4: " in err
    assert "no results" in err


def test_numbers_from_a_table(
    tiny_classifier: Path, tmp_path: Path, call: Call, capfd: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "pixels.csv"
    rows = [",".join("1" if at % 10 == number else "0" for at in range(64)) for number in (4, 7)]
    table.write_text("\n".join([rows[0], "1,2,3", rows[1]]))
    assert call(tiny_classifier, table, "--top", 1, "--device", "cpu") == 1
    out, err = capfd.readouterr()
    assert [entry["classes"][0]["index"] for entry in lines(out)] == [4, 7]
    assert err == f"skipped {table}, line 2: 3 numbers where 64 are wanted\n"


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
        (["--task", "detect"], "classification, detection"),
        (["--normalize", "0..2"], "imagenet"),
        (["--device", "npu"], "auto, cpu, coral"),
        (["--sink", "x.txt"], ".jsonl"),
        (["--channels", "rbg"], "'rgb'"),
        (["--labels", "absent.txt"], "absent.txt"),
        (["--limit", "0"], "limit"),
        (["--threads", "0"], "threads"),
        (["--threads", "100000"], "256"),
        (["--sink", "a.jsonl", "--sink", "./a.jsonl"], "twice"),
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
    assert call(tiny_classifier, "bogus:0") == 2
    assert "camera:" in capfd.readouterr().err


def test_help_has_examples(call: Call, capfd: pytest.CaptureFixture[str]) -> None:
    assert call("--help") == 0
    out = capfd.readouterr().out
    assert "edgekit run model.tflite photos/" in out
    for option in ("--sink", "--device", "--task", "--labels", "--normalize", "--channels", "--resize", "--top"):
        assert option in out


def test_what_libraries_say_is_shown_by_debug_only(tiny_classifier: Path, photos: Path) -> None:
    """In processes of their own, since the runtime says it once in each."""
    command = [sys.executable, "-m", "edgekit", "run", str(tiny_classifier), str(photos), "--device", "cpu"]
    quiet = subprocess.run(command, capture_output=True, text=True, check=True)
    debug = subprocess.run([*command, "--debug"], capture_output=True, text=True, check=True)
    assert quiet.stderr == ""
    assert "INFO" in debug.stderr
    assert len(quiet.stdout.splitlines()) == len(debug.stdout.splitlines()) == 3


def test_a_warning_is_one_plain_line(
    tiny_classifier: Path, photos: Path, call: Call, capfd: pytest.CaptureFixture[str]
) -> None:
    tiny_classifier.write_bytes(
        edgekit.metadata.write(tiny_classifier.read_bytes(), edgekit.Metadata(task="captioning"))
    )
    assert call(tiny_classifier, photos, "--limit", 1) == 0
    assert capfd.readouterr().err.startswith("Warning: the model's task is captioning")


def test_of_a_table_s_bad_rows_the_first_are_told_and_the_rest_are_counted(
    tiny_classifier: Path, tmp_path: Path, call: Call, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "t.csv").write_text("1,2,3\n" * 9)
    assert call(tiny_classifier, tmp_path / "t.csv", "--device", "cpu") == 2
    err = capfd.readouterr().err.splitlines()
    assert len(err) == 7
    assert err[4].startswith(f"skipped {tmp_path}/t.csv, line 5: ")
    assert err[5] == "skipped 4 more rows"


def test_a_pattern_may_match_what_is_no_sample(
    tiny_classifier: Path, photos: Path, call: Call, capfd: pytest.CaptureFixture[str]
) -> None:
    (photos / "notes.txt").write_text("words")
    assert call(tiny_classifier, f"{photos}/*", "--device", "cpu") == 1
    out, err = capfd.readouterr()
    assert len(lines(out)) == 3
    assert err.startswith(f"skipped {photos}/notes.txt is of no kind")


def test_pictures_for_a_model_of_numbers_are_told(
    numbers: Path, photos: Path, call: Call, capfd: pytest.CaptureFixture[str]
) -> None:
    assert call(numbers, photos / "0.png") == 2
    assert f"the model takes 3 numbers, and {photos}/0.png is a picture" in capfd.readouterr().err


def test_pictures_for_a_model_with_colours_first_are_told(
    build: Callable[..., Path], photos: Path, call: Call, capfd: pytest.CaptureFixture[str]
) -> None:
    model = build("ABS", [("x", (1, 3, 8, 8), "float32")], [("y", (1, 3, 8, 8), "float32")])
    assert call(model, photos / "0.png") == 2
    err = capfd.readouterr().err
    assert "the model takes colours first, [1, 3, 8, 8]" in err
    assert "Export it with input [1, 8, 8, 3]" in err


def test_names_that_are_no_text(tiny_classifier: Path, photos: Path, tmp_path: Path) -> None:
    strange = os.path.join(os.fsencode(photos), b"1\xff.png")  # bytes
    (photos / "0.png").rename(os.fsdecode(strange))
    command = [sys.executable, "-m", "edgekit", "run", str(tiny_classifier), str(photos), "--sink", "-"]
    done = subprocess.run([*command, "--sink", str(tmp_path / "o.jsonl")], capture_output=True, check=True)
    names = [line["source"] for line in lines(done.stdout.decode())]
    assert strange in map(os.fsencode, names)
    assert (tmp_path / "o.jsonl").read_bytes() == done.stdout
    Path(os.fsdecode(strange)).write_bytes(b"")
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 1
    assert b"1\\udcff.png: the file is empty" in done.stderr


def test_warnings_as_errors_do_not_stop_a_run(tiny_classifier: Path, build: Callable[..., Path], photos: Path) -> None:
    wide = build("ABS", [("x", (1, 8, 8, 3), "float32")], [("y", (1, 8, 8, 3), "float32", 3e38, 0)])
    for model in (tiny_classifier, wide):
        command = [sys.executable, "-m", "edgekit", "run", str(model), str(photos), "--normalize", "0..1"]
        command += ["--device", "cpu"]
        done = subprocess.run(
            command, env={**os.environ, "PYTHONWARNINGS": "error"}, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def endless(tmp_path: Path, tiny_classifier: Path) -> list[str]:
    """A command line whose results are more than a pipe holds, so that it runs until it is read."""
    np.save(tmp_path / "many.npy", np.zeros((20_000, 8, 8), np.uint8))
    command = ["run", str(tiny_classifier), str(tmp_path / "many.npy"), "--device", "cpu"]
    return [sys.executable, "-m", "edgekit", *command]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_end_it_with_128_and_their_number(endless: list[str], number: signal.Signals) -> None:
    with subprocess.Popen(endless, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout
        json.loads(child.stdout.readline())
        child.send_signal(number)
        _, err = child.communicate()
    assert child.returncode == 128 + number
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


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["inspect", "MODEL"], ["inspect", "MODEL", "--json"]])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_every_command_tells_of_a_full_standard_output(
    tiny_classifier: Path, arguments: list[str], unbuffered: str
) -> None:
    words = [str(tiny_classifier) if word == "MODEL" else word for word in arguments]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "edgekit", *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        )
    assert (done.returncode, done.stderr) == (
        1, "Error: cannot write to the standard output: No space left on device\n"
    )


@pytest.mark.parametrize("where", ["2>&-", "2>/dev/full"])
def test_messages_that_nobody_can_read_change_nothing(tiny_classifier: Path, photos: Path, where: str) -> None:
    (photos / "1.png").write_bytes(b"")
    for source, code, count in ((photos, 1, 2), (photos / "0.png", 0, 1), (photos / "absent.png", 2, 0)):
        command = shlex.join([sys.executable, "-m", "edgekit", "run", str(tiny_classifier), str(source)])
        done = subprocess.run(f"{command} {where}", shell=True, capture_output=True, text=True, check=False)
        assert (done.returncode, len(done.stdout.splitlines())) == (code, count)


@pytest.mark.parametrize(("closed", "code", "words"), [(">&-", 1, "standard output"), ("2>&-", 0, ""), ("<&-", 0, "")])
def test_closed_streams_are_no_failure_of_edgekit(
    *, tiny_classifier: Path, photos: Path, closed: str, code: int, words: str
) -> None:
    command = shlex.join([sys.executable, "-m", "edgekit", "run", str(tiny_classifier), str(photos)])
    done = subprocess.run(f"{command} {closed}", shell=True, capture_output=True, text=True, check=False)
    assert (done.returncode, len(done.stdout.splitlines())) == (code, 0 if code else 3)
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_all_streams_closed(tiny_classifier: Path, photos: Path, tmp_path: Path) -> None:
    """What native libraries print must not end up in the results."""
    sink = tmp_path / "out.jsonl"
    arguments = [str(tiny_classifier), str(photos), "--sink", str(sink), "--debug"]
    command = shlex.join([sys.executable, "-m", "edgekit", "run", *arguments])
    subprocess.run(f"{command} <&- >&- 2>&-", shell=True, check=True)
    assert len(lines(sink.read_text())) == 3
