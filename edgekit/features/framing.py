"""Frames of a signal and their spectra."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DataError, UsageError

WINDOWS = ("hann", "hamming", "none")
_COSINES = {"hann": (0.5, 0.5), "hamming": (0.54, 0.46), "none": (1.0, 0.0)}


@cache
def taper(name: str, size: int) -> NDArray[np.float64]:
    """A window function of the periodic form, as spectra take it, shape (size,)."""
    base, swing = _COSINES[name]
    return base - swing * np.cos(2 * np.pi * np.arange(size) / size)


def mono(values: NDArray[np.float32], what: str) -> NDArray[np.float64]:
    """The one channel of a window, in double precision, so that every version of NumPy computes the same.

    Raises:
        DataError: it has several.
    """
    if values.ndim != 2 or values.shape[1] != 1:
        raise DataError(f"{what} takes one channel, and there are {values.shape[-1]}", hint="Choose one of them.")
    return values[:, 0].astype(np.float64)


def spectra(signal: NDArray[np.float64], frame: int, hop: int, window: str) -> NDArray[np.float64]:
    """Magnitudes of the Fourier transform, frame by frame.

    Args:
        signal: Shape (samples,).
        frame: Samples of a frame.
        hop: Samples from the start of one to the start of the next.
        window: One of `WINDOWS`.

    Returns:
        Shape (frames, frame // 2 + 1); a rest that fills no frame is left out.

    Raises:
        DataError: the signal is shorter than a frame.
    """
    if len(signal) < frame:
        raise DataError(f"a window of {len(signal)} samples is shorter than a frame of {frame}")
    frames = np.lib.stride_tricks.sliding_window_view(signal, frame)[::hop]
    magnitudes: NDArray[np.float64] = np.abs(np.fft.rfft(frames * taper(window, frame), axis=1))
    return magnitudes


def check_frames(name: str, frame: int, hop: int, window: str) -> None:
    """Refuse what makes no frames.

    Raises:
        UsageError: a size below its least, or a window function that does not exist.
    """
    if frame < 2 or hop < 1:
        raise UsageError(f"features {name}: frame has to be 2 or more and hop 1 or more, not {frame} and {hop}")
    if window not in WINDOWS:
        raise UsageError(f"features {name}: window cannot be '{window}'", hint=f"There are {', '.join(WINDOWS)}.")
