"""The device `coral-fake`: stands for an Edge TPU in tests, on machines that have none.

It computes nothing of its own. It runs the file that the model was compiled from on the processor, and its results say
`coral-fake`. Nothing chooses it but its name. What it shows: that a program runs from end to end with the files that
go to the device. What it does not: speed, and whether the compiler's output computes the same.
"""

from __future__ import annotations

from edgekit.device import Option, Request
from edgekit.errors import UsageError
from edgekit.interpreter import Engine
from edgekit.twin import read_twin


class FakeCoral:
    """What is registered as `coral-fake`."""

    options: tuple[Option, ...] = ()

    def check(self, spec: str) -> None:
        """There is only one, and nothing to say of it.

        Raises:
            UsageError: something follows the name.
        """
        if spec:
            raise UsageError(f"device cannot be 'coral-fake:{spec}'", hint="Write coral-fake.")

    def open(self, request: Request) -> dict[str, Engine]:
        """Open the uncompiled twin of a compiled model on the processor.

        Raises:
            UsageError: the model is not compiled, or has no twin beside it.
            ModelFileError: the twin's inputs or outputs are others.
        """
        if not request.model.is_edgetpu:
            raise UsageError(
                "the model is not compiled for the Edge TPU, which would run none of it",
                hint="Give NAME_edgetpu.tflite, with NAME.tflite beside it, or use --device cpu.",
            )
        twin = read_twin(request.model).path
        return {request.name: Engine(twin, threads=request.threads, keeps_state=request.keeps_state)}


FAKE = FakeCoral()
