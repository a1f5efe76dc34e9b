"""Runs the converter in a child process: TensorFlow can crash, and prints a great deal."""

from __future__ import annotations

import importlib
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from edgekit import errors
from edgekit.errors import ConversionError, EdgeKitError
from edgekit_converters import events
from edgekit_converters.accuracy.gate import Gate
from edgekit_converters.events import OnProgress
from edgekit_converters.loading.keras_files import KerasFile
from edgekit_converters.options import Options
from edgekit_devices.children import signals_deferred

STDERR = 2
JOB, RESULT, FAILURE, MODEL, LOG = "job.pickle", "result.pickle", "failure.pickle", "model.tflite", "log.txt"
ONNX_MODEL = "model.onnx"
TWIN = "twin/model.tflite"
"""The int8 file for the processor, beside one for the GPU."""
LAYERS, SUSPECT, STUDY = "layers", "suspect.txt", "study.pickle"
SEARCH_SECONDS = 120
CONVERT, SEARCH = "edgekit_converters.stages:carry_out", "edgekit_converters.failing.searching:search"


@dataclass(frozen=True, slots=True)
class Job:
    """All that the child is told.

    Attributes:
        source: The model: a checked file, or the folder of a frozen SavedModel made from a model in memory.
        name: What the model is called in messages and metadata.
        provenance: Where the model came from, for the metadata.
        calibration: Path of the calibration data; None without any.
        calibration_name: What the user called that data.
        options: The settings.
        folder: A folder of the job's own, for the files that pass between the processes.
        rewrites: Names of the cures that were used before the child came in.
        notes: What the user should know of that, a sentence each.
        work: What to do, as `module:function`: the child calls it with the job and a callback for the progress.
        gate: What the finished model is held against.
        study: Measure what a report tells besides.
    """

    source: KerasFile | Path
    name: str
    provenance: dict[str, object]
    calibration: Path | None
    calibration_name: str
    options: Options
    folder: Path
    rewrites: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    work: str = CONVERT
    gate: Gate | None = None
    study: bool = False

    def carry_out(self, report: OnProgress) -> Any:
        """Do the work in this process: what comes of it.

        Raises:
            EdgeKitError: whatever is found wrong.
        """
        module, _, name = self.work.partition(":")
        return getattr(importlib.import_module(module), name)(self, report)


@dataclass(frozen=True, slots=True)
class Failure:
    """An error of the child's, by the name of its class in `edgekit.errors`.

    `explained` is False where nothing is known of where in the model it came from.
    """

    kind: str
    message: str
    hint: str
    explained: bool = True

    def to_error(self) -> EdgeKitError:
        """The error itself."""
        kind = getattr(errors, self.kind, ConversionError)
        error: EdgeKitError = kind(self.message, hint=self.hint)
        return error


def run(
    job: Job, report: OnProgress, *, debug: bool, save_layers: Callable[[Path], None] | None = None
) -> Any:
    """Do the job in a child and return what came of it: of a conversion, whose model lies at `job.folder / MODEL`, a
    `Conversion`.

    Args:
        job: What to do.
        report: Told of the progress.
        debug: Let the child's log through to standard error.
        save_layers: For a model in memory: writes its layers for the child that looks for the one that fails.

    Raises:
        EdgeKitError: whatever the child found wrong.
        ConversionError: the child died; the message names the layer where it can be found.
    """
    code, failure = _try(job, report, debug)
    if failure is not None:
        found = None if failure.explained else _search(job, report, debug, save_layers)
        raise (found or failure).to_error()
    if code != 0 or not (job.folder / RESULT).exists():
        # The kernel ends a process for want of memory: no layer's fault.
        found = None if -code == signal.SIGKILL else _search(job, report, debug, save_layers)
        raise _died(job, code, found)
    return pickle.loads((job.folder / RESULT).read_bytes())


