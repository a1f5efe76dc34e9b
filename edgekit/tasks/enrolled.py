"""Labels taught on the device: a vector for each, in a small file.

A label's vector is the mean of its samples' vectors, each brought to length 1: the nearest class mean of Snell et al.,
Prototypical Networks (2017), by the cosine. A few samples a label are enough, and nothing is trained.
"""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekit.atomic import write_atomically
from edgekit.errors import DataError, MissingFileError

FORM = 1
"""Of the file; a reader refuses another."""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """Labels and the means of their samples' vectors.

    Attributes:
        labels: Names.
        means: float32, (labels, n), each of length 1.
        counts: How many samples each is the mean of.
        model: SHA-256 of the model file that made the vectors, in hexadecimal: another one's lie elsewhere.
    """

    labels: tuple[str, ...]
    means: NDArray[np.float32]
    counts: tuple[int, ...]
    model: str

    def similarities(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """The cosine between a vector (n,) and each label's, from -1 to 1."""
        return np.asarray(self.means @ unit(vector), np.float32)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a `.npz` file, whole or not at all.

        Raises:
            OutputError: it cannot be written.
        """
        content = io.BytesIO()
        np.savez(
            content, form=np.array(FORM), labels=np.array(self.labels), means=self.means, counts=np.array(self.counts),
            model=np.array(self.model),
        )
        write_atomically(Path(path), content.getvalue())


def unit(vector: NDArray[np.floating]) -> NDArray[np.float32]:
    """The vector, brought to length 1; a vector of zeros as it is."""
    length = float(np.linalg.norm(vector))
    return np.asarray(vector / length if length > 0 else vector, np.float32)


def enroll(
    vectors: Mapping[str, Sequence[NDArray[np.floating]]], model: str, known: Enrolled | None = None
) -> Enrolled:
    """The means of some vectors for each label.

    Args:
        vectors: By label, one or more of shape (n,).
        model: SHA-256 of the model file that made them.
        known: Labels to keep; one that is taught again is replaced.

    Raises:
        DataError: a label has no vector that tells anything.
    """
    means = dict(zip(known.labels, known.means, strict=True)) if known else {}
    counts = dict(zip(known.labels, known.counts, strict=True)) if known else {}
    for label, samples in vectors.items():
        mean = np.mean([unit(sample) for sample in samples], axis=0) if samples else np.zeros(1)
        if not np.isfinite(mean).all() or not mean.any():
            raise DataError(f"nothing can be learned of {label}: the model gives no vector for it")
        means[label], counts[label] = unit(mean), len(samples)
    labels = tuple(sorted(means))
    stacked = np.stack([means[label] for label in labels])
    return Enrolled(labels, stacked, tuple(counts[label] for label in labels), model)


def read_enrolled(path: str | os.PathLike[str]) -> Enrolled:
    """Read what `Enrolled.save` wrote.

    Raises:
        MissingFileError: there is no such file.
        DataError: it is none, or damaged.
    """
    try:
        with np.load(Path(path), allow_pickle=False) as file:
            return _checked({name: file[name] for name in file.files})
    except FileNotFoundError as error:
        raise MissingFileError(f"no such file: {os.fspath(path)}", hint="Make it with edgekit enroll.") from error
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{os.fspath(path)} is not a file of enrolled labels: {error}", hint="Make it again with edgekit enroll."
        ) from error


def enrolled_for(model: str | os.PathLike[str], path: str | os.PathLike[str] | None) -> Enrolled | None:
    """The labels in a file, where one is given and the model is the one that they were taught with.

    Raises:
        MissingFileError: there is no such file.
        DataError: it is none, or of another model.
    """
    if path is None:
        return None
    found = read_enrolled(path)
    if found.model != file_digest(model):
        raise DataError(
            f"{os.fspath(path)} was made with another model than {os.fspath(model)}, whose vectors lie elsewhere",
            hint="Enroll the labels again with this model.",
        )
    return found


def file_digest(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _checked(arrays: Mapping[str, NDArray[np.generic]]) -> Enrolled:
    if int(arrays["form"].item()) != FORM:
        raise ValueError(f"its form is {arrays['form']}, and this EdgeKit reads {FORM}")
    labels = tuple(map(str, arrays["labels"].tolist()))
    means = arrays["means"].astype(np.float32)
    counts = tuple(int(count) for count in arrays["counts"].tolist())
    if not labels or means.ndim != 2 or len(means) != len(labels) or len(counts) != len(labels):
        raise ValueError("its labels do not go with its vectors")
    if not np.isfinite(means).all():
        raise ValueError("its vectors are not finite")
    return Enrolled(labels, means, counts, str(arrays["model"]))
