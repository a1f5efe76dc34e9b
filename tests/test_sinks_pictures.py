"""Folders with a picture for each result."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit import OutputError, Result, UsageError
from edgekit.results import Classification, DepthMap, Latency, Picture, Segmentation
from edgekit.sinks import check_sink, open_sink

cv2 = pytest.importorskip("cv2")

SAID: dict[str, Any] = {"task": "any", "device": "cpu", "latency": Latency()}
PLACE: dict[str, Any] = {**SAID, "area": (0.0, 0.0, 4.0, 4.0), "width": 4, "height": 4}
RED = np.full((2, 2, 3), (255, 0, 0), np.uint8)


def written(folder: Path, result: Result) -> Any:
    sink = open_sink(f"{folder}/")
    sink.write(result)
    sink.close()
    [path] = folder.iterdir()
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


def test_a_picture_that_a_network_made_is_kept_in_its_size_and_colours(tmp_path: Path) -> None:
    picture = written(tmp_path / "made", Picture(**PLACE, image=RED))
    assert picture.shape == (2, 2, 3)
    assert picture[0, 0].tolist() == [0, 0, 255]


def test_classes_are_numbers_and_depths_are_sixteen_bits(tmp_path: Path) -> None:
    mask = np.arange(4, dtype=np.uint8).reshape(2, 2)
    assert np.array_equal(written(tmp_path / "a", Segmentation(**PLACE, mask=mask, classes=())), mask)
    depth = np.array([[1.0, 2.0], [3.0, np.nan]], np.float32)
    assert written(tmp_path / "b", DepthMap(**PLACE, depth=depth)).tolist() == [[0, 32768], [65535, 0]]
    flat = written(tmp_path / "c", DepthMap(**PLACE, depth=np.ones((2, 2), np.float32)))
    assert flat.max() == 0


def test_other_results_are_drawn_on_their_frames_and_numbers_have_none(tmp_path: Path) -> None:
    assert written(tmp_path / "a", Classification(**SAID, classes=(), frame=RED)).shape == (2, 2, 3)
    with pytest.raises(UsageError, match="takes pictures"):
        open_sink(f"{tmp_path}/b/").write(Classification(**SAID, classes=()))


def test_names_say_the_file_and_number_or_the_time_and_nothing_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "shot.jpg").touch()
    sink = open_sink(f"{tmp_path}/out/")
    sink.write(Picture(**PLACE, image=RED, source=str(tmp_path / "shot.jpg"), sequence=3, model="who"))
    moment = datetime(2026, 1, 2, 3, 4, 5, 6000, timezone.utc)
    live = Picture(**PLACE, image=RED, source="camera:0", time=moment)
    sink.write(live)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "shot-000003-who.png", "20260102-030405.006000.png"
    }
    with pytest.raises(OutputError, match="already"):
        sink.write(live)


def test_a_folder_that_cannot_be_is_told_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for wrong in (tmp_path / "no" / "such", tmp_path / "file"):
        with pytest.raises(OutputError, match="cannot be written"):
            check_sink(f"{wrong}/")
    check_sink(f"{tmp_path}/new/")
    assert not (tmp_path / "new").exists()
