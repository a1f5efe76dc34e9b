"""`edgekit demo`: the whole way on real data that ships with scikit-learn, in well under a minute."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

import edgekit
from edgekit.cli import debug_option, examples
from edgekit.errors import MissingDependencyError
from edgekit.images import import_cv2, list_images, read_image
from edgekit_converters import convert
from edgekit_converters.keras_files import INSTALL

TRAINING = 1200
CALIBRATION = 200
EPOCHS = 8
BRIGHTEST = 16
"""Largest value of a digit in scikit-learn's data; pictures have 255."""
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Scores:
    """Shares of held-back pictures that were recognized, 0 to 1, and how many there were."""

    pictures: int
    float_accuracy: float
    int8_accuracy: float


@click.command(
    "demo",
    epilog=examples("""
        edgekit demo
        edgekit demo --output /tmp/digits --json
    """),
)
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), default=Path("edgekit-demo"),
              show_default=True, help="Folder for the model, the pictures and the converted file.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@debug_option
def demo_command(output: Path, as_json: bool) -> None:
    """Train a small network on handwritten digits, convert it to int8, and run it on pictures it never saw."""
    say = click.echo if not as_json else (lambda _: None)
    say("1. Training a small CNN on scikit-learn's handwritten digits (8 x 8 pixels) …")
    held_back, labels = _write_pictures(output)
    model = _train(output)
    say(f"   {output}/digits.keras  trained on {TRAINING} pictures; {len(held_back)} are held back")
    say("2. Converting it to int8, calibrated on pictures of the training set …")
    conversion = convert(
        output / "digits.keras", output / "digits.tflite", calibration=output / "calibration",
        labels=output / "labels.txt",
    )
    kilobytes = conversion.size / 1000, conversion.source_size / 1000
    say("   {}  {:.1f} kB; the Keras file has {:.1f} kB".format(conversion.path, *kilobytes))
    say("3. Evaluating float against int8 on the held-back pictures …")
    scores = _evaluate(model, output, held_back, labels)
    say(
        f"   float {scores.float_accuracy:.2%}, int8 {scores.int8_accuracy:.2%} of {scores.pictures} right "
        f"({(scores.int8_accuracy - scores.float_accuracy) * 100:+.2f} points)"
    )
    say("4. Running it on some of them …")
    for line in _run_some(output):
        say(f"   {line}")
    say(_next_steps(output))
    if as_json:
        click.echo(json.dumps({"conversion": conversion.to_dict(), "scores": asdict(scores)}, indent=2))


def _digits() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """All 1,797 digits as pictures, uint8 of shape (N, 8, 8), and what they are."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise MissingDependencyError("the demo needs scikit-learn, which is not installed", hint=INSTALL) from error
    data = load_digits()
    return (data.images * (255 / BRIGHTEST)).round().astype(np.uint8), data.target


def _write_pictures(output: Path) -> tuple[list[Path], list[int]]:
    """Write labels, calibration pictures and held-back pictures; return the last, with what they show."""
    cv2 = import_cv2()
    pictures, digits = _digits()
    output.mkdir(parents=True, exist_ok=True)
    (output / "labels.txt").write_text("".join(f"{digit}\n" for digit in range(10)))
    held_back: list[Path] = []
    for index, (picture, digit) in enumerate(zip(pictures, digits, strict=True)):
        if CALIBRATION <= index < TRAINING:
            continue
        folder = output / ("calibration" if index < CALIBRATION else "held-back") / str(digit)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{index:04}.png"
        cv2.imwrite(str(path), picture)
        if index >= TRAINING:
            held_back.append(path)
    return held_back, [int(digit) for digit in digits[TRAINING:]]


def _train(output: Path) -> Any:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    try:
        import keras
    except ImportError as error:
        raise MissingDependencyError(f"the demo needs {error.name}, which is not installed", hint=INSTALL) from error
    keras.utils.set_random_seed(1)
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((8, 8, 1), name="digit"),
        layers.Rescaling(1 / 255),
        layers.Conv2D(16, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(32, 3, padding="same", activation="relu"),
        layers.Flatten(),
        layers.Dense(10, activation="softmax"),
    ])
    model.compile("adam", "sparse_categorical_crossentropy")
    pictures, digits = _digits()
    model.fit(pictures[:TRAINING, ..., None], digits[:TRAINING], epochs=EPOCHS, batch_size=32, verbose=0)
    model.save(output / "digits.keras")
    return model


def _evaluate(model: Any, output: Path, pictures: Sequence[Path], digits: Sequence[int]) -> Scores:
    images = [read_image(path) for path in pictures]
    grey = np.stack([image[..., :1] for image in images])
    expected = np.array(digits)
    float_best = model.predict(grey, verbose=0).argmax(axis=1)
    quantized = edgekit.load(output / "digits.tflite")
    int8_best = [best.index for image in images if (best := quantized(image).best())]
    return Scores(
        len(images), float((float_best == expected).mean()), float((np.array(int8_best) == expected).mean())
    )


def _run_some(output: Path) -> Iterator[str]:
    model = edgekit.load(output / "digits.tflite")
    pictures = list_images(output / "held-back")
    for path in pictures[:: len(pictures) // SHOWN][:SHOWN]:
        best = model(read_image(path)).best()
        if best:
            yield f"{path}  →  {best.label}  ({best.score:.2f})"


def _next_steps(output: Path) -> str:
    return "\n".join([
        "Next:",
        f"  edgekit run {output}/digits.tflite {output}/held-back",
        f"  edgekit inspect {output}/digits.tflite",
        f"  edgekit convert {output}/digits.keras --calibration {output}/calibration --labels {output}/labels.txt",
        "and then the same with a model of your own: edgekit convert --help",
    ])


