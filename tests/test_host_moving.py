"""The end of a model that the device computes: left out of the network, and computed the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import edgekit
from edgekit import ModelFileError, host
from edgekit.interpreter import import_runtime
from edgekit.metadata import HostArgmax, HostResize, HostStep, Metadata, OutputMetadata, own, read, write
from edgekit_devices.coral.placement import analyse

schema: Any = pytest.importorskip("ai_edge_litert.schema_py_generated")

Build = Callable[..., Path]
Pack = Callable[[Any], bytes]
Archive = Callable[..., bytes]
one_by_one = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

SIZES = st.integers(1, 12)
CENTRES = st.sampled_from([(False, False), (True, False), (False, True)])
STEPS: tuple[HostStep, ...] = (HostResize("bilinear", 16, 12, half_pixel_centers=True), HostArgmax(3))


# The steps, held to the interpreter's own operations


def computed(model: bytes, *tensors: NDArray[Any]) -> NDArray[Any]:
    """What the interpreter's reference kernel gives for these inputs."""
    resolver = import_runtime().OpResolverType.BUILTIN_REF
    interpreter = import_runtime().Interpreter(model_content=model, experimental_op_resolver_type=resolver)
    interpreter.allocate_tensors()
    for detail, values in zip(interpreter.get_input_details(), tensors, strict=True):
        interpreter.set_tensor(detail["index"], values)
    interpreter.invoke()
    found: NDArray[Any] = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    return found


@one_by_one
@given(SIZES, SIZES, SIZES, SIZES, CENTRES, st.sampled_from(["bilinear", "nearest"]), st.integers(0, 9))
def test_resizes_are_those_of_the_interpreter(
    build: Build, pack_model: Pack, height: int, width: int, new_height: int, new_width: int,
    centres: tuple[bool, bool], method: Any, seed: int,
) -> None:
    name = {"bilinear": "ResizeBilinear", "nearest": "ResizeNearestNeighbor"}[method]
    operator = {"bilinear": "RESIZE_BILINEAR", "nearest": "RESIZE_NEAREST_NEIGHBOR"}[method]
    shape = (1, height, width, 2)
    path = build(
        operator, [("x", shape, "float32"), ("size", (2,), "int32")], [("y", (1, new_height, new_width, 2), "float32")]
    )
    parts = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes(), 0))
    step = parts.subgraphs[0].operators[0]
    step.builtinOptionsType = getattr(schema.BuiltinOptions, f"{name}Options")
    step.builtinOptions = getattr(schema, f"{name}OptionsT")()
    step.builtinOptions.alignCorners, step.builtinOptions.halfPixelCenters = centres
    values = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    expected = computed(pack_model(parts), values, np.array([new_height, new_width], np.int32))
    (resize,) = host.prepare((HostResize(method, new_height, new_width, *centres),), shape)
    found = resize(values)
    assert found.shape == expected.shape
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 if method == "bilinear" else 0)


def test_the_first_of_equal_values_is_the_largest() -> None:
    values = np.array([[[[1, 3, 3], [2, 2, 2]]]], np.float32)
    steps = host.prepare((HostArgmax(3),), values.shape)
    found = host.apply(steps, values)
    assert found.tolist() == [[[1, 0]]]
    assert found.dtype == np.float32


def test_infinity_does_not_spread() -> None:
    values = np.zeros((1, 4, 4, 1), np.float32)
    values[0, 0, 0] = -np.inf
    found = host.apply(host.prepare((HostResize("bilinear", 9, 9),), values.shape), values)
    assert np.isfinite(found[0, 3:]).all()
    assert np.isfinite(found[0, :, 3:]).all()


def test_steps_one_after_the_other() -> None:
    shape = (1, 4, 3, 5)
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    found = host.apply(host.prepare(STEPS, shape), values)
    assert found.shape == host.shape_after(STEPS, shape) == (1, 16, 12)
    assert set(np.unique(found)) <= set(range(5))
    assert host.apply(host.prepare((), shape), values) is values


# What the file says


def only(result: edgekit.Result) -> NDArray[np.float32]:
    """The values of a result's one output."""
    assert isinstance(result, edgekit.Values)
    (found,) = result.values.values()
    return found


def with_steps(build: Build, describe: Callable[[Path, Metadata], None], *steps: HostStep) -> Path:
    path = build("ABS", [("x", (1, 4, 3, 5), "float32")], [("y", (1, 4, 3, 5), "float32")])
    describe(path, Metadata(outputs=(OutputMetadata(host=steps),)))
    return path


