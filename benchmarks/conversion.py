"""Seconds to a full int8 file: `edgekit convert` against the script that people write by hand.

    python benchmarks/conversion.py [MODEL.keras | MODEL.h5] [ROUNDS]

The script loads the model, gives `TFLiteConverter.from_keras_model` 200 samples, and writes the file. Both are whole
processes, from start to end, run by turns so that a busy machine slows both. EdgeKit also freezes the batch, measures
the accuracy on 50 of the samples, writes metadata, and reads the file back; the script does none of that. With
`minmax` it calibrates as the script does; `auto`, the default, also tries other ranges and corrects biases. Without
MODEL, a MobileNet V2 for pictures of 96 x 96 with random weights is made first.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SAMPLES = 200
DEFAULT_ROUNDS = 3
MAKE_MODEL = """
import keras, sys
keras.utils.set_random_seed(0)
keras.applications.MobileNetV2(weights=None, input_shape=(96, 96, 3)).save(sys.argv[1])
"""
MAKE_SAMPLES = f"""
import keras, numpy, sys
shape = keras.models.load_model(sys.argv[1], compile=False).input_shape[1:]
numpy.save(sys.argv[2], numpy.random.default_rng(0).uniform(0, 1, ({SAMPLES}, *shape)).astype("float32"))
"""
BY_HAND = """
import keras, numpy, sys, tensorflow as tf
model = keras.models.load_model(sys.argv[1], compile=False)
samples = numpy.load(sys.argv[2])
converter = tf.lite.TFLiteConverter.from_keras_model(model)
converter.optimizations = [tf.lite.Optimize.DEFAULT]
converter.representative_dataset = lambda: ([sample[None]] for sample in samples)
converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
converter.inference_input_type = converter.inference_output_type = tf.int8
open(sys.argv[3], "wb").write(converter.convert())
"""


def python(*arguments: str | Path) -> float:
    """Seconds that a process of this interpreter takes."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    started = time.perf_counter()
    command = [sys.executable, *map(str, arguments)]
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else DEFAULT_ROUNDS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = Path(sys.argv[1]) if len(sys.argv) > 1 else folder / "mobilenet.keras"
        if len(sys.argv) <= 1:
            python("-c", MAKE_MODEL, model)
        samples, made = folder / "samples.npy", folder / "made.tflite"
        python("-c", MAKE_SAMPLES, model, samples)
        hand: list[float] = []
        ours: dict[str, list[float]] = {"minmax": [], "auto": []}
        for _ in range(rounds):
            hand.append(python("-c", BY_HAND, model, samples, made))
            for calibrator, seconds in ours.items():
                command = ("-m", "edgekit", "convert", model, "-o", made, "--calibration", samples)
                seconds.append(python(*command, "--samples", str(SAMPLES), "--calibrator", calibrator))
            told = ", ".join(f"{name} {seconds[-1]:.1f} s" for name, seconds in {"by hand": hand, **ours}.items())
            print(told, flush=True)
    start = statistics.median(python("-c", "import keras, tensorflow") for _ in range(rounds))
    middle = statistics.median(hand)
    print(f"{model.name}: by hand {middle:.1f} s; TensorFlow's import alone {start:.1f} s")
    for calibrator, seconds in ours.items():
        own = statistics.median(seconds)
        print(f"edgekit, {calibrator}: {own:.1f} s, {own / middle:.2f} times as long; without the import, "
              f"{(own - start) / (middle - start):.2f} times")


if __name__ == "__main__":
    main()
