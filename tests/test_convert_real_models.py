"""Conversion of models that nobody here made: MLPerf Tiny's, with real data, against their float selves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import edgekit

keras = pytest.importorskip("keras", reason="needs the convert extra: pip install 'edgekit-sdk[convert]'")

pytestmark = pytest.mark.convert

CIFAR_LABELS = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def sqnr_db(reference: NDArray[Any], values: NDArray[Any]) -> float:
    noise = np.sum(np.square(reference.astype(np.float64) - values))
    return 10 * float(np.log10(np.sum(np.square(reference.astype(np.float64))) / noise))


def values(model: edgekit.Model, sample: NDArray[Any]) -> NDArray[np.float32]:
    result = model(sample)
    assert isinstance(result, edgekit.Values)
    return next(iter(result.values.values()))


def test_resnet_loses_less_than_a_point_on_cifar(shared: Path, tmp_path: Path) -> None:
    """From a folder of 100 pictures to accuracy on 1,000, float by Keras and int8 by the command's own file."""
    cv2 = pytest.importorskip("cv2")
    data = np.load(shared / "images/cifar10_1000_jpeg.npz")
    photos = tmp_path / "photos"
    for index in range(0, 1000, 10):
        folder = photos / CIFAR_LABELS[data["y"][index]]
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{index}.png"), data["x"][index][..., ::-1])
    (tmp_path / "labels.txt").write_text("\n".join(CIFAR_LABELS))

    subprocess.run(
        [sys.executable, "-m", "edgekit", "convert", shared / "keras/pretrainedResnet.h5", "-o", "resnet.tflite",
         "--calibration", "photos", "--labels", "labels.txt"],
        check=True, cwd=tmp_path, env={**os.environ},
    )

    float_model = keras.models.load_model(shared / "keras/pretrainedResnet.h5", compile=False)
    float_best = float_model.predict(data["x"].astype(np.float32), verbose=0).argmax(1)
    model = edgekit.load(tmp_path / "resnet.tflite")
    assert model.labels == tuple(CIFAR_LABELS)
    int8_best = np.array([best.index if (best := model(picture).best()) else -1 for picture in data["x"]])
    float_accuracy, int8_accuracy = (float_best == data["y"]).mean(), (int8_best == data["y"]).mean()
    assert float_accuracy == pytest.approx(0.751, abs=0.002)
    assert int8_accuracy == pytest.approx(float_accuracy, abs=0.01)


def test_streaming_wake_word_that_keras_3_refuses(shared: Path, tmp_path: Path) -> None:
    """Its DepthwiseConv2D layers carry Keras 2's `groups`. References: its float conversion, and others' int8 file."""
    specs = np.load(shared / "audio/calibration_samples.npz")["specs"].astype(np.float32)
    source = shared / "keras/str_ww_ref_model.h5"
    made = edgekit.convert(source, tmp_path / "ww.tflite", calibration=shared / "audio/calibration_samples.npz",
                           task="values")
    edgekit.convert(source, tmp_path / "float.tflite", precision="float32", task="values")
    quantized, reference = edgekit.load(tmp_path / "ww.tflite"), edgekit.load(tmp_path / "float.tflite")
    float_values = np.stack([values(reference, s) for s in specs])
    int8_values = np.stack([values(quantized, s) for s in specs])
    assert sqnr_db(float_values, int8_values) > 35
    assert made.agreement is not None
    assert made.agreement.sqnr_db == pytest.approx(sqnr_db(float_values, int8_values), abs=0.5)
    reference_file = edgekit.load(shared / "keras/str_ww_ref_model.tflite", task="values")
    by_others = np.stack([values(reference_file, s) for s in specs])
    assert (by_others.argmax(1) == int8_values.argmax(1)).all()
    assert np.abs(by_others - int8_values).max() < 0.1


def test_machine_sound_autoencoder(shared: Path, tmp_path: Path) -> None:
    frames = np.fromfile(shared / "audio/ad01_normal_id_01_00000000_hist_librosa.bin", np.float32).reshape(-1, 128)
    windows = np.stack([frames[i : i + 5].reshape(-1) for i in range(len(frames) - 4)])
    np.savetxt(tmp_path / "windows.csv", windows, delimiter=",")
    made = edgekit.convert(shared / "keras/ad01.h5", tmp_path / "ad.tflite", calibration=tmp_path / "windows.csv")
    assert made.task == "values"
    float_values = keras.models.load_model(shared / "keras/ad01.h5", compile=False).predict(windows, verbose=0)
    model = edgekit.load(tmp_path / "ad.tflite")
    int8_values = np.stack([values(model, window) for window in windows])
    assert sqnr_db(float_values, int8_values) > 35
