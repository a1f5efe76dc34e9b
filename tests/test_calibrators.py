"""How the ranges of int8 tensors are chosen, and what biases take back of what rounding shifts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

import edgekit

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
keras = pytest.importorskip("keras", reason="needs the convert extra: pip install 'edgekit-sdk[convert]'")

from edgekit_converters.accuracy import choosing, histograms  # noqa: E402
from edgekit_converters.accuracy.calibrators import CALIBRATORS  # noqa: E402
from edgekit_converters.accuracy.names import CALIBRATOR_NAMES  # noqa: E402

pytestmark = pytest.mark.convert


def histogram_of(values: NDArray[np.float32]) -> histograms.Histogram:
    low, high = float(values.min()), float(values.max())
    counts = histograms.count_values(values.reshape(-1), (low, high))
    return histograms.Histogram(counts, low, high, np.array([low]), np.array([high]))


def error_of(values: NDArray[np.float32], low: float, high: float) -> float:
    """Mean squared error of values rounded to 256 levels from low to high."""
    low, high = min(low, 0.0), max(high, 0.0)
    step = (high - low) / 255
    rounded = np.clip(np.round((values - low) / step), 0, 255) * step + low
    return float(np.mean(np.square(rounded - values)))


VALUES = arrays.arrays(
    np.float32, st.integers(300, 600), elements=st.floats(-100, 100, width=32), fill=st.nothing()
).filter(lambda values: values.min() < values.max())


def test_every_name_stands_for_a_calibrator() -> None:
    assert set(CALIBRATOR_NAMES) == {"auto", *CALIBRATORS}


@pytest.mark.parametrize("name", sorted(CALIBRATORS))
@settings(max_examples=15, deadline=None)
@given(values=VALUES)
def test_a_range_lies_within_the_values(name: str, values: NDArray[np.float32]) -> None:
    low, high = CALIBRATORS[name](histogram_of(values))
    assert values.min() <= low <= high <= values.max()


@settings(max_examples=15, deadline=None)
@given(values=VALUES)
def test_minmax_clips_nothing_and_percentiles_their_share(values: NDArray[np.float32]) -> None:
    found = histogram_of(values)
    assert found.clipped(CALIBRATORS["minmax"](found)) == 0
    step = found.counts.max() / found.counts.sum()  # values of one step of the histogram are not told apart
    assert found.clipped(CALIBRATORS["percentile-99.9"](found)) <= 0.002 + 2 * step


def test_an_outlier_is_clipped_where_that_lessens_the_error() -> None:
    values = np.random.default_rng(0).normal(size=100_000).astype(np.float32)
    values[0] = 200
    found = histogram_of(values)
    others = values[1:]
    by_extremes = error_of(others, *CALIBRATORS["minmax"](found))
    assert error_of(others, *CALIBRATORS["percentile-99.99"](found)) < by_extremes / 100
    low, high = CALIBRATORS["mse"](found)
    assert error_of(values, low, high) < error_of(values, *CALIBRATORS["minmax"](found))


def test_least_squared_error_beats_every_other_calibrator_at_its_own_game() -> None:
    values = np.random.default_rng(1).laplace(size=50_000).astype(np.float32)
    errors = {name: error_of(values, *choose(histogram_of(values))) for name, choose in CALIBRATORS.items()}
    assert errors["mse"] <= min(errors.values()) * 1.05


@settings(max_examples=15, deadline=None)
@given(values=VALUES, at=st.integers(1, 299))
def test_two_halves_together_are_the_whole(values: NDArray[np.float32], at: int) -> None:
    bounds = (float(values.min()), float(values.max()))
    parts = [
        histograms.Histogram(
            histograms.count_values(part, bounds), *bounds, np.array([part.min()]), np.array([part.max()])
        )
        for part in (values[:at], values[at:])
    ]
    both, whole = histograms.merged(*parts), histogram_of(values)
    assert (both.counts == whole.counts).all()
    assert (both.low, both.high) == (whole.low, whole.high)


def test_a_way_is_taken_for_better_than_the_plainest_where_it_is_so_by_more_than_chance() -> None:
    plain = choosing.Trial("minmax", True, (30.0, 34.0, 32.0, 28.0), 30.0)
    luckier = choosing.Trial("mse", True, (38.0, 30.0, 33.0, 27.0), 30.0)
    better = choosing.Trial("percentile-99.99", True, (31.0, 35.0, 33.1, 29.0), 30.0)
    worse_outside = choosing.Trial("percentile-99.99", True, (31.0, 35.0, 33.1, 29.0), 29.0)
    assert choosing.best_of([plain, luckier]) is plain
    assert choosing.best_of([plain, better]) is better
    assert choosing.best_of([plain, worse_outside]) is plain
    assert choosing.best_of([plain, plain]) is plain


@pytest.fixture(scope="module")
def network() -> Any:
    """One whose layers add up many inputs that hardly change: rounded weights shift its results."""
    keras.utils.set_random_seed(0)
    hidden = [keras.layers.Dense(64, "relu", bias_initializer="ones") for _ in range(3)]
    return keras.Sequential([keras.Input((64,)), *hidden, keras.layers.Dense(8, bias_initializer="ones")])


@pytest.fixture(scope="module")
def signals() -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(1, 0.05, (160, 64)).astype(np.float32)


def sqnr_db(path: Path, model: Any, samples: NDArray[np.float32]) -> float:
    opened = edgekit.load(path, task="values")
    expected = model.predict(samples, verbose=0)
    found = np.stack([next(iter(opened(sample).values.values())) for sample in samples])  # type: ignore[attr-defined]
    return 10 * float(np.log10(np.sum(expected**2) / np.sum((expected - found) ** 2)))


@pytest.mark.usefixtures("in_process")
def test_auto_is_at_least_as_good_as_minmax_on_fresh_samples(
    network: Any, signals: NDArray[np.float32], tmp_path: Path
) -> None:
    calibration, fresh = signals[:100], signals[100:]
    for calibrator in ("auto", "minmax"):
        edgekit.convert(
            network, tmp_path / f"{calibrator}.tflite", calibration=calibration, calibrator=calibrator
        )
    by_auto, by_extremes = (sqnr_db(tmp_path / f"{name}.tflite", network, fresh) for name in ("auto", "minmax"))
    # Its biases are all one, which the file holds once: each layer is corrected apart all the same.
    assert by_auto > by_extremes


@pytest.mark.usefixtures("in_process")
def test_the_choice_is_told(network: Any, signals: NDArray[np.float32], tmp_path: Path) -> None:
    made = edgekit.convert(network, tmp_path / "model.tflite", calibration=signals, calibrator="auto")
    about = made.calibration
    assert about["calibrator"] in CALIBRATORS
    assert {trial["calibrator"] for trial in about["trials"]} == set(CALIBRATORS)
    assert any(trial["corrected"] for trial in about["trials"])
    counts = [count for count, _ in about["error_by_count"]]
    assert counts == [1, 5, 10, 20, 50, 80]  # half of the samples is held back
    assert edgekit.load(made.path).metadata.provenance["calibration"]["calibrator"] == about["calibrator"]


@pytest.mark.usefixtures("in_process")
def test_too_few_samples_to_try_on_give_the_extremes_and_a_warning(
    network: Any, signals: NDArray[np.float32], tmp_path: Path
) -> None:
    made = edgekit.convert(network, tmp_path / "model.tflite", calibration=signals[:5], calibrator="auto")
    assert made.calibration["calibrator"] == "minmax"
    assert made.calibration["trials"] == []
    assert any("only 5 calibration samples" in warning for warning in made.warnings)


@pytest.mark.usefixtures("in_process")
def test_the_same_samples_give_the_same_bytes(
    network: Any, signals: NDArray[np.float32], tmp_path: Path
) -> None:
    files = [tmp_path / "first.tflite", tmp_path / "second.tflite"]
    for file in files:
        edgekit.convert(network, file, calibration=signals[:40], calibrator="auto")
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("name", ["entropy", "minmax", "mse", "percentile-99.99"])
def test_each_calibrator_can_be_asked_for(
    name: str, network: Any, signals: NDArray[np.float32], tmp_path: Path
) -> None:
    made = edgekit.convert(network, tmp_path / "model.tflite", calibration=signals[:40], calibrator=name)
    assert made.calibration["calibrator"] == name
    assert not made.calibration["bias_corrected"]
    assert name != "minmax" or not made.calibration["clipped"]


def test_a_calibrator_goes_with_int8_alone(network: Any, tmp_path: Path) -> None:
    with pytest.raises(edgekit.UsageError, match="calibrator goes with precision int8, not float16"):
        edgekit.convert(network, tmp_path / "model.tflite", precision="float16", calibrator="mse")
    with pytest.raises(edgekit.UsageError, match="minmax"):
        edgekit.convert(network, tmp_path / "model.tflite", calibration=np.zeros((9, 24)), calibrator="minmaxx")


@pytest.mark.usefixtures("in_process")
def test_without_any_data_synthetic_samples_are_loudly_marked(tmp_path: Path) -> None:
    layers = keras.layers
    normalization = layers.Normalization(mean=[100.0, -5.0], variance=[400.0, 1.0])
    model = keras.Sequential([keras.Input((2,)), normalization, layers.Dense(4, "relu"), layers.Dense(1)])
    made = edgekit.convert(model, tmp_path / "model.tflite", calibration="synthetic")
    assert made.calibration["kind"] == "synthetic"
    assert any("SYNTHETIC" in warning and "convert again with real samples" in warning for warning in made.warnings)


@pytest.mark.usefixtures("in_process")
def test_synthetic_samples_are_of_the_kind_that_the_inputs_take(tmp_path: Path) -> None:
    layers = keras.layers
    picture, tokens = keras.Input((24, 24, 3), name="picture"), keras.Input((6,), dtype="int32", name="tokens")
    seen = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(layers.Rescaling(1 / 255)(picture)))
    read = layers.GlobalAveragePooling1D()(layers.Embedding(30, 4)(tokens))
    keras.Model([picture, tokens], layers.Dense(2)(layers.Concatenate()([seen, read]))).save(tmp_path / "two.keras")
    made = edgekit.convert(tmp_path / "two.keras", tmp_path / "two.tflite", calibration="synthetic")
    (low, high), (first, last) = made.calibration["ranges"]["picture"], made.calibration["ranges"]["tokens"]
    assert 0 <= low < high <= 255
    assert first >= 0
    assert last == 29


@pytest.mark.usefixtures("in_process")
def test_pictures_keep_the_whole_range_of_their_pixels_whatever_the_samples_hold(tmp_path: Path) -> None:
    """Dark samples must not make the device blind to bright pictures."""
    model = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Conv2D(4, 3), keras.layers.GlobalMaxPooling2D()])
    dark = np.random.default_rng(0).integers(0, 60, (20, 16, 16, 3), np.uint8)
    for calibrator in ("auto", "minmax"):
        made = edgekit.convert(
            model, tmp_path / "model.tflite", calibration=dark, normalize="-1..1", calibrator=calibrator
        )
        scale = edgekit.load(made.path).inputs[0].quantization
        assert scale is not None
        assert scale.scale == pytest.approx(2 / 255, rel=1e-3)
        assert scale.zero_point in (-1, 0)
