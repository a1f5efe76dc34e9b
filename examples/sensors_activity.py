"""Which activity a smart watch sees: train, convert and run on windows of an accelerometer and a gyroscope.

    python examples/sensors_activity.py [FOLDER] [conv|lstm]

needs `pip install 'edgekit-sdk[convert]' aeon`: BasicMotions (40 recordings of 10 s at 10 Hz to train on, 40 held back)
comes inside aeon. FOLDER then holds what a project of yours would have: logs by class, the model, labels, and one long
log to run on.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from numpy.typing import NDArray

import edgekit
from edgekit.windows import WindowOptions

RATE, SAMPLES = 10, 100
CHANNELS = "ax,ay,az,gx,gy,gz"


def load_motions() -> tuple[NDArray[np.float32], NDArray[np.intp], NDArray[np.float32], NDArray[np.intp], list[str]]:
    """Recordings of shape (40, 100, 6) to train on, their classes, the same held back, and the names of the classes."""
    from aeon.datasets import load_basic_motions

    (x_train, y_train), (x_test, y_test) = load_basic_motions("train"), load_basic_motions("test")
    names, classes = np.unique(np.concatenate((y_train, y_test)), return_inverse=True)
    series = [x.transpose(0, 2, 1).astype(np.float32) for x in (x_train, x_test)]
    return series[0], classes[: len(y_train)], series[1], classes[len(y_train) :], [str(name) for name in names]


def train(kind: str, x: NDArray[np.float32], y: NDArray[np.intp], epochs: int) -> Any:
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    scale = layers.Normalization()
    scale.adapt(x)
    if kind == "lstm":
        body = [layers.LSTM(24)]
    else:
        body = [layers.Conv1D(16, 7, 2, activation="relu"), layers.Conv1D(32, 5, 2, activation="relu"),
                layers.GlobalAveragePooling1D()]
    model = keras.Sequential([
        keras.Input(x.shape[1:], name="motion"), scale, *body, layers.Dense(4, activation="softmax")
    ])
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    model.fit(x, y, epochs=epochs, batch_size=10, verbose=0)
    return model


def write_log(path: Path, series: NDArray[np.float32]) -> None:
    """A log as a data logger writes it: the time in seconds, then the channels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table = np.c_[np.arange(len(series)) / RATE, series]
    np.savetxt(path, table, fmt="%.6g", delimiter=",", header=f"time,{CHANNELS}", comments="")


def main(folder: Path, kind: str = "conv", epochs: int = 25, **options: Any) -> tuple[float, float]:
    """Returns the shares of held-back recordings that the float and the int8 model get right.

    `options` are more of those that `edgekit.convert` takes.
    """
    x_train, y_train, x_test, y_test, names = load_motions()
    for number, (series, activity) in enumerate(zip(x_train, y_train, strict=True)):
        write_log(folder / "logs" / names[activity] / f"{number:02}.csv", series)
    write_log(folder / "held_back.csv", x_test.reshape(-1, 6))
    (folder / "labels.txt").write_text("".join(f"{name}\n" for name in names))

    model = train(kind, x_train, y_train, epochs)
    model.save(folder / f"{kind}.keras")
    float_right = float((model.predict(x_test, verbose=0).argmax(axis=1) == y_test).mean())

    # On the workstation: calibration cuts the raw logs as the device will.
    made = edgekit.convert(
        folder / f"{kind}.keras", folder / f"{kind}.tflite", task="timeseries", labels=folder / "labels.txt",
        calibration=folder / "logs", windows=WindowOptions(rate=RATE, window="10s"), **options,
    )

    # On the device: the file says which windows it takes.
    found = [best.index if (best := result.best()) else None
             for result in edgekit.run(folder / f"{kind}.tflite", folder / "held_back.csv")]
    int8_right = float(np.mean([index == wanted for index, wanted in zip(found, y_test, strict=True)]))
    print(f"{kind}: float {float_right:.1%}, int8 {int8_right:.1%} of {len(found)} recordings; {made.size} bytes")
    return float_right, int8_right


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "activity"), sys.argv[2] if len(sys.argv) > 2 else "conv")
