"""Recordings: every sample that a model ran on, with its times, in a folder; and the source that plays one back.

    DIR/samples.jsonl    a line for each sample, in the order of their results
    DIR/000000.png       its data: a picture without loss, else .npy, or .npz for a model with several inputs

A file is written before its line, so that what a killed process leaves behind is whole up to its last line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DataError, MissingFileError, OutputError, UsageError
from edgekit.images import find_damage, import_cv2
from edgekit.results import DetectedObject, Detection, Latency, Pose, Result
from edgekit.sources.types import Problem, Sample
from edgekit.uris import redacted

INDEX = "samples.jsonl"
FAST = 1
"""Least compression of PNG: 720p in 12 ms rather than 60."""


@dataclass(frozen=True, slots=True)
class Recorded(Sample):
    """A sample of a recording, with what was measured when its result was made.

    Attributes:
        drops: Samples of its source that were dropped before it, by cause.
        age: Seconds from its capture to its result.
        latencies: Of its results, each followed by those of the results within it.
    """

    drops: Mapping[str, int] = field(default_factory=dict)
    age: float = 0.0
    latencies: tuple[Latency, ...] = ()


class Recorder:
    """Writes a recording.

    Args:
        folder: Made where it is not there; holds no recording yet.

    Raises:
        UsageError: there is a recording in it.
        OutputError: it cannot be written.
    """

    def __init__(self, folder: str | PathLike[str]) -> None:
        self._folder = Path(folder)
        self._count = 0
        self._index: IO[str] | None = None
        if (self._folder / INDEX).exists():
            raise UsageError(f"{self._folder} holds a recording already", hint="Give another folder, or remove it.")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._failed(error) from error

    def write(self, sample: Sample, results: Sequence[Result]) -> None:
        """Keep a sample and when its results were made.

        Raises:
            OutputError: it cannot be written.
        """
        result, latencies = results[0], [latency for result in results for latency in _latencies(result)]
        try:
            line = {
                "file": self._write_data(sample.data), "source": redacted(sample.source), "sequence": sample.sequence,
                "channels": sample.channels, "captured": sample.captured, "time": sample.time.isoformat(),
                "lost": sample.lost, "position": sample.position, "slack": dict(sample.slack),
                "drops": dict(result.drops), "age": result.age,
                "latencies": [[one.preprocess, one.inference, one.postprocess] for one in latencies],
            }
            self._write_line(line)
        except OSError as error:
            raise self._failed(error) from error
        self._count += 1

    def write_problem(self, problem: Problem) -> None:
        """Keep that a sample could not be read.

        Raises:
            OutputError: it cannot be written.
        """
        try:
            self._write_line({"problem": problem.reason, "source": problem.source, "sequence": problem.sequence})
        except OSError as error:
            raise self._failed(error) from error

    def _write_line(self, line: dict[str, Any]) -> None:
        if self._index is None:
            self._index = (self._folder / INDEX).open("x", encoding="utf-8")
        self._index.write(json.dumps(line) + "\n")
        self._index.flush()

    def _write_data(self, data: Any) -> str:
        name = f"{self._count:06}"
        if isinstance(data, Mapping):
            np.savez(self._folder / f"{name}.npz", **data)
            return f"{name}.npz"
        if data.dtype == np.uint8 and (data.ndim == 2 or (data.ndim == 3 and data.shape[2] == 3)):
            cv2 = import_cv2()
            packed = cv2.imencode(".png", data, [cv2.IMWRITE_PNG_COMPRESSION, FAST])[1]
            (self._folder / f"{name}.png").write_bytes(packed.tobytes())
            return f"{name}.png"
        np.save(self._folder / f"{name}.npy", data, allow_pickle=False)
        return f"{name}.npy"

    def _failed(self, error: OSError) -> OutputError:
        return OutputError(f"{self._folder} cannot be written: {error.strerror}")

    def close(self) -> None:
        """Close the index."""
        if self._index is not None:
            self._index.close()


@dataclass(frozen=True, slots=True)
class Replay:
    """A recording as a source: samples with the source, numbers and times that they had, as fast as they are taken."""

    uri: str
    folder: Path

    @property
    def reads_ahead(self) -> bool:
        """Its pictures have to be decoded."""
        return True

    @property
    def live(self) -> bool:
        """It waits."""
        return False

    def __iter__(self) -> Iterator[Sample | Problem]:
        with (self.folder / INDEX).open(encoding="utf-8") as index:
            for number, line in enumerate(index):
                if not line.endswith("\n"):
                    return  # the process was killed while it wrote
                yield self._item(number, line)

    def _item(self, number: int, line: str) -> Sample | Problem:
        try:
            entry = json.loads(line)
            if "problem" in entry:
                return Problem(entry["source"], entry["sequence"], entry["problem"])
            return Recorded(
                self._data(entry["file"]), entry["source"], entry["sequence"], entry["channels"], entry["captured"],
                datetime.fromisoformat(entry["time"]), lost=entry["lost"], position=entry["position"],
                slack=entry["slack"], drops=entry["drops"], age=entry["age"],
                latencies=tuple(Latency(*one) for one in entry["latencies"]),
            )
        except (KeyError, TypeError, ValueError, OSError) as error:
            return Problem(f"{self.folder / INDEX}, line {number + 1}", number, f"damaged ({error})")

    def _data(self, name: str) -> NDArray[Any] | dict[str, NDArray[Any]]:
        path = self.folder / Path(name).name  # nothing outside
        if path.suffix == ".png":
            return _unpacked(path)
        loaded = np.load(path, allow_pickle=False)
        return loaded if isinstance(loaded, np.ndarray) else dict(loaded)


def _latencies(result: Result) -> Iterator[Latency]:
    """A result's own, then those of the results within it."""
    yield result.latency
    for found in _objects(result):
        if found.inner is not None:
            yield found.inner.latency


def _objects(result: Result) -> tuple[DetectedObject, ...]:
    return (result.objects or ()) if isinstance(result, (Detection, Pose)) else ()


def with_latencies(results: Sequence[Result], latencies: Sequence[Latency]) -> tuple[Result, ...]:
    """Results with the latencies that a recording has of them; where another model found more, its own remain."""
    left = iter(latencies)
    return tuple(_with_latencies(result, left) for result in results)


def _with_latencies(result: Result, left: Iterator[Latency]) -> Result:
    result = replace(result, latency=next(left, result.latency))
    if not isinstance(result, (Detection, Pose)) or result.objects is None:
        return result
    objects = tuple(
        found if found.inner is None
        else replace(found, inner=replace(found.inner, latency=next(left, found.inner.latency)))
        for found in result.objects
    )
    return replace(result, objects=objects)


def _unpacked(path: Path) -> NDArray[np.uint8]:
    """A picture as it was, grey ones too."""
    cv2, packed = import_cv2(), path.read_bytes()
    pixels = None if find_damage(packed) else cv2.imdecode(np.frombuffer(packed, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise DataError(f"{path.name} is no whole picture")
    return np.asarray(pixels, np.uint8)


def open_replay(uri: str, *, shape: tuple[int, ...] | None = None) -> Replay:
    """A recording: `replay:DIR`, a folder that `edgekit run --record DIR` wrote.

    Raises:
        MissingFileError: there is no recording.
    """
    folder = Path(uri.partition(":")[2])
    if not (folder / INDEX).is_file():
        raise MissingFileError(f"{folder} holds no recording", hint="Make one with edgekit run --record DIR.")
    return Replay(uri, folder)
