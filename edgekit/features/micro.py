"""The audio front end of TensorFlow Lite Micro, through pymicro-features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DataError, MissingDependencyError, UsageError
from edgekit.features.framing import mono

FULL = 32767
STEP = 160
"""Samples from one frame to the next: 10 ms at 16 kHz. A frame has 30 ms."""


@dataclass(frozen=True, slots=True)
class Micro:
    """40 features each 10 ms of sound at 16 kHz (samples from -1 to 1), shape (frames, 40).

    With noise reduction and automatic gain, whose estimates begin anew with each window.

    Attributes:
        rate: Has to be 16000.
        scale: What the features, which the library gives about from 0 to 26, are multiplied by.
    """

    rate: float = 16000.0
    scale: float = 1.0

    def __post_init__(self) -> None:
        if self.rate != 16000:
            raise UsageError(f"features micro: the front end takes 16000 samples/s, not {self.rate:g}")

    def __call__(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32 of shape (frames, 40).

        Raises:
            MissingDependencyError: pymicro-features is not installed.
            DataError: the window is shorter than a frame.
        """
        pcm = (np.clip(mono(values, "micro"), -1, 1) * FULL).round().astype("<i2")
        frontend, frames, at, data = _library().MicroFrontend(), [], 0, pcm.tobytes()
        while at + 2 * STEP <= len(data):
            found = frontend.process_samples(data[at : at + 2 * STEP])
            at += 2 * (found.samples_read or STEP)
            if found.features:
                frames.append(found.features)
        if not frames:
            raise DataError(f"a window of {len(pcm)} samples is shorter than a frame of 480")
        return np.asarray(frames, np.float32) * np.float32(self.scale)

    def __str__(self) -> str:
        from edgekit.features.parsing import declaration

        return declaration("micro", self)


def _library() -> Any:
    try:
        import pymicro_features
    except ImportError:
        raise MissingDependencyError(
            "features micro need pymicro-features", hint="Install it: pip install 'edgekit-sdk[audio]'"
        ) from None
    return pymicro_features
