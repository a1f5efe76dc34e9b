"""What an export gives back, and what it needs to be possible."""

from __future__ import annotations

import importlib.util
import math
import shlex
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from edgekit.errors import MissingDependencyError

ONNX = "onnx"
ALSO = (ONNX,)
"""Formats that a network can be written in besides `.tflite`."""
LEAVE_OUT = "Leave out --also onnx; the .tflite file is whole without it."
LIBRARIES = ("onnx", "onnxruntime", "tf2onnx")


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """An ONNX file of a converted network.

    Attributes:
        path: Where it lies.
        size: Its size in bytes.
        quantized: Whether it says by QuantizeLinear and DequantizeLinear where TensorRT is to compute in int8; else
            all of it is float32.
        samples: How many samples it was held against the `.tflite` on.
        sqnr_db: Signal to noise of all its outputs against those of the `.tflite`, in decibels; infinite where none
            differs.
        same_class: Share of samples with the same best class, 0 to 1; None unless the model classifies.
        flags: Options of `trtexec` that go with it.
    """

    path: Path
    size: int
    quantized: bool
    samples: int
    sqnr_db: float
    same_class: float | None
    flags: tuple[str, ...]

    @property
    def trtexec(self) -> str:
        """The command that builds an engine of it with NVIDIA's TensorRT up to version 10."""
        engine = self.path.with_suffix(".engine")
        return shlex.join(["trtexec", f"--onnx={self.path}", f"--saveEngine={engine}", *self.flags])

    def to_dict(self) -> dict[str, Any]:
        """The same, ready for JSON. An infinite `sqnr_db` (nothing differs) becomes null."""
        sqnr = round(self.sqnr_db, 2) if math.isfinite(self.sqnr_db) else None
        return {**asdict(self), "path": str(self.path), "sqnr_db": sqnr, "flags": list(self.flags),
                "trtexec": self.trtexec}

    def at(self, path: Path) -> OnnxFile:
        """The same under another name."""
        return replace(self, path=path)


def onnx_path(output: Path) -> Path:
    """Where the ONNX file of a `.tflite` goes: beside it."""
    return output.with_suffix(f".{ONNX}")


def require_libraries() -> None:
    """See that what an export needs is installed, without loading it.

    Raises:
        MissingDependencyError: it is not.
    """
    missing = [name for name in LIBRARIES if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingDependencyError(
            f"writing an ONNX file needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not "
            "installed", hint="Install the extra: pip install 'edgekit-sdk[onnx]'.",
        )
