"""A classifier of 20 numbers, the whole way: train, save, convert with the command, run from Python and by command.

    python examples/tabular_classifier.py [FOLDER]

needs `pip install 'edgekit-sdk[convert]'`. The files it leaves in FOLDER are those that a project of yours would
have: the trained model, the calibration data, rows to run on, and the int8 model for the device.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from sklearn.datasets import make_classification
from sklearn.model_selection import train_test_split

import edgekit

FEATURES = 20


def train(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Train on made-up but learnable data; write the model and two tables. Returns held-back rows and classes."""
    keras.utils.set_random_seed(0)
    x, y = make_classification(n_samples=2000, n_features=FEATURES, n_informative=10, random_state=0)
    x_train, x_test, y_train, y_test = train_test_split(x.astype("float32"), y, random_state=0)
    model = keras.Sequential([
        keras.Input((FEATURES,)),
        keras.layers.Dense(64, activation="relu"),
        keras.layers.Dense(32, activation="relu"),
        keras.layers.Dense(1, activation="sigmoid"),
    ])
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    model.fit(x_train, y_train, epochs=10, batch_size=32, verbose=0)
    model.save(folder / "classifier.keras")
    header = ",".join(f"feature_{i}" for i in range(FEATURES))
    np.savetxt(folder / "data.csv", x_train[:200], delimiter=",", header=header, comments="")
    np.savetxt(folder / "rows.csv", x_test, delimiter=",", header=header, comments="")
    accuracy = float(((model.predict(x_test, verbose=0)[:, 0] > 0.5) == y_test).mean())
    print(f"float model: {accuracy:.1%} of {len(x_test)} held-back rows right")
    return x_test, y_test


def edgekit_command(*arguments: str | Path) -> str:
    """What one call of the installed command prints."""
    command = [sys.executable, "-m", "edgekit", *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    x_test, y_test = train(folder)

    # On the workstation: one command from the trained model to the file for the device.
    model_file = folder / "classifier.tflite"
    data = folder / "data.csv"
    print(edgekit_command("convert", folder / "classifier.keras", "-o", model_file, "--calibration", data))

    # On the device, from Python: load once, call with one row at a time.
    model = edgekit.load(model_file)
    print("one row:", model(x_test[0]).to_json())
    found = [best.index if (best := model(row).best()) else None for row in x_test]
    right = [index == expected for index, expected in zip(found, y_test, strict=True)]
    print(f"int8 model: {np.mean(right):.1%} of {len(right)} held-back rows right")

    # On the device, by command: one JSON line a row.
    lines = edgekit_command("run", model_file, folder / "rows.csv").splitlines()
    print(f"edgekit run: {len(lines)} results, the first: {lines[0]}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "tabular-classifier"))
