"""Whole models of every family that EdgeKit serves; trained for a second or two where real data is at hand."""

from __future__ import annotations

from benchmarks.coverage import families_pictures, families_sequence
from benchmarks.coverage.cases import Case


def cases() -> tuple[Case, ...]:
    """All of them, in the order of the table."""
    return (*families_sequence.cases(), *families_pictures.cases())
