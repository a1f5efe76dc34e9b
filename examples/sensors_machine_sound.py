"""Is the machine well? An autoencoder of its sound, with a threshold learned from normal data.

    python examples/sensors_machine_sound.py ad01.h5 frames.npy

The model is MLPerf Tiny's anomaly detection (github.com/mlcommons/tiny, Apache-2.0): 5 frames of 128 mel bands in, and
the same out. `frames.npy` holds the frames of a normal recording, float32 of shape (frames, 128), in decibels.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import edgekit
from edgekit.results import Anomaly
from edgekit.windows import WindowOptions

WINDOWS = WindowOptions(window="5", hop="1")


def convert(model: Path, normal: Path, output: Path) -> None:
    """What is normal is learned from the calibration data, with the scores of the finished int8 file."""
    edgekit.convert(model, output, task="anomaly", calibration=normal, windows=WINDOWS)


def listen(model: Path, frames: Path) -> list[Anomaly]:
    """A result for each window."""
    return [result for result in edgekit.run(model, frames) if isinstance(result, Anomaly)]


def disturbed(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same machine with a whistle in band 60, in the second half of the recording."""
    spoilt = frames.copy()
    spoilt[len(frames) // 2 :, 60] += 40
    return spoilt


def main(model: Path, normal: Path, folder: Path) -> tuple[list[Anomaly], list[Anomaly]]:
    convert(model, normal, folder / "machine.tflite")
    np.save(folder / "disturbed.npy", disturbed(np.load(normal)))
    well, ill = listen(folder / "machine.tflite", normal), listen(folder / "machine.tflite", folder / "disturbed.npy")
    print(f"normal: {sum(result.is_anomaly for result in well)} of {len(well)} windows are anomalies")
    first = next((result for result in ill if result.is_anomaly), None)
    print(f"disturbed: {sum(result.is_anomaly for result in ill)} of {len(ill)}"
          + (f"; the first at window {first.sequence}, band {first.blame[0].name} is to blame" if first else ""))
    return well, ill


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        main(Path(sys.argv[1]), Path(sys.argv[2]), Path(name))
