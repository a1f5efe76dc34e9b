"""A robot that looks and feels: a camera and an IMU into one model, joined by the time of capture.

    python examples/sensors_fusion.py [FOLDER]

needs `pip install 'edgekit-sdk[convert]'`. The data is made up: the way is blocked where the picture is dark ahead, or
where the wheels slip, which only the IMU feels. The model is trained on it, converted, and run on recordings: a camera
of 30 frames/s and an IMU of 200 samples/s, whose clocks began at different times.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from numpy.typing import NDArray

import edgekit
from edgekit.fusion import Join, fuse
from edgekit.sources import Sample
from edgekit.windows import WindowOptions

SIDE, IMU_SAMPLES, IMU_RATE, FRAME_RATE = 16, 40, 200, 30
LABELS = ["go", "stop"]


def made_up(count: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.intp]]:
    """Pictures, IMU windows and classes; each of the two sensors alone sees half of the reasons to stop."""
    random = np.random.default_rng(seed)
    dark, slips = random.random((2, count)) < 0.3
    light = np.where(dark, 40, 180)[:, None, None, None]
    pictures = np.clip(light + random.normal(0, 20, (count, SIDE, SIDE, 3)), 0, 255).astype(np.uint8)
    imu = random.normal(0, np.where(slips, 3, 0.5)[:, None, None], (count, IMU_SAMPLES, 3)).astype(np.float32)
    return pictures, imu, (dark | slips).astype(np.intp)


def train(epochs: int) -> Any:
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    image, imu = keras.Input((SIDE, SIDE, 3), name="image"), keras.Input((IMU_SAMPLES, 3), name="imu")
    seen = layers.GlobalAveragePooling2D()(layers.Conv2D(8, 3, 2, activation="relu")(image))
    felt = layers.GlobalMaxPooling1D()(layers.Conv1D(8, 5, 2, activation="relu")(imu))
    joined = layers.Dense(16, activation="relu")(layers.Concatenate()([seen, felt]))
    model = keras.Model([image, imu], layers.Dense(2, activation="softmax")(joined))
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    pictures, windows, classes = made_up(600, 0)
    model.fit({"image": pictures / np.float32(255), "imu": windows}, classes, epochs=epochs, verbose=0)
    return model


class RecordedCamera:
    """Frames with their times, as a recording gives them."""

    uri, reads_ahead, live = "recorded camera", False, False

    def __init__(self, frames: NDArray[np.uint8], times: NDArray[np.float64]) -> None:
        self.frames, self.times = frames, times

    def __iter__(self) -> Iterator[Sample]:
        for number, (frame, at) in enumerate(zip(self.frames, self.times, strict=True)):
            yield Sample(frame, self.uri, number, position=float(at))


def record(folder: Path, count: int) -> tuple[RecordedCamera, Path, NDArray[np.intp]]:
    """A drive: each situation lasts for half a second, so that 40 samples of the IMU lie within one."""
    pictures, imu, classes = made_up(count, 1)
    frame_times = 100 + 0.4 + np.arange(count) * 0.5 + np.random.default_rng(2).uniform(0, 1 / FRAME_RATE, count)
    imu_times = 100 + np.arange(count * IMU_RATE // 2) / IMU_RATE
    samples = np.concatenate([np.resize(window, (IMU_RATE // 2, 3)) for window in imu])
    log = folder / "imu.csv"
    # The IMU's clock began 98.5 s after the camera's.
    np.savetxt(log, np.c_[imu_times - 98.5, samples], delimiter=",", header="t,ax,ay,az", comments="")
    return RecordedCamera(pictures, frame_times), log, classes


def main(folder: Path, count: int = 60, epochs: int = 12, **options: Any) -> tuple[float, float]:
    """Returns the share of frames that were judged right, and the longest slack in seconds.

    `options` are more of those that `edgekit.convert` takes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pictures, windows, _ = made_up(100, 3)
    edgekit.convert(
        train(epochs), folder / "drive.tflite", labels=LABELS, normalize="0..1",
        calibration={"image": pictures, "imu": windows},
        windows=WindowOptions(rate=IMU_RATE, window=str(IMU_SAMPLES)), **options,
    )
    model = edgekit.load(folder / "drive.tflite")
    camera, log, classes = record(folder, count)
    source = fuse(model, {"image": camera, "imu": log}, joins={"imu": Join("interpolate", offset=98.5)})
    right, slack = [], 0.0
    for result in edgekit.run(model, source):
        best = result.best()
        right.append(best is not None and best.index == classes[result.sequence])
        slack = max(slack, abs(result.slack["imu"]))
    print(f"{np.mean(right):.1%} of {len(right)} frames judged right; IMU windows end within {slack * 1000:.3f} ms")
    return float(np.mean(right)), slack


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "fusion"))
