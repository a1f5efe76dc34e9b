"""A report that was asked for with a conversion or an evaluation: checked before the work, written after it."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import click

from edgekit.errors import UsageError
from edgekit_converters.evaluating.results import Evaluation
from edgekit_converters.outcome import Conversion
from edgekit_converters.reporting.facts import ReportFacts
from edgekit_converters.reporting.latency import measure_latency
from edgekit_converters.reporting.model_card import read_card
from edgekit_converters.reporting.writing import check_report, write_report
from edgekit_converters.studies import read_study


@dataclass(frozen=True, slots=True)
class PlannedReport:
    """Where a report will be written.

    Attributes:
        folder: The place, which was found fit.
        card: The user's text.
    """

    folder: Path
    card: str

    def write(self, conversion: Conversion, job_folder: Path) -> None:
        """Write it for a finished conversion.

        Args:
            conversion: What was made.
            job_folder: Where the child left what it measured besides.

        Raises:
            OutputError: it cannot be written.
        """
        study = read_study(job_folder)
        write_report(self.folder, ReportFacts(
            model=conversion.path, command=_command(), conversion=conversion, sensitivity=study.sensitivity,
            errors=study.errors, latency=measure_latency(conversion.path), card=self.card,
        ))

    def write_evaluation(self, model: Path, evaluation: Evaluation) -> None:
        """Write it for a `.tflite` file that was evaluated.

        Raises:
            OutputError: it cannot be written.
        """
        write_report(self.folder, ReportFacts(
            model=model, command=_command(), evaluation=evaluation, latency=measure_latency(model), card=self.card
        ))


def plan_report(folder: str | PathLike[str] | None, card: str | PathLike[str] | None) -> PlannedReport | None:
    """Find out before the work whether a report can be written; None where none is wanted.

    Raises:
        UsageError: something else is at the place, or there is a text for a report that nobody asked for.
        OutputError: the folder around it is missing or not writable.
        MissingFileError: there is no such text.
        DataError: it is no text.
    """
    if folder is None:
        if card is not None:
            raise UsageError("card goes with report", hint="Say where the report should be written, too.")
        return None
    check_report(folder)
    return PlannedReport(Path(folder), "" if card is None else read_card(card))


def _command(arguments: Sequence[str] | None = None) -> str:
    """What was typed; empty for Python."""
    if click.get_current_context(silent=True) is None:
        return ""
    return shlex.join(["edgekit", *(sys.argv[1:] if arguments is None else arguments)])
