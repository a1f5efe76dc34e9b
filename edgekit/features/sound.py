"""Features of sound: spectrogram, log-mel and MFCC.

The mel scale is HTK's, mel = 2595 log10(1 + f / 700) (Young et al., The HTK Book), or that of Slaney's Auditory Toolbox
(linear below 1 kHz), with triangles in hertz, as librosa has them. MFCC is the orthonormal DCT-II of log-mel.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import UsageError
from edgekit.features.framing import check_frames, mono, spectra

SCALES = ("htk", "slaney")
LOGS = ("db", "ln", "none")
_SLANEY_STEP, _SLANEY_BREAK, _SLANEY_LOG = 200 / 3, 1000.0, np.log(6.4) / 27


@dataclass(frozen=True, slots=True)
class Spectrogram:
    """Spectra of overlapping frames, shape (frames, frame // 2 + 1).

    Attributes:
        frame: Samples of a frame; `hop` from one to the next.
        window: `hann`, `hamming` or `none`.
        emphasis: Pre-emphasis: x[n] - emphasis · x[n-1].
        power: Exponent of the magnitudes, before `divide`: what the result of it is divided by.
        log: `db` (10 log10), `ln` or `none`, of values from `floor` on.
        mean: The result x becomes (x - mean) / std.
        clip: Least and largest value of the result, `0..1`; empty for no bounds.
    """

    frame: int = 1024
    hop: int = 512
    window: str = "hann"
    emphasis: float = 0.0
    power: float = 2.0
    divide: float = 1.0
    log: str = "db"
    floor: float = 1e-10
    mean: float = 0.0
    std: float = 1.0
    clip: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        _check(self)

    def __call__(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32 of shape (frames, frame // 2 + 1), of one channel of samples."""
        return _finished(self, _powers(self, values))

    def __str__(self) -> str:
        return _declared("spectrogram", self)


@dataclass(frozen=True, slots=True)
class LogMel(Spectrogram):
    """Energies of mel bands, shape (frames, bands).

    Attributes:
        rate: Samples a second.
        bands: How many bands, from `low` to `high` hertz (0: half the rate).
        scale: `htk` or `slaney`.
        area: `yes` divides each band by its width in hertz (librosa's norm="slaney").
    """

    rate: float = 16000.0
    bands: int = 40
    low: float = 0.0
    high: float = 0.0
    scale: str = "htk"
    area: str = "no"

    def __call__(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32 of shape (frames, bands), of one channel of samples."""
        return _finished(self, _times(_powers(self, values), _bank_of(self)))

    def __str__(self) -> str:
        return _declared("logmel", self)


@dataclass(frozen=True, slots=True)
class Mfcc(LogMel):
    """Cepstral coefficients, shape (frames, coefficients)."""

    coefficients: int = 13

    def __call__(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32 of shape (frames, coefficients), of one channel of samples."""
        mels = _logarithm(self, _times(_powers(self, values), _bank_of(self)))
        return _scaled(self, _times(mels, dct(self.bands, self.coefficients)))

    def __str__(self) -> str:
        return _declared("mfcc", self)


def _declared(name: str, features: Any) -> str:
    from edgekit.features.parsing import declaration

    return declaration(name, features)


def _check(spec: Any) -> None:
    check_frames(type(spec).__name__.lower(), spec.frame, spec.hop, spec.window)
    if spec.log not in LOGS:
        raise UsageError(f"features: log cannot be '{spec.log}'", hint=f"There are {', '.join(LOGS)}.")
    if len(spec.clip) not in (0, 2):
        raise UsageError("features: clip takes two numbers, such as 0..1")
    if spec.std == 0 or spec.divide == 0 or spec.floor <= 0:
        raise UsageError("features: std and divide cannot be 0, and floor has to be above 0")
    if isinstance(spec, LogMel):
        _check_mel(spec)


def _check_mel(spec: LogMel) -> None:
    if spec.scale not in SCALES or spec.area not in ("yes", "no"):
        raise UsageError(f"features: scale is one of {', '.join(SCALES)}, and area yes or no")
    high = spec.high or spec.rate / 2
    if not (0 <= spec.low < high <= spec.rate / 2 and spec.bands > 0):
        raise UsageError(
            f"features: {spec.bands} bands from {spec.low:g} to {high:g} Hz make no sense at {spec.rate:g} samples/s"
        )
    if isinstance(spec, Mfcc) and not 0 < spec.coefficients <= spec.bands:
        raise UsageError(f"features: coefficients has to be from 1 to the number of bands, {spec.bands}")


def _powers(spec: Spectrogram, values: NDArray[np.float32]) -> NDArray[np.float64]:
    signal = mono(values, type(spec).__name__.lower())
    if spec.emphasis:
        signal = np.concatenate((signal[:1], signal[1:] - spec.emphasis * signal[:-1]))
    magnitudes = spectra(signal, spec.frame, spec.hop, spec.window)
    return (np.square(magnitudes) if spec.power == 2 else magnitudes**spec.power) / spec.divide


def _times(rows: NDArray[np.float64], columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """The product of two matrices in the caller's thread alone.

    `@` wakes the threads of the BLAS, whose barrier stalls for up to 50 ms where other threads keep the cores busy.
    """
    product: NDArray[np.float64] = np.einsum("fb,mb->fm", rows, columns.T)
    return product


def _finished(spec: Spectrogram, energies: NDArray[np.float64]) -> NDArray[np.float32]:
    return _scaled(spec, _logarithm(spec, energies))


def _logarithm(spec: Spectrogram, energies: NDArray[np.float64]) -> NDArray[np.float64]:
    if spec.log == "none":
        return energies
    logs: NDArray[np.float64] = np.log(np.maximum(energies, spec.floor))
    return logs if spec.log == "ln" else logs * (10 / np.log(10))


def _scaled(spec: Spectrogram, values: NDArray[np.float64]) -> NDArray[np.float32]:
    scaled: NDArray[np.float64] = (values - spec.mean) / spec.std
    return (np.clip(scaled, spec.clip[0], spec.clip[1]) if spec.clip else scaled).astype(np.float32)


def _bank_of(spec: LogMel) -> NDArray[np.float64]:
    return mel_bank(
        spec.rate, spec.frame, spec.bands, spec.low, spec.high or spec.rate / 2, spec.scale, spec.area == "yes"
    )


@cache
def mel_bank(
    rate: float, frame: int, bands: int, low: float, high: float, scale: str, area: bool
) -> NDArray[np.float64]:
    """Triangles over the bins of a spectrum, shape (frame // 2 + 1, bands)."""
    to_mel, to_hertz = (_htk, _from_htk) if scale == "htk" else (_slaney, _from_slaney)
    edges = to_hertz(np.linspace(to_mel(np.array(low)), to_mel(np.array(high)), bands + 2))
    bins = np.arange(frame // 2 + 1)[:, None] * rate / frame
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    bank: NDArray[np.float64] = np.maximum(0, np.minimum(rising, falling))
    return np.asfortranarray(bank * (2 / (edges[2:] - edges[:-2])) if area else bank)


def _htk(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
    return 2595 * np.log10(1 + hertz / 700)


def _from_htk(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return 700 * (10 ** (mel / 2595) - 1)


def _slaney(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
    above = _SLANEY_BREAK / _SLANEY_STEP + np.log(np.maximum(hertz, 1) / _SLANEY_BREAK) / _SLANEY_LOG
    return np.where(hertz < _SLANEY_BREAK, hertz / _SLANEY_STEP, above)


def _from_slaney(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    knee = _SLANEY_BREAK / _SLANEY_STEP
    return np.where(mel < knee, mel * _SLANEY_STEP, _SLANEY_BREAK * np.exp(_SLANEY_LOG * (mel - knee)))


@cache
def dct(size: int, count: int) -> NDArray[np.float64]:
    """The first `count` vectors of the orthonormal DCT-II, shape (size, count)."""
    angles = np.pi / size * (np.arange(size)[:, None] + 0.5) * np.arange(count)
    basis: NDArray[np.float64] = np.cos(angles) * np.sqrt(2 / size)
    basis[:, 0] /= np.sqrt(2)
    return basis
