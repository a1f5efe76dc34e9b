"""The child process: `python -m edgekit_converters.worker FOLDER PIPE`. The only one that loads TensorFlow."""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
import sys
import traceback
from pathlib import Path

from edgekit.errors import ConversionError, EdgeKitError, MissingDependencyError
from edgekit_converters import events
from edgekit_converters.loading.keras_files import INSTALL
from edgekit_converters.process import FAILURE, JOB, RESULT, Failure, Job

_PR_SET_PDEATHSIG = 1
UNEXPLAINED = "UnexplainedError"  # of edgekit_converters.failing.explaining, which loads TensorFlow


def main() -> int:
    """Do the job that lies in the folder, and leave a result or a failure there."""
    folder, pipe = Path(sys.argv[1]), int(sys.argv[2])
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # never outlive the parent
    job: Job = pickle.loads((folder / JOB).read_bytes())
    with os.fdopen(pipe, "w", encoding="utf-8") as stream:
        report = events.writer(stream)
        report(events.Progress("starting TensorFlow"))
        try:
            result = job.carry_out(report)
        except Exception as error:
            traceback.print_exc()
            (folder / FAILURE).write_bytes(pickle.dumps(_describe(error, job.name)))
            return 1
    (folder / RESULT).write_bytes(pickle.dumps(result))
    return 0


def _describe(error: Exception, name: str) -> Failure:
    if isinstance(error, EdgeKitError):
        if type(error).__name__ == UNEXPLAINED:
            return Failure(ConversionError.__name__, error.message, error.hint, explained=False)
        return Failure(type(error).__name__, error.message, error.hint)
    if isinstance(error, ImportError):
        message = f"conversion needs a library that cannot be imported: {error}"
        return Failure(MissingDependencyError.__name__, message, INSTALL)
    message = f"converting {name} failed in a way that it should not: {type(error).__name__}: {error}"
    return Failure(ConversionError.__name__, message, "Its log is shown with --debug; please report it.")


if __name__ == "__main__":
    sys.exit(main())
