"""A wake word in a stream of sound: convert a Keras model with its features, and listen.

    python examples/sensors_wake_word.py str_ww_ref_model.h5 calibration_samples.npz speech.wav   # or mic:0

The model is MLPerf Tiny's streaming wake word (github.com/mlcommons/tiny, Apache-2.0): 30 frames of 40 mel bands in,
scores of "marvin", silence and other words out.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import edgekit
from edgekit.windows import WindowOptions

RATE, FRAME, HOP, FRAMES = 16000, 1024, 512, 30
FEATURES = (
    f"logmel:frame={FRAME},hop={HOP},bands=40,scale=htk,window=hamming,emphasis=0.96875,divide={FRAME},log=db,"
    "mean=-52,std=64,clip=0..1"
)
WINDOWS = WindowOptions(rate=RATE, window=str(FRAME + (FRAMES - 1) * HOP), hop=str(HOP), features=FEATURES)
LABELS = ["marvin", "silence", "unknown"]


def convert(model: Path, samples: Path, output: Path, **options: Any) -> None:
    """The samples are features already, of the very kind that the device will compute.

    `options` are more of those that `edgekit.convert` takes.
    """
    edgekit.convert(
        model, output, task="keyword", labels=LABELS, calibration=samples, windows=WINDOWS,
        head_options={"threshold": 0.7}, **options,
    )


def listen(model: Path, source: str) -> list[float]:
    """When the word was heard: seconds from the start of a recording, else of the monotonic clock."""
    moments = []
    for result in edgekit.run(model, source):
        if best := result.best("marvin"):
            moments.append(result.captured if result.position is None else result.position)
            print(f"{moments[-1]:8.2f} s  {best.label} {best.score:.2f}")
    return moments


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        convert(Path(sys.argv[1]), Path(sys.argv[2]), Path(folder) / "word.tflite")
        listen(Path(folder) / "word.tflite", sys.argv[3])
