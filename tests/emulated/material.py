"""What the boards are given: models made by the real converter, and pictures, a video and a sensor log for them.

    python -m tests.emulated.material FOLDER
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
"""Real models and pictures by other people, where they lie beside the checkout."""
REAL = {
    "mobilenet.tflite": "tflite/mobilenet_v1_0.25_128_quant.tflite",
    "parrot.jpg": "images/parrot.jpg",
}
PARROT = "macaw"
"""What MobileNet calls it."""
DIGITS = "digits.tflite"
MOTION = "motion.tflite"
CUT = "cut.tflite"
VIDEO = "clip.avi"
LOG = "motion.csv"
ROWS = "digits.npy"
SHOWN = (3, 7, 5)
"""The digits of the pictures `3.png` ..., and of the video, one after the other."""
FRAMES_EACH = 4
RATE, WINDOW, HOP = 50, 50, 25
SECONDS = 4
"""Length of the log: the first half is still, the second shaken."""
LABELS = ("still", "shaken")


def make(folder: Path) -> None:
    """Write all of it into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    _convert_here()
    _make_digits(folder)
    _make_motion(folder)
    content = (folder / DIGITS).read_bytes()
    (folder / CUT).write_bytes(content[: len(content) // 2])
    for name, origin in REAL.items():
        if (SHARED / origin).exists():
            shutil.copyfile(SHARED / origin, folder / name)
    if (folder / "parrot.jpg").exists():
        _make_rows_of_pixels(folder / "parrot.jpg", folder / "mobilenet.npy", 128)


def _convert_here() -> None:
    """Convert in this process, which has TensorFlow loaded."""
    from edgekit_converters import process

    process.run = lambda job, report, **_others: job.carry_out(report)


def _make_digits(folder: Path) -> None:
    import cv2

    import edgekit
    from edgekit_converters.demo_training import TRAINING, load_digits, train

    pictures, digits = load_digits()
    edgekit.convert(
        train(pictures[:TRAINING], digits[:TRAINING]), folder / DIGITS,
        calibration=pictures[:200, ..., None].astype(np.float32), calibrator="minmax",
        labels=list("0123456789"),
    )
    held_back = pictures[TRAINING:]
    noise = np.random.default_rng(0).integers(0, 256, (20, 8, 8), np.uint8)  # where no score is near 0 or 1
    np.save(folder / ROWS, np.concatenate([held_back[:20], noise])[..., None])
    video = cv2.VideoWriter(str(folder / VIDEO), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (64, 64))
    for digit in SHOWN:
        picture = held_back[digits[TRAINING:] == digit][0]
        cv2.imwrite(str(folder / f"{digit}.png"), picture)
        frame = cv2.cvtColor(cv2.resize(picture, (64, 64), interpolation=cv2.INTER_NEAREST), cv2.COLOR_GRAY2BGR)
        for _ in range(FRAMES_EACH):
            video.write(frame)
    video.release()


def _make_rows_of_pixels(picture: Path, rows: Path, side: int) -> None:
    """A picture as the network takes it, and noise: what resizing differs in between processors is left out."""
    import cv2

    from edgekit.images import read_image

    pixels = cv2.cvtColor(cv2.resize(read_image(picture), (side, side)), cv2.COLOR_BGR2RGB)
    np.save(rows, np.stack([pixels, np.random.default_rng(0).integers(0, 256, pixels.shape, np.uint8)]))


def _make_motion(folder: Path) -> None:
    import keras

    import edgekit
    from edgekit.windows import WindowOptions

    random = np.random.default_rng(0)
    windows = np.concatenate([_movement(random, WINDOW * 100, size) for size in (0.05, 2.0)])
    windows = windows.reshape(-1, WINDOW, 3)
    keras.utils.set_random_seed(1)
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((WINDOW, 3), name="acceleration"),
        layers.Conv1D(8, 5, strides=2, activation="relu"),
        layers.GlobalMaxPooling1D(),
        layers.Dense(2, activation="softmax"),
    ])
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(windows, np.repeat((0, 1), 100), epochs=10, batch_size=16, verbose=0)
    edgekit.convert(
        model, folder / MOTION, calibration=windows, calibrator="minmax", labels=list(LABELS), task="timeseries",
        windows=WindowOptions(rate=RATE, window="1s", hop="0.5s"),
    )
    half = RATE * SECONDS // 2
    log = np.concatenate([_movement(random, half, size) for size in (0.05, 2.0)])
    rows = (f"{at / RATE:.2f},{x:.4f},{y:.4f},{z:.4f}" for at, (x, y, z) in enumerate(log))
    (folder / LOG).write_text("\n".join(("t,ax,ay,az", *rows)) + "\n", encoding="utf-8")


def _movement(random: np.random.Generator, samples: int, size: float) -> NDArray[np.float32]:
    """Three axes of an accelerometer in units of g, (samples, 3), shaken by so much."""
    return random.normal((0, 0, 1), size, (samples, 3)).astype(np.float32)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
