"""A Keras model in a child process, which alone loads TensorFlow. It is asked over a socket for whole datasets."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any

from edgekit.errors import ConversionError
from edgekit_converters.evaluating.dataset import Dataset
from edgekit_converters.evaluating.running.answers import Predictions
from edgekit_converters.evaluating.subject import Subject
from edgekit_converters.events import OnProgress, Progress
from edgekit_converters.loading.keras_files import examine, require_tensorflow
from edgekit_converters.options import Options
from edgekit_converters.process import Failure, Job, child_environment
from edgekit_converters.tracing.specs import InputSpec
from edgekit_devices.children import signals_deferred

WORKER = "edgekit_converters.evaluating.running.child_worker"
STDERR = 2


@dataclass(frozen=True, slots=True)
class Description:
    """What the child says of the model that it has opened: its inputs, and the shapes of its outputs by name."""

    inputs: tuple[InputSpec, ...]
    outputs: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Question:
    """What the child is asked: the answers to a dataset, with samples prepared as the subject's inputs say."""

    dataset: Dataset
    subject: Subject


class KerasChild:
    """A `.keras`, `.h5` or SavedModel that can be asked. Use it in a `with` statement: the child ends with it.

    Args:
        path: The model.
        options: Custom objects and sizes that the model leaves open, as for a conversion.
        report: Told of the progress.
        debug: Let the child's log through to standard error.

    Raises:
        MissingDependencyError: TensorFlow is not installed.
        EdgeKitError: the model cannot be opened.
    """

    device = "tensorflow"

    def __init__(self, path: Path, options: Options, *, report: OnProgress | None = None, debug: bool = False) -> None:
        require_tensorflow()
        self._name = path.name
        self._report = report or (lambda _: None)
        source = examine(path)
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edgekit-")))
            self._connection = start(folder, stack, debug=debug)
            self._connection.send(Job(source, path.name, {}, None, "", options, folder))
            self.description: Description = self._answer(Description)
            self._stack = stack.pop_all()

    def predict(self, dataset: Dataset, subject: Subject) -> Predictions:
        """Answer every sample of a dataset, each prepared as the subject's inputs say.

        Raises:
            EdgeKitError: whatever the child finds wrong.
            ConversionError: the child died.
        """
        self._connection.send(Question(dataset, subject))
        answer: Predictions = self._answer(Predictions)
        return answer

    def close(self) -> None:
        """End the child."""
        self._stack.close()

    def __enter__(self) -> KerasChild:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _answer(self, kind: type[Any]) -> Any:
        """Pass the progress on until the answer comes."""
        while True:
            try:
                received = self._connection.recv()
            except (EOFError, ConnectionError):
                raise ConversionError(
                    f"TensorFlow ended while it ran {self._name}",
                    hint="That is mostly for want of memory. Its log is shown with --debug.",
                ) from None
            if isinstance(received, Progress):
                self._report(received)
            elif isinstance(received, Failure):
                raise received.to_error()
            elif isinstance(received, kind):
                return received


def start(folder: Path, stack: ExitStack, *, debug: bool) -> Connection:
    """Start the child, which ends with the stack; what it is told and tells goes over the connection."""
    ours, theirs = socket.socketpair()
    log = None if debug else stack.enter_context((folder / "log.txt").open("wb"))
    # As the converter's child: nothing of the working folder stands in for a library, Ctrl-C reaches us alone.
    command = [sys.executable, "-P", "-m", WORKER, str(theirs.fileno())]
    with theirs, signals_deferred():
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log or STDERR, stderr=log, pass_fds=(theirs.fileno(),),
            env={**child_environment(debug=debug), "TMPDIR": str(folder)}, start_new_session=True,
        )
        stack.callback(_ending(child))
    return stack.enter_context(Connection(ours.detach()))


def _ending(child: subprocess.Popen[bytes]) -> Callable[[], None]:
    def end() -> None:
        child.kill()
        child.wait()

    return end


def connect(descriptor: int) -> Connection:
    """The child's end of the socket."""
    return Connection(os.dup(descriptor))
