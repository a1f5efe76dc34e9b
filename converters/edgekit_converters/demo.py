"""`edgekit demo`: the whole way on real data that ships with scikit-learn, in well under a minute."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

import edgekit
from edgekit.cli import debug_option, examples, own_command
from edgekit.cli.terminal import without_chatter
from edgekit.errors import ConversionError, MissingDependencyError, OutputError
from edgekit.images import import_cv2, read_image
from edgekit_converters import convert
from edgekit_converters.demo_training import TRAINING, load_digits
from edgekit_converters.loading.keras_files import INSTALL
from edgekit_converters.process import child_environment

CALIBRATION = 200
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
    held_back = _write_pictures(output)
    float_best = _train(output)
    say(f"   {output}/digits.keras  trained on {TRAINING} pictures; {len(held_back)} are held back")
    say("2. Converting it to int8, calibrated on pictures of the training set …")
    conversion = convert(
        output / "digits.keras", output / "digits.tflite", calibration=output / "calibration",
        labels=output / "labels.txt",
    )
    kilobytes = conversion.size / 1000, conversion.source_size / 1000
    say("   {}  {:.1f} kB; the Keras file has {:.1f} kB".format(conversion.path, *kilobytes))
    say("3. Evaluating float against int8 on the held-back pictures …")
    with without_chatter():
        model = edgekit.load(conversion.path)
    scores = _evaluate(model, held_back, float_best)
    say(
        f"   float {scores.float_accuracy:.2%}, int8 {scores.int8_accuracy:.2%} of {scores.pictures} right "
        f"({(scores.int8_accuracy - scores.float_accuracy) * 100:+.2f} points)"
    )
    say("4. Running it on some of them …")
    for line in _run_some(model, held_back):
        say(f"   {line}")
    say(_next_steps(output))
    if as_json:
        click.echo(json.dumps({"conversion": conversion.to_dict(), "scores": asdict(scores)}, indent=2))


def _write_pictures(output: Path) -> list[Path]:
    """Write labels, calibration pictures and held-back pictures, by class; return the last."""
    try:
        pictures, digits = load_digits()
    except ImportError as error:
        raise MissingDependencyError(f"the demo needs {error.name}, which is not installed", hint=INSTALL) from error
    try:
        output.mkdir(parents=True, exist_ok=True)
        (output / "labels.txt").write_text("".join(f"{digit}\n" for digit in range(10)))
        for index, (picture, digit) in enumerate(zip(pictures, digits, strict=True)):
            if index < CALIBRATION:
                _write_picture(output / "calibration" / str(digit) / f"{index:04}.png", picture)
            elif index >= TRAINING:
                _write_picture(output / "held-back" / str(digit) / f"{index:04}.png", picture)
    except OSError as error:
        raise OutputError(f"cannot write {output}: {error.strerror}", hint="Name another folder, --output.") from error
    return sorted((output / "held-back").rglob("*.png"), key=lambda path: path.name)


def _write_picture(path: Path, picture: NDArray[np.uint8]) -> None:
    _, data = import_cv2().imencode(".png", picture)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.tobytes())


def _train(output: Path) -> NDArray[np.int64]:
    """Train in a child, which keeps TensorFlow's chatter and memory out of here; return its float model's answers."""
    command = [sys.executable, "-P", "-m", "edgekit_converters.demo_training", str(output)]
    done = subprocess.run(command, capture_output=True, text=True, env=child_environment(debug=False), check=False)
    if done.returncode != 0:
        log = done.stderr.strip().splitlines()
        raise ConversionError(f"training failed: {log[-1] if log else done.returncode}", hint=INSTALL)
    return np.array(json.loads(done.stdout.splitlines()[-1]), np.int64)


def _evaluate(model: edgekit.Model, pictures: Sequence[Path], float_best: NDArray[np.int64]) -> Scores:
    expected = np.array([int(path.parent.name) for path in pictures])
    answers = [model(read_image(path), channels="bgr").best() for path in pictures]
    int8_best = np.array([best.index if best else -1 for best in answers])
    return Scores(len(pictures), float((float_best == expected).mean()), float((int8_best == expected).mean()))


def _run_some(model: edgekit.Model, pictures: Sequence[Path]) -> Iterator[str]:
    for path in pictures[:: len(pictures) // SHOWN][:SHOWN]:
        best = model(read_image(path), channels="bgr").best()
        if best:
            yield f"{path}  →  {best.label}  ({best.score:.2f})"


def _next_steps(output: Path) -> str:
    edgekit_command = own_command()
    return "\n".join([
        "Next:",
        f"  {edgekit_command} run {output}/digits.tflite {output}/held-back",
        f"  {edgekit_command} inspect {output}/digits.tflite",
        f"  {edgekit_command} convert {output}/digits.keras --calibration {output}/calibration "
        f"--labels {output}/labels.txt",
        f"and then the same with a model of your own: {edgekit_command} convert --help",
    ])
