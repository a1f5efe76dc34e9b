"""What quantization costs is held against what the user allows, and got back where that is possible."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import edgekit
from edgekit.cli import main
from edgekit.errors import ConversionError, DataError, MissingFileError, ModelFileError, UsageError
from edgekit.tflite import parse_model, read_model
from edgekit_converters.accuracy.gate import MaxDrop, judge, parse_max_drop
from edgekit_converters.evaluating.metrics.names import METRICS
from edgekit_converters.evaluating.results import Figure, Metric
from edgekit_converters.options import check_options

keras = pytest.importorskip("keras", reason="needs the convert extra")
convolving = pytest.importorskip("edgekit_converters.accuracy.convolving")
equalizing = pytest.importorskip("edgekit_converters.accuracy.equalizing")
running = pytest.importorskip("edgekit_converters.accuracy.running")
floating = pytest.importorskip("edgekit_converters.lowering.floating")
quantizing = pytest.importorskip("edgekit_converters.lowering.quantizing")
surgery = pytest.importorskip("edgekit_converters.lowering.surgery")
freezing = pytest.importorskip("edgekit_converters.tracing.freezing")

pytestmark = pytest.mark.usefixtures("in_process")
L = keras.layers
Files = Callable[[str], Path]
TEST_SAMPLES = 100


@pytest.fixture(scope="module")
def digits() -> tuple[Any, Any]:
    """scikit-learn's handwritten digits, (1797, 8, 8, 1) of 0 to 1, and what they are."""
    datasets = pytest.importorskip("sklearn.datasets")
    found = datasets.load_digits()
    return (found.images / 16).astype(np.float32)[..., None], found.target


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, digits: tuple[Any, Any]) -> Files:
    """Models and data by name. `digits.keras` tells digits apart, `uneven.keras` computes the same and has channels
    whose sizes differ by up to 2^12; `residual.keras` has such channels that are used twice."""
    folder = tmp_path_factory.mktemp("recovery")
    images, labels = digits
    model = _classifier(images[:1200], labels[:1200])
    model.save(folder / "digits.keras")
    _make_uneven(model)
    model.save(folder / "uneven.keras")
    _residual().save(folder / "residual.keras")
    np.savez(folder / "test.npz", x=images[-TEST_SAMPLES:], y=labels[-TEST_SAMPLES:])
    np.savez(folder / "calibration.npz", x=images[:60])
    rows = images.reshape(-1, 64)
    _of_rows(rows[:1200], labels[:1200]).save(folder / "rows.keras")
    np.savez(folder / "rows.npz", x=rows[-TEST_SAMPLES:], y=labels[-TEST_SAMPLES:])
    outlier = rows[:120].copy()
    outlier[7, 0] = 300  # where all others have 0
    np.savez(folder / "outlier.npz", x=outlier)
    pairs = np.random.default_rng(0).uniform(-1, 1, (200, 2)).astype(np.float32)
    np.savez(folder / "pairs.npz", x=pairs, y=(pairs[:, 1] > 0).astype(np.int64))
    return lambda name: folder / name


def _classifier(images: Any, labels: Any) -> Any:
    """Random convolutions with a fitted layer behind."""
    keras.utils.set_random_seed(1)
    return _fitted(images, labels, [
        keras.Input((8, 8, 1)), L.Conv2D(12, 3, padding="same", activation="relu"),
        L.Conv2D(16, 3, activation="relu"), L.MaxPooling2D(), L.Flatten(),
    ])


def _of_rows(rows: Any, labels: Any) -> Any:
    """The same of 64 numbers, of which the first reaches one unit alone, that saturates."""
    keras.utils.set_random_seed(1)
    hidden = L.Dense(96, activation="tanh")
    body = [keras.Input((64,)), hidden]
    keras.Sequential(body)
    kernel, bias = hidden.get_weights()
    kernel[0] = np.eye(96)[0]
    hidden.set_weights([kernel, bias])
    return _fitted(rows, labels, body)


