"""From what a caller gives, a model and calibration data, to a job for the child process."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from edgekit_converters import process
from edgekit_converters.accuracy.gate import Gate
from edgekit_converters.events import OnProgress
from edgekit_converters.loading.keras_files import KerasFile, examine
from edgekit_converters.loading.memory_models import hand_over
from edgekit_converters.options import Options
from edgekit_converters.samples.calibration import check_calibration
from edgekit_converters.samples.memory_calibration import save_given
from edgekit_converters.samples.names import SYNTHETIC


@dataclass(frozen=True, slots=True)
class Prepared:
    """A job that can be run.

    Attributes:
        job: What to do; its folder holds what the work leaves.
        save_layers: For a model in memory: writes its layers for the child that looks for the one that fails.
    """

    job: process.Job
    save_layers: Callable[[Path], None] | None

    def run(self, progress: OnProgress | None, *, debug: bool) -> Any:
        """Do it in a child process, as `process.run` has it."""
        report = progress or (lambda _: None)
        return process.run(self.job, report, debug=debug, save_layers=self.save_layers)


def examined(model: Any) -> KerasFile | None:
    """The checked file, where the model is given by its path; None for a model in memory.

    Raises:
        MissingFileError: it is not there.
        ModelFileError: it is no Keras model, is damaged, or holds code.
    """
    return examine(Path(fspath(model))) if isinstance(model, (str, PathLike)) else None


@contextmanager
def prepared(
    model: Any, source: KerasFile | None, options: Options, calibration: Any, *, work: str = process.CONVERT,
    gate: Gate | None = None, study: bool = False,
) -> Iterator[Prepared]:
    """Within it there is a folder with all that the child needs.

    Args:
        model: As `edgekit.convert` takes it.
        source: `examined(model)`.
        options: Of the conversion.
        calibration: As `edgekit.convert` takes it.
        work: What to do, as in `process.Job`.
        gate: What the finished model is held against.
        study: Measure what a report tells besides.

    Raises:
        MissingFileError: the calibration data is not there.
        DataError: it is of another kind.
        ConversionError: a model in memory cannot be traced.
    """
    with tempfile.TemporaryDirectory(prefix="edgekit-") as name:
        folder = Path(name)
        data, data_name = _calibration_path(calibration, options.samples, folder)
        handed = None if source else hand_over(model, folder / "model", options, data)
        model_name = source.path.name if source else str(model.name)
        job = process.Job(
            source=source or folder / "model", name=model_name,
            provenance={"name": model_name, **({"sha256": source.sha256} if source else {})},
            calibration=data, calibration_name=data_name, options=options, folder=folder,
            rewrites=handed.rewrites if handed else (), notes=handed.notes if handed else (), work=work, gate=gate,
            study=study,
        )
        yield Prepared(job, handed.save_layers if handed else None)


def _calibration_path(calibration: Any, samples: int, folder: Path) -> tuple[Path | None, str]:
    if calibration is None:
        return None, ""
    if isinstance(calibration, (str, PathLike)):
        path = Path(fspath(calibration))
        if str(path) == SYNTHETIC and not path.exists():
            return None, SYNTHETIC
        check_calibration(path)
        return path.absolute(), str(path)
    path = folder / "calibration.npz"
    save_given(calibration, samples, path)
    return path, "samples from Python"
