"""What the user says of the data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgekit_converters.evaluating.dataset import Task


@dataclass(frozen=True, slots=True)
class Asked:
    """How data is to be read.

    Attributes:
        task: What its labels are for; None for what fits.
        target_column: Column of a table, or array of an `.npz`, that holds the labels.
        group_by: Columns, arrays, or `folder:LEVEL`.
        metadata: A table with a row for each picture of a folder; None for `metadata.csv` in the folder, if any.
        images: The folder that the file names of COCO annotations start from; None to look beside the annotations.
    """

    task: Task | None = None
    target_column: str | None = None
    group_by: tuple[str, ...] = ()
    metadata: Path | None = None
    images: Path | None = None
