"""What `--device auto` makes of an Edge TPU, for models that are not compiled for it; the others run nowhere else."""

from __future__ import annotations

from pathlib import Path

from edgekit.errors import UsageError
from edgekit.tflite import ModelFile
from edgekit.twin import COMPILED
from edgekit_devices.coral.attached import look


def attached(model: ModelFile) -> str:
    """Nothing: an Edge TPU runs none of an uncompiled model.

    Raises:
        UsageError: one is attached, and would be of use with the compiled model.
    """
    if model.format != "tflite" or not look():
        return ""
    compiled = Path(model.path).with_name(f"{Path(model.path).stem}{COMPILED}.tflite")
    raise UsageError(
        "the model is not compiled for the Edge TPU that is attached",
        hint=f"run {compiled}, which lies beside it" if compiled.is_file()
        else "edgekit convert --target coral, then edgekit compile",
    )