def _try(job: Job, report: OnProgress, debug: bool, seconds: float | None = None) -> tuple[int, Failure | None]:
    """Do the job in a child: its exit code, and what it found wrong."""
    (job.folder / JOB).write_bytes(pickle.dumps(job))
    (job.folder / FAILURE).unlink(missing_ok=True)
    code = _follow(job.folder, report, debug, seconds)
    if not (job.folder / FAILURE).exists():
        return code, None
    failure: Failure = pickle.loads((job.folder / FAILURE).read_bytes())
    return code, failure


def _search(
    job: Job, report: OnProgress, debug: bool, save_layers: Callable[[Path], None] | None
) -> Failure | None:
    """What becomes of the layers when each is converted alone; None where all convert, or time is out."""
    report(events.Progress("looking for the layer that fails"))
    if save_layers is not None:
        try:
            save_layers(job.folder / LAYERS)
        except Exception:  # the user's own layers and TensorFlow's ways to save them; the first failure is told
            return None
    with TemporaryDirectory(dir=job.folder) as name:  # apart from what the first child left
        folder = Path(name)
        if save_layers is not None:
            (job.folder / LAYERS).rename(folder / LAYERS)
        code, failure = _try(replace(job, folder=folder, work=SEARCH), report, debug, SEARCH_SECONDS)
        if failure is not None and failure.explained:
            return failure
        suspect = folder / SUSPECT
        if code >= 0 or -code == signal.SIGKILL or not suspect.exists():
            return None
        return Failure(
            ConversionError.__name__, f"it is {suspect.read_text()}, which ends it on its own too",
            "Put another layer in its place, or write it otherwise: a loop as a fixed number of steps."
            + (" It may convert with --precision float16." if job.options.calibrated else ""),
        )


def _follow(folder: Path, report: OnProgress, debug: bool, seconds: float | None) -> int:
    """Start the child, pass its progress on until it ends or time is out, and return its exit code."""
    reading, writing = os.pipe()
    with os.fdopen(reading, encoding="utf-8") as pipe, (folder / LOG).open("wb") as log, ExitStack() as stack:
        with signals_deferred():  # a child that starts as the signal comes would outlive it
            child = _start(folder, writing, None if debug else log)
            stack.callback(_end, child)
        if seconds is not None:
            limit = threading.Timer(seconds, child.kill)
            limit.start()
            stack.callback(limit.cancel)
        os.close(writing)
        for line in pipe:
            report(events.parse(line))
        return child.wait()


def _end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()


def _start(folder: Path, pipe: int, log: IO[bytes] | None) -> subprocess.Popen[bytes]:
    # -P: nothing in the working folder may stand in for a library. A session of its own: Ctrl-C reaches the
    # parent alone, which ends the child.
    command = [sys.executable, "-P", "-m", "edgekit_converters.worker", str(folder), str(pipe)]
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=log or STDERR, stderr=log, pass_fds=(pipe,),
        env={**child_environment(debug=log is None), "TMPDIR": str(folder)}, start_new_session=True,
    )


def child_environment(*, debug: bool) -> dict[str, str]:
    """Conversion is the same on every machine: no GPU, one backend, no hash seed of the day."""
    wanted = {
        "KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "-1", "PYTHONHASHSEED": "0",
        "TF_CPP_MIN_LOG_LEVEL": "0" if debug else "2",
    }
    return {**{k: v for k, v in os.environ.items() if k != "TF_USE_LEGACY_KERAS"}, **wanted}


def _died(job: Job, code: int, found: Failure | None) -> ConversionError:
    how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    if found is not None:
        return ConversionError(
            f"TensorFlow's converter {how} while converting {job.name}: {found.message}", hint=found.hint
        )
    recurrent = job.source.recurrent if isinstance(job.source, KerasFile) else ()
    if recurrent:
        names = ", ".join(str(layer) for layer in recurrent)
        hint = f"It is mostly a recurrent layer that it cannot take: {names}."
    elif -code == signal.SIGKILL:
        hint = "That is mostly for want of memory: free some, or lower --samples."
    else:
        hint = "Its log is shown with --debug."
    return ConversionError(f"TensorFlow's converter {how} while converting {job.name}", hint=hint)
