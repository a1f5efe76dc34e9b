"""Results as tables."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import edgekit
from edgekit import OutputError, Result, UsageError
from edgekit.results import (
    Classification,
    DetectedObject,
    Detection,
    Keypoint,
    Latency,
    Pose,
    Values,
)
from edgekit.sinks import open_sink
from edgekit.sinks.table import FORMULA_STARTS, CsvSink

COMMON: dict[str, Any] = {"device": "cpu", "latency": Latency(1, 2, 3)}


def cat(label: str = "cat", box: tuple[float, float, float, float] = (1, 2, 3, 4)) -> DetectedObject:
    return DetectedObject(7, label, 0.5, box)


def detection(*objects: DetectedObject) -> Detection:
    return Detection(task="detection", objects=objects, width=10, height=10, source="a.jpg", **COMMON)


def written(path: Path, *results: Result) -> list[dict[str, str]]:
    sink = open_sink(path)
    for result in results:
        sink.write(result)
    sink.close()
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_each_object_has_a_row_and_so_has_a_picture_without_any(tmp_path: Path) -> None:
    rows = written(tmp_path / "out.csv", detection(), detection(cat(), cat("dog")))
    assert [(row["item"], row["label"], row["x1"]) for row in rows] == [
        ("", "", ""), ("0", "cat", "3"), ("1", "dog", "3"),
    ]
    assert list(rows[0])[-9:] == ["item", "index", "label", "score", "x0", "y0", "x1", "y1", "id"]
    assert rows[0]["inference_ms"] == "2"


def test_the_header_is_written_once_and_lines_end_as_rfc_4180_says(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    written(path, detection(cat()))
    assert len(written(path, detection(cat(), cat()))) == 3
    lines = path.read_bytes().split(b"\r\n")
    assert len(lines) == 5
    assert lines[-1] == b""
    assert lines[0].startswith(b"source,sequence,captured,time,task,device,preprocess_ms,")


def test_a_file_with_other_columns_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("name,age\nAnn,3\n")
    with pytest.raises(OutputError, match="has other columns"):
        written(path, detection(cat()))
    assert path.read_text() == "name,age\nAnn,3\n"
    mixed = open_sink(tmp_path / "mixed.csv")
    mixed.write(detection(cat()))
    with pytest.raises(UsageError, match="another task"):
        mixed.write(Classification(task="classification", classes=(), **COMMON))


def test_keypoints_of_several_bodies(tmp_path: Path) -> None:
    nose = Keypoint("nose", 1.5, 2.5, 0.9)
    bodies = tuple(DetectedObject(0, "person", 0.9, (0, 0, 5, 5), (nose, nose)) for _ in range(2))
    pose = Pose(task="pose", keypoints=(nose,), objects=bodies, width=9, height=9, **COMMON)
    single = Pose(task="pose", keypoints=(nose,), width=9, height=9, **COMMON)
    rows = written(tmp_path / "out.csv", pose, single)
    assert [(row["object"], row["name"], row["x"]) for row in rows] == [
        ("0", "nose", "1.5"), ("0", "nose", "1.5"), ("1", "nose", "1.5"), ("1", "nose", "1.5"), ("0", "nose", "1.5"),
    ]


def test_numbers_have_a_column_each(tmp_path: Path, numbers: Path) -> None:
    (tmp_path / "in.csv").write_text("-1,2,3\n4,5,nan\n")
    results = list(edgekit.run(numbers, tmp_path / "in.csv", on_problem=lambda _problem: None))
    rows = written(tmp_path / "out.csv", *results)
    assert [rows[0][f"values_{at}"] for at in range(3)] == ["1.0", "2.0", "3.0"]
    many = Values(task="values", values={"y": np.zeros(2000, np.float32)}, **COMMON)
    with pytest.raises(UsageError, match="2000 numbers"):
        written(tmp_path / "many.csv", many)
    assert not (tmp_path / "many.csv").exists()


def test_tasks_of_others_have_their_payload_as_json(tmp_path: Path) -> None:
    class Own(Result):
        def payload(self) -> dict[str, Any]:
            return {"mood": ["good", "bad"]}

    (row,) = written(tmp_path / "out.csv", Own(task="own", **COMMON))
    assert row["payload"] == '{"mood":["good","bad"]}'


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_no_label_becomes_a_formula_and_none_is_lost(tmp_path_factory: pytest.TempPathFactory, label: str) -> None:
    rows = written(tmp_path_factory.mktemp("t") / "out.csv", detection(cat(label, (-1, 0, 1, 1))))
    found = rows[0]["label"]
    assert not found.startswith(FORMULA_STARTS)
    assert found == (f"'{label}" if label.startswith(FORMULA_STARTS) else label)
    assert rows[0]["x0"] == "-1"  # a number stays one


def test_two_sinks_at_once_write_one_header(tmp_path: Path) -> None:
    path = str(tmp_path / "out.csv")
    first, second = CsvSink(path), CsvSink(path)
    for sink in (first, second, first):
        sink.write(detection(cat()))
    assert (tmp_path / "out.csv").read_text().count("sequence") == 1


def test_a_pipe_takes_it_too() -> None:
    sink = CsvSink("/dev/null")
    sink.write(detection(cat()))
    sink.close()
