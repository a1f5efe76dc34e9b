"""What is made of a model's outputs: tasks, labels, scores."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import edgekit
from edgekit import (
    Classification,
    DataError,
    Metadata,
    MissingFileError,
    UsageError,
)
from edgekit.metadata import OutputMetadata
from edgekit.results import Latency, ScoredClass
from edgekit.tasks import Output, build_task, choose_task, frame_view
from edgekit.tasks.classification import best_indices

LABELS = [f"digit {number}" for number in range(10)]

Build = Callable[..., Path]
Describe = Callable[[Path, Metadata], None]


def test_a_sigmoid_has_two_classes(sigmoid: Path) -> None:
    result = edgekit.load(sigmoid, labels=["bad", "good"])([3.0])
    assert isinstance(result, Classification)
    assert [(entry.index, entry.label) for entry in result.classes] == [(1, "good"), (0, "bad")]
    assert [entry.score for entry in result.classes] == pytest.approx([0.9526, 0.0474], abs=1e-4)
    assert result.best("bad") == result.classes[1]
    negative = edgekit.load(sigmoid)([-3.0])
    assert isinstance(negative, Classification)
    assert [entry.index for entry in negative.classes] == [0, 1]


@pytest.mark.parametrize(
    ("shape", "activation", "labels", "wanted", "from_file", "given", "expected"),
    [
        ((1, 5), "SOFTMAX", 0, None, None, False, "classification"),
        ((1, 5), "LOGISTIC", 0, None, None, False, "values"),  # an autoencoder, say
        ((1, 5), "LOGISTIC", 5, None, None, False, "classification"),
        ((1, 1), "LOGISTIC", 0, None, None, False, "classification"),
        ((1, 5), None, 0, None, None, False, "values"),
        ((1, 1), None, 1, None, None, False, "values"),
        ((1, 5), None, 5, None, None, False, "classification"),
        ((1, 5), None, 5, None, None, True, "classification"),
        ((1, 5, 5), "SOFTMAX", 0, None, None, False, "values"),
        ((1, 5), "SOFTMAX", 0, "values", "classification", False, "values"),
        ((1, 5), "SOFTMAX", 0, None, "values", False, "values"),
        ((1, 5), None, 0, "classification", None, False, "classification"),
    ],
)
def test_the_task_is_chosen(
    *, shape: tuple[int, ...], activation: str | None, labels: int, wanted: str | None, from_file: str | None,
    given: bool, expected: str,
) -> None:
    outputs = [Output("y", shape, activation, ("a",) * labels)]
    assert choose_task(outputs, wanted=wanted, from_file=from_file, labelled=given) == expected


def test_a_task_of_the_future_gives_values_and_a_warning(numbers: Path, describe: Describe) -> None:
    describe(numbers, Metadata(task="captioning"))
    with pytest.warns(UserWarning, match="task is captioning"):
        assert edgekit.load(numbers).task == "values"


def test_unknown_tasks_and_misfits_are_refused(numbers: Path, photo_model: Path, build: Build) -> None:
    with pytest.raises(UsageError, match="task cannot be 'detect'") as caught:
        edgekit.load(numbers, task="detect")
    assert "Did you mean 'detection'?" in caught.value.hint
    with pytest.raises(UsageError, match=r"one output of shape \[1, classes\], and there is y \[1, 8, 8, 3\]"):
        edgekit.load(photo_model, task="classification")
    with pytest.raises(UsageError, match="needs a sigmoid"):
        edgekit.load(
            build("ABS", [("x", (1, 1), "float32")], [("y", (1, 1), "float32")]), task="classification"
        )
    with pytest.raises(UsageError, match="no use for them"):
        edgekit.load(numbers, task="values", labels=["a", "b", "c"])
    with pytest.raises(UsageError, match="top is 0"):
        edgekit.load(numbers, task="classification", top=0)


def test_labels_are_one_for_each_class(tiny_classifier: Path, sigmoid: Path, tmp_path: Path) -> None:
    file = tmp_path / "labels.txt"
    file.write_text("\n".join(LABELS))
    assert edgekit.load(tiny_classifier, labels=file).labels == tuple(LABELS)
    with pytest.raises(DataError, match="9 labels for 10 outputs") as caught:
        edgekit.load(tiny_classifier, labels=LABELS[1:])
    assert "background" in caught.value.hint
    with pytest.raises(DataError, match="1 labels for 2 outputs"):
        edgekit.load(sigmoid, labels=["good"])
    with pytest.raises(MissingFileError):
        edgekit.load(tiny_classifier, labels=tmp_path / "absent.txt")


def test_labels_come_from_the_file_unless_they_are_given(tiny_classifier: Path, describe: Describe) -> None:
    describe(tiny_classifier, Metadata(outputs=(OutputMetadata(labels=tuple("abcdefghij")),)))
    assert edgekit.load(tiny_classifier).labels == tuple("abcdefghij")
    assert edgekit.load(tiny_classifier, labels=LABELS).labels == tuple(LABELS)


def test_of_equal_scores_the_lower_index_comes_first() -> None:
    scores = np.array([0.1, 0.4, np.nan, 0.4, 0.0, 0.4], np.float32)
    assert best_indices(scores, 2).tolist() == [1, 3]
    assert best_indices(scores, 99).tolist() == [1, 3, 5, 0, 4, 2]


def test_what_is_no_number_is_null_in_json(build: Build) -> None:
    path = build("LOG", [("x", (1, 3), "float32")], [("y", (1, 3), "float32")])
    found = json.loads(edgekit.load(path)([1, 0, -1]).to_json())
    assert found["values"] == [0, None, None]
    entry = ScoredClass(0, "", float("nan"))
    result = Classification(task="classification", device="cpu", latency=Latency(), classes=(entry,))
    assert json.loads(result.to_json())["classes"] == [{"index": 0, "label": "", "score": None}]


def test_outputs_that_share_a_name_are_told_apart() -> None:
    outputs = [Output("y", (1, 1)), Output("y", (1, 1)), Output("z", (2,))]
    task = build_task("values", outputs)
    result = task([np.zeros((1, 1), np.float32)] * 2 + [np.ones(2, np.float32)], "cpu", frame_view(1, 1, 1, 1))
    assert result.payload() == {"values": {"y:0": [0], "y:1": [0], "z": [1, 1]}}
