"""Data that cannot be evaluated on: said clearly, with exit code 2, before the model runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs the evaluate extra: pip install 'edgekit-sdk[evaluate]'")

Refuse = Callable[..., str]
X = np.zeros((20, 8, 8, 1), np.uint8)
Y = np.arange(20) % 10


@pytest.fixture
def refuse(command: Callable[..., int], tiny_classifier: Path, tmp_path: Path, capsys: Any) -> Refuse:
    """Evaluates the tiny classifier on arrays, or on a path, and gives what is said against it."""

    def run(*options: object, data: object = None, model: Path = tiny_classifier, **arrays: Any) -> str:
        if data is None:
            data = tmp_path / "data.npz"
            np.savez(tmp_path / "data.npz", **arrays)
        assert command("evaluate", model, "--data", data, *options) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        assert "Traceback" not in printed.err
        return str(printed.err).partition("Error: ")[2]

    return run


def test_labels_that_the_model_has_no_class_for(refuse: Refuse) -> None:
    said = refuse(x=X, y=np.where(Y == 3, 10, Y))
    assert "holds the labels 10, and tiny.tflite has 10 classes, 0 to 9; first for sample 3" in said


def test_negative_labels(refuse: Refuse) -> None:
    assert "the labels -1" in refuse(x=X, y=Y - 1)


def test_labels_that_are_nan(refuse: Refuse) -> None:
    assert "holds NaN or infinity, first for sample 4" in refuse(x=X, y=np.where(np.arange(20) == 4, np.nan, Y))


def test_labels_of_another_number_than_the_samples(refuse: Refuse) -> None:
    assert "has 19 entries for 20 samples" in refuse(x=X, y=Y[:19])


def test_labels_of_several_classes_for_a_sample(refuse: Refuse) -> None:
    several = np.eye(10)[Y]
    several[5, :2] = 1
    assert "gives several classes to a sample" in refuse("--task", "classification", x=X, y=several)


def test_values_where_classes_are_wanted(refuse: Refuse) -> None:
    said = refuse("--task", "classification", x=X, y=Y + 0.5)
    assert "which is no class" in said and "--task regression" in said


def test_classes_where_values_are_wanted(refuse: Refuse) -> None:
    assert "has 1 values for each sample, and tiny.tflite gives 10" in refuse("--task", "regression", x=X, y=Y)
    assert "no number: RMSE and the like do not fit it" in refuse("--task", "regression", x=X, y=np.array(["a"] * 20))


def test_a_metric_that_does_not_fit_the_task(refuse: Refuse) -> None:
    said = refuse("--metric", "rmse", x=X, y=Y)
    assert "metric rmse does not fit the data, whose task is classification" in said
    assert "Choose of accuracy" in said


def test_a_metric_that_does_not_exist(refuse: Refuse) -> None:
    assert "Did you mean 'accuracy'?" in refuse("--metric", "acuracy", x=X, y=Y)


def test_names_of_classes_for_a_model_without_labels(refuse: Refuse) -> None:
    said = refuse(x=X, y=np.array(["fox", "owl"] * 10))
    assert "names classes (fox, owl), and tiny.tflite carries no labels" in said
    assert "--labels FILE" in said


def test_nan_among_the_samples(refuse: Refuse) -> None:
    x = np.zeros((20, 8, 8, 1), np.float32)
    x[7, 0, 0] = np.nan
    assert "NaN or infinity for input 'image', first in sample 7" in refuse(x=x, y=Y)


def test_samples_of_another_shape(refuse: Refuse) -> None:
    assert "takes (samples, 8, 8, 1)" in refuse(x=np.zeros((20, 5), np.float32), y=Y)


def test_samples_of_a_type_that_is_neither_pixels_nor_numbers(refuse: Refuse) -> None:
    said = refuse(x=X.astype(np.int64), y=Y)
    assert "none of the 20 samples can be used" in said and "takes pixels as uint8" in said


def test_no_samples(refuse: Refuse) -> None:
    assert "holds no samples" in refuse(x=X[:0], y=Y[:0])


def test_labels_under_another_name(refuse: Refuse) -> None:
    assert "--target-column label" in refuse(x=X, label=Y)
    assert "has no array 'klass'" in refuse("--target-column", "klass", x=X, y=Y)


def test_neither_labels_nor_another_model(refuse: Refuse) -> None:
    said = refuse(x=X)
    assert "has no labels, so that there is nothing to hold tiny.tflite against" in said
    assert "--against" in said


def test_groups_that_are_not_there_or_are_none(refuse: Refuse) -> None:
    assert "has no array 'site' to group by" in refuse("--group-by", "site", x=X, y=Y)
    assert "20 different values for 20 samples" in refuse("--group-by", "site", x=X, y=Y, site=np.arange(20))
    assert "has 3 entries for 20 samples" in refuse("--group-by", "site", x=X, y=Y, site=np.arange(3))


def save(place: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    place.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(place), np.zeros((8, 8, 3), np.uint8))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two pictures of class 0, two of class 1."""
    for number in range(4):
        save(tmp_path / "photos" / str(number % 2) / f"{number}.png")
    return tmp_path / "photos"


