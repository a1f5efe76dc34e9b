"""What quantization costs by each tool, from the same weights and the same samples.

    python benchmarks/accuracy.py ../shared/data [--litert-quantizer PYTHON]

MLPerf Tiny's ResNet8, autoencoder and streaming wake word (see shared/data/README.md), each calibrated on every second
sample of its data and measured on the others, and the other way round ("swapped"): signal to quantization noise of the
outputs, in decibels. The tools:

- `tf`: the script that people write, `TFLiteConverter.from_keras_model` with int8 inputs and outputs;
- `litert-quantizer`: with its own calibration, and with ranges of our own as others would give it (minimum and
  maximum, percentile 99.99); it pins its runtime, so it runs in an environment of its own, whose Python is given;
- `edgekit`: `convert` with each calibrator, and by default (`auto`).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
CALIBRATORS = ("minmax", "percentile-99.99", "percentile-99.999", "mse", "entropy", "auto")
BY_LITERT_QUANTIZER = """
import sys
import numpy as np
from litert_quantizer import quantizer, recipe
float_model, samples, way, output = sys.argv[1:]
tool = quantizer.Quantizer(float_model, recipe.static_wi8_ai8())
from ai_edge_litert.interpreter import Interpreter, OpResolverType
interpreter = Interpreter(model_path=float_model, experimental_preserve_all_tensors=True,
                          experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
key, signature = next(iter(interpreter.get_signature_list().items()))
feeds = [{signature["inputs"][0]: sample[None]} for sample in np.load(samples)]
if way == "own":
    found = tool.calibrate({key: feeds})
else:
    own = tool.calibrate({key: feeds[:1]})  # for the names of the tensors that it wants
    interpreter.allocate_tensors()
    place = interpreter.get_input_details()[0]["index"]
    values = {}
    for feed in feeds:
        interpreter.set_tensor(place, next(iter(feed.values())))
        interpreter.invoke()
        for details in interpreter.get_tensor_details():
            if details["name"] in own:
                values.setdefault(details["name"], []).append(interpreter.get_tensor(details["index"]).ravel().copy())
    ends = (0, 100) if way == "minmax" else (0.01, 99.99)
    found = {}
    for name, seen in values.items():
        low, high = np.percentile(np.concatenate(seen), ends)
        shape = np.shape(own[name]["min"])
        found[name] = {"min": np.full(shape, low, np.float32), "max": np.full(shape, high, np.float32)}
tool.quantize(found, enable_progress_report=False).export_model(output, overwrite=True)
"""


def resnet(data: Path) -> tuple[Path, Array]:
    pictures = np.load(data / "images/cifar10_1000_jpeg.npz")["x"][::5]
    return data / "keras/pretrainedResnet.h5", pictures.astype(np.float32)


def autoencoder(data: Path) -> tuple[Path, Array]:
    file = data / "audio/ad01_normal_id_01_00000000_hist_librosa.bin"
    frames = np.fromfile(file, np.float32).reshape(-1, 128)
    return data / "keras/ad01.h5", np.stack([frames[at : at + 5].reshape(-1) for at in range(len(frames) - 4)])


def wake_word(data: Path) -> tuple[Path, Array]:
    spectrograms = np.load(data / "audio/calibration_samples.npz")["specs"]
    return data / "keras/str_ww_ref_model.h5", spectrograms.astype(np.float32)


MODELS: dict[str, Callable[[Path], tuple[Path, Array]]] = {
    "ResNet8": resnet, "ad01": autoencoder, "str_ww": wake_word,
}


def by_edgekit(model: Path, samples: Array, folder: Path, calibrator: str) -> Path:
    """Convert with the command's own function."""
    import edgekit

    made = edgekit.convert(
        model, folder / f"{calibrator}.tflite", calibration=samples, task="values", calibrator=calibrator
    )
    return made.path


def by_tensorflow(model: Path, samples: Array, folder: Path) -> Path:
    """Convert with the script that people write; the class mends files of Keras 2."""
    import keras
    import tensorflow as tf

    class Depthwise(keras.layers.DepthwiseConv2D):  # type: ignore[misc]  # Keras has no types
        def __init__(self, groups: int = 1, **others: Any) -> None:
            super().__init__(**others)

    loaded = keras.models.load_model(model, compile=False, custom_objects={"DepthwiseConv2D": Depthwise})
    converter = tf.lite.TFLiteConverter.from_keras_model(loaded)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([sample[None]] for sample in samples)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    made = folder / "tf.tflite"
    made.write_bytes(converter.convert())
    return made


def by_litert_quantizer(python: str, model: Path, samples: Array, folder: Path, way: str) -> Path:
    """Edit the float file that EdgeKit makes, in the tool's own environment."""
    import edgekit

    original = folder / "float.tflite"
    if not original.exists():
        edgekit.convert(model, original, precision="float32", task="values")
    np.save(folder / "samples.npy", samples)
    made = folder / f"lq-{way}.tflite"
    command = [python, "-c", BY_LITERT_QUANTIZER, *map(str, (original, folder / "samples.npy", way, made))]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return made


def outputs(path: Path, samples: Array) -> Array:
    """Real outputs of a file, whatever types it takes and gives."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path))
    interpreter.allocate_tensors()
    taken, given = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    found = []
    for sample in samples:
        values = sample[None]
        if taken["dtype"] != np.float32:
            scale, zero = taken["quantization"]
            values = np.clip(np.round(values / scale) + zero, -128, 127).astype(np.int8)
        interpreter.set_tensor(taken["index"], values)
        interpreter.invoke()
        result = interpreter.get_tensor(given["index"])[0]
        if given["dtype"] != np.float32:
            scale, zero = given["quantization"]
            result = (result.astype(np.float32) - zero) * scale
        found.append(result)
    return np.stack(found)


def files(model: Path, samples: Array, folder: Path, python: str) -> Iterator[tuple[str, Path]]:
    """The file of each tool, by its name."""
    yield "tf", by_tensorflow(model, samples, folder)
    if python:
        for way in ("own", "minmax", "percentile-99.99"):
            yield f"litert-quantizer, {way}", by_litert_quantizer(python, model, samples, folder, way)
    for calibrator in CALIBRATORS:
        yield f"edgekit, {calibrator}", by_edgekit(model, samples, folder, calibrator)


def measure(name: str, data: Path, python: str, swapped: bool) -> dict[str, float]:
    """Decibels by tool."""
    import edgekit

    model, samples = MODELS[name](data)
    calibration, fresh = (samples[1::2], samples[0::2]) if swapped else (samples[0::2], samples[1::2])
    found = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        exact = edgekit.convert(model, folder / "exact.tflite", precision="float32", task="values").path
        expected = outputs(exact, fresh).astype(np.float64)
        for tool, path in files(model, calibration, folder, python):
            noise = np.sum(np.square(expected - outputs(path, fresh)))
            found[tool] = 10 * float(np.log10(np.sum(np.square(expected)) / noise))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="shared/data")
    parser.add_argument("--litert-quantizer", default="", metavar="PYTHON", help="a Python with litert-quantizer")
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    found = {
        f"{name}{', swapped' if swapped else ''}": measure(name, arguments.data, arguments.litert_quantizer, swapped)
        for name in MODELS for swapped in (False, True)
    }
    print("| tool |" + "".join(f" {name} |" for name in found))
    print("|---|" + "---:|" * len(found))
    for tool in next(iter(found.values())):
        print(f"| {tool} |" + "".join(f" {by_tool[tool]:.1f} |" for by_tool in found.values()))


if __name__ == "__main__":
    main()
