"""Picture files as a source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.errors import DataError, MissingFileError
from edgekit.images import read_image
from edgekit.sources.types import Problem, Sample


@dataclass(frozen=True, slots=True)
class Pictures:
    """Pictures from files, in the order given."""

    uri: str
    paths: Sequence[Path]

    @property
    def reads_ahead(self) -> bool:
        """Decoding takes as long as a small network."""
        return len(self.paths) > 1

    @property
    def live(self) -> bool:
        """A file waits."""
        return False

    def __iter__(self) -> Iterator[Sample | Problem]:
        for sequence, path in enumerate(self.paths):
            yield _read(path, sequence)


def _read(path: Path, sequence: int) -> Sample | Problem:
    try:
        return Sample(read_image(path), str(path), sequence, "bgr")
    except (DataError, MissingFileError) as error:
        return Problem(str(path), sequence, error.message.removeprefix(f"{path}: "))