def test_what_is_written_is_read_back(build: Build, describe: Callable[[Path, Metadata], None]) -> None:
    assert read(with_steps(build, describe, *STEPS)).outputs[0].host == STEPS
    nearest = HostResize("nearest", 1, 2, align_corners=True)
    assert read(with_steps(build, describe, nearest)).outputs[0].host == (nearest,)


def test_a_file_without_steps_says_nothing_of_them(said: Metadata) -> None:
    assert "outputs" not in json.loads(own.encode_own(said, ""))


RIGHT: dict[str, Any] = {"op": "resize", "method": "bilinear", "height": 2, "width": 2}
WRONG: list[dict[str, Any]] = [
    {"method": "bicubic"}, {"method": []}, {"height": 0}, {"width": "2"}, {"width": None}, {"align_corners": 1},
    {"half_pixel_centers": "no"}, {"align_corners": True, "half_pixel_centers": True},
]


@pytest.mark.parametrize("outputs", [
    "y", ["y"], [{"host": 1}], [{"host": [1]}], [{"host": [{}]}], [{"host": [{"op": "softmax"}]}],
    [{"host": [{"op": ["argmax"], "axis": 3}]}], [{"host": [{"op": "argmax"}]}],
    *([{"host": [{"op": "argmax", "axis": axis}]}] for axis in (0, -1, 1.0, True, "3", None)),
    *([{"host": [{**RIGHT, **wrong}]}] for wrong in WRONG),
])
def test_damaged_steps_are_refused(numbers: Path, with_archive: Archive, outputs: Any) -> None:
    model = numbers.read_bytes()
    document = json.loads(own.encode_own(Metadata(), own.digest(model, len(model))))
    content = json.dumps({**document, "outputs": outputs})
    with pytest.raises(ModelFileError, match=r"in its edgekit\.json"):
        read(with_archive(model, edgekit__json=content))


@pytest.mark.parametrize("step", [
    HostArgmax(4), HostResize("nearest", 1 << 20, 1 << 20), HostResize("bilinear", 10**30, 1),
])
def test_steps_that_do_not_fit_are_refused(
    build: Build, describe: Callable[[Path, Metadata], None], step: HostStep
) -> None:
    with pytest.raises(ModelFileError, match="which cannot be"):
        edgekit.load(with_steps(build, describe, step))


def test_a_resize_of_what_is_no_picture_is_refused(numbers: Path, describe: Callable[[Path, Metadata], None]) -> None:
    describe(numbers, Metadata(outputs=(OutputMetadata(host=STEPS[:1]),)))
    with pytest.raises(ModelFileError, match=r"bilinear resize to 12 x 16 on an output of shape \[1, 3\]"):
        edgekit.load(numbers)


# The runtime


def test_users_see_what_comes_after_the_steps(build: Build, describe: Callable[[Path, Metadata], None]) -> None:
    model = edgekit.load(with_steps(build, describe, *STEPS))
    values = np.random.default_rng(0).normal(size=(1, 4, 3, 5)).astype(np.float32)
    assert model.outputs[0].shape == (1, 16, 12)
    assert (only(model(values)) == host.apply(host.prepare(STEPS, values.shape), np.abs(values))[0]).all()
    assert (model.tensors(values)[0] == np.abs(values)).all()


def test_inspect_says_it(
    build: Build, describe: Callable[[Path, Metadata], None], capsys: pytest.CaptureFixture[str]
) -> None:
    from edgekit.cli.inspect import inspect_command

    path = with_steps(build, describe, *STEPS)
    inspect_command([str(path)], standalone_mode=False)
    assert "On the host  y: bilinear resize to 12 x 16, then argmax along axis 3" in capsys.readouterr().out
    inspect_command([str(path), "--json"], standalone_mode=False)
    assert json.loads(capsys.readouterr().out)["metadata"]["outputs"][0]["host"] == [
        {"method": "bilinear", "height": 16, "width": 12, "align_corners": False, "half_pixel_centers": True,
         "op": "resize"},
        {"axis": 3, "op": "argmax"},
    ]


def test_a_copy_of_the_metadata_keeps_them(build: Build, describe: Callable[[Path, Metadata], None]) -> None:
    path = with_steps(build, describe, *STEPS)
    about = read(path)
    assert read(write(path.read_bytes(), replace(about, name="Copied"))).outputs[0].host == STEPS


# The converter


