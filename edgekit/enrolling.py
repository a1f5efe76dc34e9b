"""Teaching a model new labels on the device, from a few pictures of each: nothing is trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DataError, UsageError
from edgekit.images import list_images, read_image
from edgekit.model import Model
from edgekit.results import Embedding
from edgekit.tasks.enrolled import Enrolled, enroll, file_digest, unit

FEWEST_LABELS = 2
"""Below this nothing can be told apart, and the check by leaving samples out says nothing."""

Vectors = Mapping[str, Sequence[NDArray[np.float32]]]


@dataclass(frozen=True, slots=True)
class Separation:
    """How well labels are told apart, each sample compared with the means of all the others.

    Attributes:
        right: Samples whose own label was the nearest.
        samples: Samples that could be compared: those of labels with two or more.
        least_own: Smallest cosine of a sample with its own label.
        most_other: Largest cosine of a sample with another label.
    """

    right: int
    samples: int
    least_own: float
    most_other: float


def embed_folder(
    model: Model, folder: Path, on_problem: Callable[[str], None], on_sample: Callable[[], None] = lambda: None
) -> dict[str, list[NDArray[np.float32]]]:
    """The vectors of all pictures in a folder's subfolders, by the names of these.

    Args:
        model: Opened with `task="embedding"`.
        folder: One subfolder a label.
        on_problem: Called with a sentence for each picture that cannot be read.
        on_sample: Called after each one that could.

    Raises:
        UsageError: the model gives no embeddings.
        MissingFileError: there is no such folder.
        DataError: it has no subfolders with pictures that can be read.
    """
    if model.task != "embedding":
        raise UsageError(f"the model's task is {model.task}", hint="Open it with task='embedding'.")
    pictures = list_images(folder)
    loose = next((path for path in pictures if path.parent == folder), None)
    if loose is not None:
        raise DataError(
            f"{loose} lies in no subfolder, so that it has no label", hint=f"Put it in {folder}/LABEL/{loose.name}."
        )
    found: dict[str, list[NDArray[np.float32]]] = {}
    for path in pictures:
        vectors = found.setdefault(path.relative_to(folder).parts[0], [])
        try:
            vectors.append(_embed(model, path))
        except DataError as error:
            on_problem(error.message)
            continue
        on_sample()
    empty = next((label for label, vectors in found.items() if not vectors), None)
    if empty is not None:
        raise DataError(f"no picture of {empty} can be read")
    return found


def _embed(model: Model, path: Path) -> NDArray[np.float32]:
    result = model(read_image(path), channels="bgr")
    assert isinstance(result, Embedding)
    return result.embedding


def enroll_folder(
    model: Model, folder: Path, on_problem: Callable[[str], None], *, known: Enrolled | None = None,
    on_sample: Callable[[], None] = lambda: None,
) -> tuple[Enrolled, Separation | None]:
    """Labels from a folder of pictures, one subfolder a label; how well they are told apart, where that can be said.

    Args:
        model: Opened with `task="embedding"`.
        folder: One subfolder a label.
        on_problem: Called with a sentence for each picture that cannot be read.
        known: Labels taught before, which are kept; one that is in the folder too is taught anew.
        on_sample: Called after each picture.

    Raises:
        UsageError: the model gives no embeddings.
        MissingFileError: there is no such folder.
        DataError: as in `embed_folder`, or the vectors say nothing.
    """
    vectors = embed_folder(model, folder, on_problem, on_sample)
    return enroll(vectors, file_digest(model.path), known), separation(vectors)


def separation(vectors: Vectors) -> Separation | None:
    """How well labels are told apart, each sample against the means of all others; None for a single label."""
    if len(vectors) < FEWEST_LABELS:
        return None
    units = {label: np.stack([unit(vector) for vector in items]) for label, items in vectors.items()}
    sums = {label: items.sum(axis=0) for label, items in units.items()}
    own, others = [], []
    for label, items in units.items():
        rest = np.stack([unit(total) for name, total in sums.items() if name != label])
        for item in items if len(items) > 1 else ():
            own.append(float(unit(sums[label] - item) @ item))
            others.append(float((rest @ item).max()))
    if not own:
        return None
    right = sum(mine > other for mine, other in zip(own, others, strict=True))
    return Separation(right, len(own), min(own), max(others))
