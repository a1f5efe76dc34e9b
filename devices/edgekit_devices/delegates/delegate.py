"""The device `delegate`: models run with a TensorFlow Lite delegate of whoever makes one.

The delegate, which is native code of any quality, and the model are in a child process: what crashes there is an error
here, and what hangs is killed. See `edgekit_devices.remote`.
"""

from __future__ import annotations

from edgekit.device import Option, Request
from edgekit.errors import UsageError
from edgekit_devices import isolation
from edgekit_devices.delegates import diagnosis, opening
from edgekit_devices.remote.runner import RemoteRunner

OPEN_SECONDS = 30.0
"""Least time limit for loading the delegate and running the model once."""


class ExternalDelegate:
    """What is registered as `delegate`."""

    options: tuple[Option, ...] | None = None

    def check(self, spec: str) -> None:
        """See that a library is named.

        Raises:
            UsageError: nothing follows the name.
        """
        if not spec:
            raise UsageError("the device 'delegate' needs a library", hint="Write delegate:/path/lib.so.")

    def open(self, request: Request) -> dict[str, RemoteRunner]:
        """Open a model with a delegate.

        Raises:
            DeviceError: what is missing or wrong, with its cure.
        """
        library, allowed = request.spec, max(OPEN_SECONDS, request.seconds)
        arguments = {
            "model": str(request.model.path), "name": request.name, "library": library, "options": request.options,
            "threads": request.threads, "keeps_state": request.keeps_state,
        }
        try:
            runner = RemoteRunner(
                request.name, f"{opening.__name__}:open_engine", arguments,
                open_seconds=allowed, seconds=request.seconds,
            )
        except isolation.HungError as error:
            raise diagnosis.hung(library, error) from error
        except isolation.CrashedError as error:
            raise diagnosis.crashed(library, error) from error
        if runner.facts:
            request.tell("partial", runner.facts)
        return {request.name: runner}


DELEGATE = ExternalDelegate()
