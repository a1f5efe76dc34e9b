"""A detector that needs no training: it finds the red ball of test:pattern, so that the robots here run anywhere.

    python examples/robot_ball_finder.py ball.tflite            # on the workstation: pip install 'edgekit-sdk[convert]'
    edgekit run ball.tflite test:pattern --limit 3

In the place of weights that were learnt stand some that say what a ball is: red, and as large as the square over which
redness is averaged. Its outputs have the form of CenterNet's, as a trained detector's may have.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

import edgekit

HEIGHT, WIDTH, CELL, BALL = 96, 128, 8, 24


def build() -> Any:
    """A Keras model: a picture from 0 to 1 in, heat map, size and offset out."""
    import keras

    picture = keras.Input((HEIGHT, WIDTH, 3), name="picture")
    redness = keras.layers.Conv2D(1, 1, activation="relu", name="redness")(picture)
    heat = keras.layers.AveragePooling2D(BALL, CELL, padding="same", name="heatmap")(redness)
    size, offset = (keras.layers.Conv2D(2, 1, name=name)(heat) for name in ("size", "offset"))
    model = keras.Model(picture, {"heatmap": heat, "size": size, "offset": offset})
    model.get_layer("redness").set_weights([np.array([2.0, -1.0, -1.0]).reshape(1, 1, 3, 1), np.array([-0.45])])
    for name, value in (("size", BALL / CELL), ("offset", 0.5)):  # the same everywhere
        model.get_layer(name).set_weights([np.zeros((1, 1, 1, 2)), np.full(2, value)])
    return model


def main(output: Path) -> None:
    """Write the model file."""
    made = edgekit.convert(
        build(), output, precision="float32", task="detection", head="centernet",
        head_options={"activation": "none"}, labels=["ball"], normalize="0..1",
    )
    print(f"{output}: {made.size} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("ball.tflite"))