def _fitted(samples: Any, labels: Any, body: list[Any]) -> Any:
    """Layers with a last one that is fitted in closed form: no training takes time."""
    features = np.asarray(keras.Sequential(body)(samples))
    ones = np.hstack([features, np.ones((len(features), 1))])
    solved = np.linalg.solve(ones.T @ ones + 0.1 * np.eye(ones.shape[1]), ones.T @ np.eye(10)[labels] * 8)
    model = keras.Sequential([*body, L.Dense(10, activation="softmax")])
    model.layers[-1].set_weights([solved[:-1], solved[-1]])
    return model


def _make_uneven(model: Any) -> None:
    first, second = model.layers[0], model.layers[1]
    scales = np.exp2(np.linspace(-6, 6, first.filters)).astype(np.float32)
    kernel, bias = first.get_weights()
    first.set_weights([kernel * scales, bias * scales])
    kernel, bias = second.get_weights()
    second.set_weights([kernel / scales[:, None], bias])


def _residual() -> Any:
    """Whether the second of two numbers is positive, past channels of which the first is 2000 times as large."""
    inputs = keras.Input((2,))
    first, around, last = L.Dense(2, name="large"), L.Dense(2, name="around"), L.Dense(2, activation="softmax")
    large = first(inputs)
    model = keras.Model(inputs, last(L.Add()([large, around(large)])))
    first.set_weights([np.diag([2000, 1]).astype(np.float32), np.zeros(2)])
    around.set_weights([np.zeros((2, 2)), np.zeros(2)])
    last.set_weights([np.array([[0, 0], [-9, 9]], np.float32), np.zeros(2)])
    return model


def answers_right(path: Path, data: Path) -> float:
    """Share of samples that a finished file answers right, asked as its users ask it."""
    model = edgekit.load(path, device="cpu")
    with np.load(data) as arrays:
        best = [model(x).best() for x in arrays["x"]]
        return float(np.mean([one is not None and one.index == y for one, y in zip(best, arrays["y"], strict=True)]))


def convert(files: Files, model: str, path: Path, **options: Any) -> Any:
    given = {"calibration": files("calibration.npz"), "evaluate": files("test.npz"), "normalize": "0..1", **options}
    return edgekit.convert(files(model), path, **given)


def of_rows(files: Files) -> dict[str, Any]:
    """Options for `rows.keras` that leave nothing to be chosen."""
    data = files("rows.npz")
    return {"calibration": data, "evaluate": data, "calibrator": "minmax", "normalize": None}


def test_a_model_that_min_max_ruins_is_brought_back_by_equalization(files: Files, tmp_path: Path) -> None:
    made = convert(files, "uneven.keras", tmp_path / "a.tflite", calibrator="minmax", max_drop="2%")
    first, best = made.recovery.steps[0], made.recovery.best
    assert first.verdict.drop > 20
    assert best.name == "cross-layer equalization"
    assert best.verdict.drop <= 2
    assert made.evaluation.main.loss <= 0.02
    expected = made.evaluation.main.against.value
    assert answers_right(made.path, files("test.npz")) >= expected - 0.02 > 0.85


def test_an_outlier_in_the_calibration_data_is_mended_by_another_calibrator(files: Files, tmp_path: Path) -> None:
    made = convert(
        files, "rows.keras", tmp_path / "a.tflite", calibration=files("outlier.npz"), evaluate=files("rows.npz"),
        calibrator="minmax", max_drop="2%", normalize=None,
    )
    assert made.recovery.steps[0].verdict.drop > 2
    assert made.recovery.best.name == "calibrator"
    assert made.calibration["calibrator"] != "minmax"
    assert answers_right(made.path, files("rows.npz")) >= made.evaluation.main.against.value - 0.02


def test_a_model_that_holds_at_once_is_left_as_it_is(files: Files, tmp_path: Path) -> None:
    made = convert(files, "rows.keras", tmp_path / "a.tflite", **of_rows(files), max_drop="2%")
    assert [step.name for step in made.recovery.steps] == ["as converted"]
    plain = convert(files, "rows.keras", tmp_path / "b.tflite", **{**of_rows(files), "evaluate": None})
    assert made.path.read_bytes() == plain.path.read_bytes()
    assert plain.evaluation is plain.recovery is None


