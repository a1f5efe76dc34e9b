"""The demo's child process: trains a small CNN and prints its answers on the held-back digits, as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

TRAINING = 1200
EPOCHS = 15
BRIGHTEST = 16
"""Largest value of a digit in scikit-learn's data; pictures have 255."""


def load_digits() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Scikit-learn's 1,797 digits as pictures, uint8 of shape (N, 8, 8), and what they show."""
    from sklearn import datasets

    data = datasets.load_digits()
    return (data.images * (255 / BRIGHTEST)).round().astype(np.uint8), data.target


def train(pictures: NDArray[np.uint8], digits: NDArray[np.int64]) -> Any:
    """A Keras model for pictures of 8 x 8 pixels, trained for a few seconds."""
    import keras

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
    model.fit(pictures[..., None], digits, epochs=EPOCHS, batch_size=32, verbose=0)
    return model


def main(folder: Path) -> None:
    """Leave `digits.keras` in the folder."""
    pictures, digits = load_digits()
    model = train(pictures[:TRAINING], digits[:TRAINING])
    model.save(folder / "digits.keras")
    answers = model.predict(pictures[TRAINING:, ..., None], verbose=0).argmax(axis=1)
    print(json.dumps(answers.tolist()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
