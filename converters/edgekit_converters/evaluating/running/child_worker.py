"""The child process: `python -m edgekit_converters.evaluating.running.child_worker DESCRIPTOR`. It loads TensorFlow."""

from __future__ import annotations

import ctypes
import signal
import sys
import traceback
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, NoReturn

from edgekit.errors import ConversionError, EdgeKitError, MissingDependencyError
from edgekit_converters.evaluating.running.child import Description, Question, connect
from edgekit_converters.evaluating.running.interpreting import for_task
from edgekit_converters.evaluating.running.keras import KerasPredictor
from edgekit_converters.evaluating.running.predicting import predict
from edgekit_converters.events import Progress
from edgekit_converters.loading.keras_files import INSTALL
from edgekit_converters.process import Failure, Job

if TYPE_CHECKING:
    from edgekit_converters.tracing.freezing import Frozen

_PR_SET_PDEATHSIG = 1


def main() -> int:
    """Open the model that the parent names, then answer its questions until it is gone."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # never outlive the parent
    with connect(int(sys.argv[1])) as connection:
        return serve(connection)


def serve(connection: Connection) -> int:
    """Do what the parent asks for, until it hangs up or something fails; the exit code."""
    job: Job = connection.recv()
    try:
        _answer(job, connection)
    except EOFError:
        return 0
    except Exception as error:
        traceback.print_exc()
        connection.send(_describe(error, job.name))
        return 1


def _answer(job: Job, connection: Connection) -> NoReturn:
    connection.send(Progress("starting TensorFlow"))
    from edgekit_converters.loading.opening import load

    connection.send(Progress(f"loading {job.name}"))
    frozen = load(job)
    connection.send(Description(frozen.data_inputs, _outputs(frozen)))
    while True:
        question: Question = connection.recv()
        asked = KerasPredictor(frozen, question.subject.inputs)
        predictor = for_task(asked, question.subject, question.dataset.task)
        connection.send(predict(predictor, question.dataset, stage=f"running {job.name}", report=connection.send))




def _outputs(frozen: Frozen) -> dict[str, tuple[int, ...]]:
    states = {link.output for link in frozen.states}
    outputs = frozen.function.structured_outputs
    return {name: tuple(tensor.shape[1:]) for name, tensor in outputs.items() if name not in states}


def _describe(error: Exception, name: str) -> Failure:
    if isinstance(error, EdgeKitError):
        kind = type(error) if type(error).__module__ == EdgeKitError.__module__ else ConversionError
        return Failure(kind.__name__, error.message, error.hint)
    if isinstance(error, ImportError):
        return Failure(
            MissingDependencyError.__name__, f"running {name} needs a library that cannot be imported: {error}", INSTALL
        )
    said = f"running {name} failed in a way that it should not: {type(error).__name__}: {error}"
    return Failure(ConversionError.__name__, said, "Its log is shown with --debug; please report it.")


if __name__ == "__main__":
    sys.exit(main())