def test_groups_are_evaluated_and_the_gate_that_holds_is_told(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with np.load(files("rows.npz")) as rows:
        np.savez(tmp_path / "sites.npz", **rows, site=np.where(np.arange(len(rows["y"])) % 3, "north", "south"))
    arguments = [
        files("rows.keras"), "-o", tmp_path / "a.tflite", "--calibration", files("rows.npz"), "--calibrator", "minmax",
        "--evaluate", tmp_path / "sites.npz", "--group-by", "site", "--max-drop", "2%", "--report", tmp_path / "report",
    ]
    monkeypatch.setattr(sys, "argv", ["edgekit", "convert", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    assert ended.value.code == 0, err
    assert "gate         held: accuracy " in out
    assert "points, where 2 may be lost" in out
    (grouping,) = json.loads((tmp_path / "report" / "report.json").read_text())["accuracy"]["groupings"]
    assert (grouping["by"], [group["name"] for group in grouping["groups"]]) == ("site", ["north", "south"])


def test_the_most_sensitive_operations_are_left_in_float_where_nothing_else_helps(
    files: Files, tmp_path: Path
) -> None:
    made = convert(
        files, "residual.keras", tmp_path / "a.tflite", calibration=files("pairs.npz"), evaluate=files("pairs.npz"),
        max_drop="1%", normalize=None,
    )
    assert made.recovery.best.name == "mixed precision"
    assert made.recovery.kept_float
    assert any("left in float" in warning for warning in made.warnings)
    types = {tensor.dtype for tensor in read_model(made.path).main.tensors}
    assert {"int8", "float32"} <= types
    assert answers_right(made.path, files("pairs.npz")) >= 0.99


def test_the_edge_tpu_gets_no_float_and_the_model_is_refused_without_a_file(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.tflite"
    arguments = [
        files("residual.keras"), "-o", path, "--target", "coral", "--calibration", files("pairs.npz"),
        "--evaluate", files("pairs.npz"), "--max-drop", "1%",
    ]
    monkeypatch.setattr(sys, "argv", ["edgekit", "convert", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr().err
    assert ended.value.code == 1
    assert list(tmp_path.iterdir()) == []
    for part in ("accuracy loses", "1 may be lost", "as converted", "calibrator", "int8 alone", "200 samples"):
        assert part in said
    assert "mixed" not in said
    assert "Traceback" not in said


def test_data_without_labels_is_gated_by_agreement_and_values_by_sqnr(files: Files, tmp_path: Path) -> None:
    path, options = tmp_path / "a.tflite", {**of_rows(files), "evaluate": files("outlier.npz")}
    made = convert(files, "rows.keras", path, max_drop="5%", **options)
    assert made.evaluation.main.name == "agreement"
    made = convert(files, "rows.keras", path, max_drop="20dB", task="values", **options)
    assert made.evaluation.main.name == "sqnr"
    assert made.recovery.best.verdict.value >= 20
    with pytest.raises(UsageError, match="does not fit the metric SQNR"):
        convert(files, "rows.keras", path, max_drop=0.1, task="values", **options)


def test_activations_of_16_bits_come_last_and_only_where_inputs_need_not_be_int8(
    files: Files, tmp_path: Path
) -> None:
    options = {**of_rows(files), "evaluate": files("outlier.npz"), "task": "values", "max_drop": "200dB"}
    said = []
    for io in ("int8", "float32"):
        with pytest.raises(ConversionError) as refused:
            convert(files, "rows.keras", tmp_path / "a.tflite", io=io, **options)
        said.append(refused.value.message)
    assert "mixed precision" in said[0]
    assert ["int16x8" in each for each in said] == [False, True]


def test_an_evaluation_alone_tells_what_was_lost_and_refuses_nothing(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [
        files("uneven.keras"), "-o", tmp_path / "a.tflite", "--calibration", files("calibration.npz"), "--json",
        "--calibrator", "minmax", "--evaluate", files("test.npz"),
    ]
    monkeypatch.setattr(sys, "argv", ["edgekit", "convert", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    facts = json.loads(capsys.readouterr().out)
    assert ended.value.code == 0
    assert facts["recovery"] is None
    assert facts["evaluation"]["metrics"][0]["change"]["value"] < -0.2
    assert facts["evaluation"]["data"] == str(files("test.npz"))


def test_other_precisions_are_held_against_the_gate_too(files: Files, tmp_path: Path) -> None:
    made = convert(
        files, "digits.keras", tmp_path / "a.tflite", precision="float16", calibration=None, max_drop="0.5%"
    )
    assert made.recovery.holds
    assert len(made.recovery.steps) == 1


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"max_drop": "1%", "evaluate": None}, UsageError, "needs data"),
        ({"target_column": "y", "evaluate": None}, UsageError, "needs data"),
        ({"group_by": ["site"], "evaluate": None}, UsageError, "needs data"),
        ({"group_by": ["site"]}, DataError, "no array 'site' to group by"),
        ({"max_drop": "little"}, UsageError, "max-drop cannot be"),
        ({"max_drop": "30dB"}, UsageError, "does not fit the metric accuracy"),
        ({"max_drop": "0.01"}, UsageError, "whether it means points"),
        ({"max_drop": "1%", "evaluate": "nowhere.npz"}, MissingFileError, "nowhere.npz"),
        ({"max_drop": "1%", "evaluate": "pairs"}, DataError, ""),
    ],
)
def test_what_does_not_go_together_is_refused(
    files: Files, tmp_path: Path, options: dict[str, Any], error: type[Exception], said: str
) -> None:
    if options.get("evaluate") == "pairs":
        options = {**options, "evaluate": files("pairs.npz")}
    with pytest.raises(error, match=said):
        convert(files, "rows.keras", tmp_path / "a.tflite", **{**of_rows(files), **options})
    assert list(tmp_path.iterdir()) == []


def metric(name: str, unit: Any, model: float, against: float | None, higher: bool = True) -> Metric:
    change = None if against is None else Figure(model - against)
    return Metric(name, unit, higher, Figure(model), None if against is None else Figure(against), change)


@pytest.mark.parametrize(
    ("measured", "limit", "drop", "holds"),
    [
        (metric("accuracy", "share", 0.90, 0.93), "3%", 3.0, True),
        (metric("accuracy", "share", 0.90, 0.93), "2.9%", 3.0, False),
        (metric("accuracy", "share", 0.95, 0.93), "0%", -2.0, True),
        (metric("map", "", 0.40, 0.42), "1%", 2.0, False),
        (metric("rmse", "", 1.1, 1.0, higher=False), "11%", 10.0, True),
        (metric("rmse", "", 1.1, 1.0, higher=False), "0.05", 0.1, False),
        (metric("sqnr", "dB", 35.0, None), "30dB", -35.0, True),
        (metric("sqnr", "dB", 35.0, None), "40 db", -35.0, False),
        (metric("sqnr", "dB", 41.0, None), "1%", -41.0, True),
        (metric("sqnr", "dB", 39.0, None), "1%", -39.0, False),
    ],
)
def test_a_gate_counts_in_what_fits_the_metric(measured: Metric, limit: str, drop: float, holds: bool) -> None:
    verdict = judge(measured, parse_max_drop(limit))
    assert verdict.drop == pytest.approx(drop)
    assert verdict.holds is holds
    assert METRICS[measured.name].title in verdict.said


@given(st.floats(0, 1e6, allow_nan=False), st.sampled_from(["%", "dB", ""]))
def test_a_limit_is_read_as_it_is_written(value: float, unit: Any) -> None:
    written = f"{value:f}"
    assert parse_max_drop(f"{written}{unit}") == MaxDrop(float(written), unit)


@given(st.text(max_size=6))
def test_any_other_limit_is_refused(text: str) -> None:
    try:
        limit = parse_max_drop(text)
    except UsageError as error:
        assert "0.5%" in error.hint
    else:
        assert limit.value >= 0


Lowered = Callable[..., tuple[bytes, list[dict[str, Any]]]]


@pytest.fixture(scope="module")
def lowered() -> Lowered:
    """A float flatbuffer of some layers with random weights, and samples for it."""

    def make(shape: tuple[int, ...], *layers: Any) -> tuple[bytes, list[dict[str, Any]]]:
        random = np.random.default_rng(0)
        model = keras.Sequential([keras.Input(shape, name="input"), *layers])
        for variable in model.weights:
            scales = np.exp2(random.uniform(-3, 3, variable.shape[-1]))
            variable.assign(random.normal(size=variable.shape) * scales)
        samples = [{"input": random.normal(size=(1, *shape)).astype(np.float32)} for _ in range(8)]
        options = check_options()
        return floating.to_flatbuffer(freezing.freeze_keras(model, frozenset()), options), samples

    return make


def difference_db(first: bytes, second: bytes, samples: list[dict[str, Any]]) -> float:
    pairs = list(zip(running.outputs_of(first, samples), running.outputs_of(second, samples), strict=True))
    noise = sum(running.distance(a, b) for a, b in pairs)
    return float(running.sqnr_db(sum(running.energy(a) for a, _ in pairs), noise))


def quantized(flatbuffer: bytes, samples: list[dict[str, Any]], options: Any) -> bytes:
    made: bytes = quantizing.quantize(quantizing.measure(flatbuffer, samples, lambda _: None), options)[0]
    return made


EQUALIZABLE: dict[str, tuple[tuple[int, ...], Callable[[], list[Any]], int]] = {
    "convolutions": ((8, 8, 3), lambda: [L.Conv2D(6, 3, activation="relu"), L.Conv2D(4, 1)], 1),
    "depthwise": (
        (8, 8, 3), lambda: [L.Conv2D(6, 1, activation="relu"), L.DepthwiseConv2D(3), L.ReLU(), L.Conv2D(4, 1)], 2,
    ),
    "multiplier": ((8, 8, 3), lambda: [L.DepthwiseConv2D(3, depth_multiplier=2), L.Conv2D(4, 1)], 1),
    "pooling and flattening": (
        (8, 8, 2), lambda: [L.Conv2D(5, 3, activation="relu"), L.MaxPooling2D(), L.Flatten(), L.Dense(3)], 1,
    ),
    "mean": ((8, 8, 2), lambda: [L.Conv2D(5, 3, activation="relu"), L.GlobalAveragePooling2D(), L.Dense(3)], 1),
    "padding": (
        (8, 8, 2), lambda: [L.Conv2D(5, 3, activation="relu"), L.ZeroPadding2D(((0, 1), (2, 0))), L.Conv2D(3, 3)], 1,
    ),
    "dense": ((7,), lambda: [L.Dense(9, activation="relu"), L.Dense(9), L.LeakyReLU(), L.Dense(2)], 2),
}


@pytest.mark.parametrize("name", EQUALIZABLE)
def test_equalization_evens_channels_out_and_leaves_the_function_as_it_is(name: str, lowered: Lowered) -> None:
    shape, layers, pairs = EQUALIZABLE[name]
    flatbuffer, samples = lowered(shape, *layers())
    for seen in (samples, ()):
        made = equalizing.equalize(flatbuffer, seen)
        assert made.pairs == pairs
        assert made.flatbuffer != flatbuffer
        assert difference_db(flatbuffer, made.flatbuffer, samples) > 100


@pytest.mark.parametrize(
    "layers",
    [
        lambda: [L.Conv2D(6, 3, activation="relu6"), L.Conv2D(4, 1)],
        lambda: [L.Conv2D(6, 3, activation="tanh"), L.Conv2D(4, 1)],
        lambda: [L.Conv2D(6, 3, activation="relu")],
    ],
)
def test_what_cannot_be_equalized_is_left_alone(layers: Callable[[], list[Any]], lowered: Lowered) -> None:
    flatbuffer, samples = lowered((8, 8, 3), *layers())
    assert equalizing.equalize(flatbuffer, samples).flatbuffer == flatbuffer


def test_a_channel_that_is_always_zero_is_left_alone(lowered: Lowered) -> None:
    dead = L.Dense(4, activation="relu")
    flatbuffer, samples = lowered((5,), dead, L.Dense(3))
    made = equalizing.equalize(flatbuffer, [{"input": np.zeros((1, 5), np.float32)}])
    assert np.isfinite(difference_db(flatbuffer, made.flatbuffer, samples)) or made.pairs
    assert difference_db(flatbuffer, made.flatbuffer, samples) > 100


def test_fully_connected_as_convolution_keeps_a_scale_for_each_channel_on_old_runtimes(lowered: Lowered) -> None:
    flatbuffer, samples = lowered((12,), L.Dense(16, activation="relu"), L.Dense(16, activation="relu"), L.Dense(4))
    made, count = convolving.with_convolutions(flatbuffer)
    assert count == 3
    assert difference_db(flatbuffer, made, samples) > 110
    assert "FULLY_CONNECTED" not in {operator.type for operator in parse_model(made).main.operators}
    options = check_options(runtime="tflite-2.7", io="float32")
    plain, better = (
        difference_db(flatbuffer, quantized(each, samples, options), samples) for each in (flatbuffer, made)
    )
    assert better > plain + 3


def test_the_average_of_a_whole_picture_gets_a_scale_of_its_own(lowered: Lowered) -> None:
    flatbuffer, samples = lowered((16, 16, 2), L.Conv2D(8, 3, activation="relu"), L.AveragePooling2D(14), L.Flatten())
    made, used = surgery.with_int8_forms(flatbuffer, {"averages"})
    assert used == {"averages"}
    assert difference_db(flatbuffer, made, samples) > 110
    options = check_options(io="float32")
    plain, better = (
        difference_db(flatbuffer, quantized(each, samples, options), samples) for each in (flatbuffer, made)
    )
    assert better > plain


def test_an_average_of_parts_stays_a_pooling(lowered: Lowered) -> None:
    flatbuffer, _ = lowered((16, 16, 2), L.Conv2D(8, 3), L.AveragePooling2D(2))
    assert surgery.with_int8_forms(flatbuffer, {"averages"}) == (flatbuffer, frozenset())


def test_a_way_that_gives_no_model_is_told_and_the_next_one_tried() -> None:
    ladder = pytest.importorskip("edgekit_converters.accuracy.ladder")

    def candidate(name: str) -> Any:
        return ladder.Candidate(name.encode(), name, "tried", b"", None)

    def breaks_down(best: Any) -> Any:
        yield candidate("unreadable")
        raise ConversionError("the quantizer failed")

    def mends(best: Any) -> Any:
        assert best.name == "better"
        yield candidate("best")
        raise AssertionError("the gate holds already")

    losses = {"first": 9.0, "worse": 12.0, "better": 5.0, "best": 1.0}

    def score(candidate: Any) -> tuple[Any, float]:
        if candidate.name not in losses:
            raise ModelFileError("it has an impossible scale")
        after = 0.9 - losses[candidate.name] / 100
        return judge(metric("accuracy", "share", after, 0.9), MaxDrop(2, "%")), 0.0

    best, recovery = ladder.climb(
        candidate("first"), [lambda _: iter(map(candidate, ("worse", "better"))), breaks_down, mends], score,
        lambda _: None,
    )
    assert (best.name, recovery.best.name, recovery.holds) == ("best", "best", True)
    assert [(step.name, step.kept) for step in recovery.steps] == [
        ("first", True), ("worse", False), ("better", True), ("best", True),
    ]
    assert recovery.failures == ("it has an impossible scale", "the quantizer failed")
    assert "no model: the quantizer failed" in list(recovery.lines())
    assert json.dumps(recovery.to_dict())
