"""From sources through models, in Python."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgekit
from edgekit import Classification, DataError, MissingFileError, UsageError
from edgekit.pipeline import QUEUE_LENGTH
from edgekit.sources import Problem, Sample

cv2 = pytest.importorskip("cv2")


@dataclass
class Scripted:
    """A source for tests: yields what it is given and counts what was taken."""

    items: Sequence[Sample | Problem | BaseException]
    uri: str = "test:"
    reads_ahead: bool = True
    live: bool = False
    taken: int = 0
    closed: threading.Event = field(default_factory=threading.Event)

    def __iter__(self) -> Iterator[Sample | Problem]:
        try:
            for item in self.items:
                self.taken += 1
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            self.closed.set()


def samples(count: int) -> list[Sample]:
    return [Sample(np.zeros((8, 8), np.uint8), "test:", number) for number in range(count)]


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
    with pytest.warns(UserWarning, match=r"skipped .*1\.png: the file is empty"):
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


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_ends_a_program_ends_the_wait_for_the_source_too(tiny_classifier: Path) -> None:
    results = edgekit.run(edgekit.load(tiny_classifier), Scripted([*samples(1), SystemExit(3)]))
    assert next(results).sequence == 0
    with pytest.raises(SystemExit):
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


@pytest.mark.parametrize("source", [np.zeros((8, 8), np.uint8), {"a.jpg"}, 3, None, [3]])
def test_what_is_no_source_is_refused(tiny_classifier: Path, source: Any) -> None:
    with pytest.raises(UsageError, match="a source cannot be of type"):
        edgekit.run(tiny_classifier, source)


def test_an_option_that_does_not_exist_is_run_s(tiny_classifier: Path, photos: Path) -> None:
    with pytest.raises(TypeError, match=r"run\(\) got an unexpected keyword argument 'bogus'"):
        edgekit.run(tiny_classifier, photos, bogus=1)
