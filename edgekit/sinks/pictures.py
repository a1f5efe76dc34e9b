"""A folder with a picture for each result: what the network made, or the frame with the result drawn on it."""

from __future__ import annotations

import os
from functools import singledispatch
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.atomic import write_atomically
from edgekit.drawing import annotate
from edgekit.errors import OutputError, UsageError
from edgekit.images import import_cv2
from edgekit.results import DepthMap, Picture, Result, Segmentation
from edgekit.sinks.files import check_folder, failed

MOST_GRAY = 65535
OLD = "there is a picture of that name already"


class PicturesSink:
    """A PNG file for each result, named by its file and number, `shot-000000.png`, or by its time in UTC.

    Args:
        path: A folder, which is made with the first result; its parent is there.

    Raises:
        OutputError: no file can be made there.
        MissingDependencyError: OpenCV is not installed.
    """

    def __init__(self, path: str) -> None:
        self.folder = Path(path)
        self._cv2 = import_cv2()
        try:
            check_folder(self.folder if self.folder.exists() else self.folder.parent)
        except OSError as error:
            raise failed(path, error) from error

    def write(self, result: Result) -> None:
        """Write one picture, whole or not at all.

        Raises:
            UsageError: the result has no picture.
            OutputError: the file is there, or cannot be written.
        """
        pixels = pixels_of(result)
        if pixels is None:
            raise UsageError(
                f"{self.folder}/ takes pictures, and {result.source or 'this source'} gives none",
                hint="Give a .jsonl or .csv file.",
            )
        path = self.folder / f"{_stem(result)}.png"
        if os.path.lexists(path):
            raise OutputError(f"{path} cannot be written: {OLD}", hint="Name another folder, or empty this one.")
        try:
            self.folder.mkdir(exist_ok=True)
        except OSError as error:
            raise failed(str(self.folder), error) from error
        write_atomically(path, self._cv2.imencode(".png", pixels)[1].tobytes())

    def close(self) -> None:
        """Nothing is open."""


def _stem(result: Result) -> str:
    """The file's name: of a live source by the time, since its numbers begin anew with each run."""
    source = Path(result.source)
    place = f"{source.stem}-{result.sequence:06d}" if source.is_file() else f"{result.time:%Y%m%d-%H%M%S.%f}"
    return f"{place}-{result.model}" if result.model else place


@singledispatch
def pixels_of(result: Any) -> NDArray[Any] | None:
    """The picture of a result as OpenCV takes it (blue, green, red).

    Returns:
        Of a `Picture` that picture, in its own size; of a `Segmentation` the class numbers, as fine as the network
        gives them, uint8 or uint16; of a `DepthMap` uint16, 0 for its minimum and 65535 for its maximum; of any other
        result the frame with the result drawn on it. None where there is no frame.
    """
    return annotate(result)


@pixels_of.register
def _(result: Picture) -> NDArray[Any]:
    return result.image[:, :, ::-1]


@pixels_of.register
def _(result: Segmentation) -> NDArray[Any]:
    return result.mask


@pixels_of.register
def _(result: DepthMap) -> NDArray[Any]:
    finite = np.isfinite(result.depth)
    least, most = (result.depth[finite].min(), result.depth[finite].max()) if finite.any() else (0.0, 0.0)
    share = (np.where(finite, result.depth, least) - least) / (most - least if most > least else 1.0)
    return np.asarray(np.rint(share * MOST_GRAY), np.uint16)
