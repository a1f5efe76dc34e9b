"""Conversion for the Edge TPU: what maps, what is refused and why, and what the user may have replaced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import edgekit
from edgekit import ConversionError, UsageError

keras = pytest.importorskip("keras", reason="needs the convert extra: pip install 'edgekit-sdk[convert]'")

pytestmark = [pytest.mark.convert, pytest.mark.usefixtures("in_process")]
L = keras.layers


def pictures() -> NDArray[np.float32]:
    return np.random.default_rng(0).uniform(0, 1, (60, 16, 16, 3)).astype(np.float32)


def model_with(activation: str, *layers: Any) -> Any:
    keras.utils.set_random_seed(0)
    stem = L.Conv2D(8, 3, activation=activation, name="stem")
    head = L.Dense(4, activation="softmax", name="head")
    return keras.Sequential([keras.Input((16, 16, 3)), stem, *layers, L.GlobalAveragePooling2D(), head])


def test_activations_of_today_map(tmp_path: Path) -> None:
    model = model_with("hard_swish", L.Conv2D(8, 3, groups=2), L.LeakyReLU(), L.GroupNormalization(2), L.UpSampling2D())
    made = edgekit.convert(model, tmp_path / "x.tflite", calibration=pictures(), target="coral")
    assert list(made.rewrites) == ["group_normalization", "upsampling", "dense", "groups", "leaky_relu", "hard_swish"]
    assert made.placement is not None
    assert made.placement.on_cpu == 0
    assert made.placement.mac_share == 1
    assert made.runtime == "edgetpu"
    assert made.agreement is not None
    assert made.agreement.sqnr_db > 25


def test_what_the_compiler_would_refuse_is_refused_by_layer(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match=r"GELU in layer 1 of 3, 'stem' \(Conv2D\)"):
        edgekit.convert(
            model_with("gelu"), tmp_path / "x.tflite", calibration=pictures(), target="coral", keep=["curves"]
        )
    assert not (tmp_path / "x.tflite").exists()


def test_a_replaced_activation_maps_and_is_told(tmp_path: Path) -> None:
    made = edgekit.convert(
        model_with("gelu"), tmp_path / "x.tflite", calibration=pictures(), target="coral",
        replace=["gelu=silu", "mish=relu"], require_full_mapping=True,
    )
    assert made.placement is not None
    assert made.placement.on_cpu == 0
    told = " ".join(made.warnings)
    assert "gelu was replaced by silu, as asked, which changes what the model computes" in told
    assert "mish is nowhere in the model" in told


def test_full_mapping_can_be_required(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match=r"ELU in layer 1 of 3, 'stem' \(Conv2D\)") as caught:
        edgekit.convert(
            model_with("elu"), tmp_path / "x.tflite", calibration=pictures(), target="coral", keep=["curves"],
            require_full_mapping=True,
        )
    assert "--replace elu=relu6" in caught.value.hint
    assert not (tmp_path / "x.tflite").exists()


def test_wrong_replacements_are_refused_at_once(tmp_path: Path) -> None:
    wrong: list[dict[str, Any]] = [
        {"replace": ["gelu"]}, {"replace": ["gelu=gelo"]}, {"replace": {"relu": "silu"}},
        {"require_full_mapping": True},
    ]
    for options in wrong:
        with pytest.raises(UsageError):
            edgekit.convert(tmp_path / "x.keras", calibration="x.npy", **options)