def segmentation(*ends: str) -> Any:
    """A model of a picture of 64 by 64, with one output for each end: `argmax`, `resized`, `logits`, `scores`."""
    keras = pytest.importorskip("keras", reason="needs the convert extra: pip install 'edgekit-sdk[convert]'")
    layers = keras.layers
    keras.utils.set_random_seed(0)
    picture = keras.Input((64, 64, 3), name="picture")
    x = layers.Conv2D(16, 3, strides=4, padding="same", activation="relu")(picture)
    logits = layers.Conv2D(5, 1, name="classes")(x)
    large = layers.UpSampling2D(4, interpolation="bilinear")(logits)
    # A branch of its own for each further output: what two of them share stays in the network.
    other = layers.Resizing(40, 30)(layers.Conv2D(3, 1)(x))
    outputs = {
        "argmax": keras.ops.argmax(large, axis=-1), "resized": large, "logits": logits, "other": other,
        "scores": layers.Softmax()(large),
    }
    return keras.Model(picture, {end: outputs[end] for end in ends} if len(ends) > 1 else outputs[ends[0]])


def pictures() -> NDArray[np.float32]:
    blocks = np.random.default_rng(0).normal(size=(30, 8, 8, 3)).astype(np.float32)
    return blocks.repeat(8, 1).repeat(8, 2)


def convert(model: Any, path: Path, **options: Any) -> Any:
    return edgekit.convert(model, path, calibration=pictures(), target="coral", move_to_host=True, **options)


@pytest.mark.convert
@pytest.mark.usefixtures("in_process")
def test_argmax_of_a_resize(tmp_path: Path) -> None:
    model = segmentation("argmax")
    made = convert(model, tmp_path / "model.tflite")
    placed = analyse(made.path)
    assert (placed.on_target, placed.on_cpu) == (2, 0)
    assert made.operations == {"CONV_2D": 2}
    (moved,) = made.moved
    assert moved.endswith(": bilinear resize to 64 x 64, then argmax along axis 3")
    assert made.agreement is not None
    assert made.agreement.same_numbers is not None
    assert made.agreement.same_numbers >= 0.97
    assert edgekit.load(made.path).task == "segmentation"
    loaded = edgekit.load(made.path, task="values")
    assert loaded.outputs[0].shape == (1, 64, 64)
    chosen = pictures()[:8]
    found = np.stack([only(loaded(picture)) for picture in chosen])
    assert (found == np.asarray(model(chosen))).mean() >= 0.97


@pytest.mark.convert
@pytest.mark.usefixtures("in_process")
def test_several_outputs(tmp_path: Path) -> None:
    model = segmentation("argmax", "other")
    made = convert(model, tmp_path / "model.tflite", io="uint8")
    assert not analyse(made.path).on_cpu
    assert len(made.moved) == 2
    result = edgekit.load(made.path)(pictures()[0])
    assert isinstance(result, edgekit.Values)
    expected = {name: np.asarray(values)[0] for name, values in model(pictures()[:1]).items()}
    assert {name: values.shape for name, values in result.values.items()} == {"argmax": (64, 64), "other": (40, 30, 3)}
    assert np.abs(result.values["other"] - expected["other"]).max() < 0.02 * np.abs(expected["other"]).max()
    assert (result.values["argmax"] == expected["argmax"]).mean() >= 0.97


@pytest.mark.convert
@pytest.mark.usefixtures("in_process")
def test_a_resize_alone(tmp_path: Path) -> None:
    model = segmentation("resized")
    made = convert(model, tmp_path / "model.tflite")
    assert made.operations == {"CONV_2D": 2}
    assert made.agreement is not None
    assert made.agreement.same_numbers is None
    assert made.agreement.sqnr_db > 30
    expected = np.asarray(model(pictures()[:1]))[0]
    difference = np.abs(only(edgekit.load(made.path, task="values")(pictures()[0])) - expected)
    assert difference.max() < 0.02 * np.abs(expected).max()


@pytest.mark.convert
@pytest.mark.usefixtures("in_process")
def test_float_models_too(tmp_path: Path) -> None:
    model = segmentation("argmax")
    made = edgekit.convert(model, tmp_path / "model.tflite", precision="float16", move_to_host=True)
    assert not {"ARG_MAX", "RESIZE_BILINEAR"} & set(made.operations)
    assert not made.warnings
    found = only(edgekit.load(made.path, task="values")(pictures()[0]))
    assert (found == np.asarray(model(pictures()[:1]))[0]).mean() > 0.99


@pytest.mark.convert
@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("ends", [("scores",), ("argmax", "resized")])
def test_what_cannot_be_moved_is_told(tmp_path: Path, ends: tuple[str, ...]) -> None:
    """What comes after a softmax's resize is the softmax; and what an argmax takes is an output itself."""
    made = edgekit.convert(segmentation(*ends), tmp_path / "model.tflite", precision="float16", move_to_host=True)
    assert made.moved == ()
    assert any("nothing was moved" in warning for warning in made.warnings)
    assert "RESIZE_BILINEAR" in made.operations