def test_folders_of_classes_that_the_model_has_not(refuse: Refuse, photos: Path, tmp_path: Path) -> None:
    (photos / "0").rename(photos / "unicorn")
    (tmp_path / "labels.txt").write_text("\n".join("abcdefghi") + "\n1\n")
    said = refuse("--labels", tmp_path / "labels.txt", data=photos)
    assert "has classes that tiny.tflite has not: unicorn" in said
    assert "The model knows a, b, c" in said


def test_a_class_folder_without_pictures(refuse: Refuse, photos: Path) -> None:
    (photos / "2").mkdir()
    assert "no pictures in the class folder 2" in refuse(data=photos)


def test_a_picture_beside_the_class_folders(refuse: Refuse, photos: Path) -> None:
    save(photos / "loose.png")
    assert "loose.png lies in no class folder" in refuse(data=photos)


def test_a_folder_level_that_is_not_there(refuse: Refuse, photos: Path) -> None:
    assert "lies in no folder of level 3" in refuse("--group-by", "folder:3", data=photos)
    assert "folder:1" in refuse("--group-by", "folder:x", data=photos)


def test_a_column_without_a_table_of_metadata(refuse: Refuse, photos: Path) -> None:
    assert "'lens' is to be a column, and there is no metadata.csv" in refuse("--group-by", "lens", data=photos)


def test_metadata_that_lacks_a_picture(refuse: Refuse, photos: Path) -> None:
    (photos / "metadata.csv").write_text("file,lens\n0/0.png,x\n")
    assert "has no row for 3 of 4 pictures: 0/2.png" in refuse("--group-by", "lens", data=photos)


def test_pictures_for_a_model_of_numbers(refuse: Refuse, photos: Path, numbers: Path) -> None:
    assert "holds pictures, and abs.tflite takes numbers" in refuse(data=photos, model=numbers)


@pytest.mark.parametrize(("rows", "options", "wanted"), [
    ("x,y\n1,0\n2,1\n", (), "has 2 columns for the model (x, y), and it takes 1 numbers"),
    ("x,y\n1,0\n2,1\n", ("--target-column", "z"), "has no column 'z'"),
    ("x,y\n1,0\nn/a,1\n", ("--target-column", "y"), "column 'x' is 'n/a', which is no number, in row 2"),
    ("x,y\n1,0\n2,\n", ("--target-column", "y"), "column 'y' is empty in row 2"),
    ("x,y\n1,0\n2\n", ("--target-column", "y"), "row 2 after the header has 1 cells, and the header 2"),
    ("x,x\n1,0\n2,1\n", ("--target-column", "x"), "two columns 'x'"),
    ("1,0\n2,1\n", ("--target-column", "y"), "has no header"),
    ("x,y\nnan,0\n2,1\n", ("--target-column", "y"), "column 'x' is nan in row 1"),
    ("x,y\n", ("--target-column", "y"), "holds no rows below a header"),
])
def test_tables_with_something_wrong(
    refuse: Refuse, sigmoid: Path, tmp_path: Path, rows: str, options: tuple[str, ...], wanted: str
) -> None:
    (tmp_path / "rows.csv").write_text(rows)
    assert wanted in refuse(*options, data=tmp_path / "rows.csv", model=sigmoid)


def test_data_that_is_not_there_or_of_another_kind(refuse: Refuse, tmp_path: Path) -> None:
    assert "no such data" in refuse(data=tmp_path / "nowhere")
    (tmp_path / "data.txt").write_text("hello")
    assert "is of no kind that EdgeKit evaluates on" in refuse(data=tmp_path / "data.txt")
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 no more")
    assert "damaged" in refuse(data=tmp_path / "broken.npz")


def test_a_model_that_is_not_there(refuse: Refuse, tmp_path: Path) -> None:
    assert "no such file" in refuse(model=tmp_path / "nothing.tflite", x=X, y=Y)


def test_models_that_do_not_give_the_same(refuse: Refuse, build: Callable[..., Path], tmp_path: Path) -> None:
    other = build("ABS", [("x", (1, 8, 8, 1), "float32")], [("y", (1, 8, 8, 1), "float32")])
    said = refuse("--against", other, x=X, model=tmp_path / "tiny.tflite")
    assert "the two models do not give the same: scores [10], and y [8, 8, 1]" in said


def test_backends_that_do_not_exist(refuse: Refuse) -> None:
    assert "backend cannot be 'spark'" in refuse("--backend", "spark", x=X, y=Y)
    assert "dask:tcp://HOST:PORT" in refuse("--backend", "dask", x=X, y=Y)
