"""Conversion for Jetson: float16 for the GPU, an int8 file for the processor beside it, and forms that a GPU takes."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

import edgekit
from edgekit import ConversionError, UsageError, metadata
from edgekit.errors import OutputError
from edgekit.interpreter import Engine
from edgekit.tflite import ModelFile, read_model
from edgekit.twin import cpu_twin_of, find_cpu_twin

keras = pytest.importorskip("keras", reason="needs the convert extra: pip install 'edgekit-sdk[convert]'")
from edgekit_converters import Conversion, options, process, twinning  # noqa: E402
from edgekit_converters.cli import convert_command  # noqa: E402

pytestmark = [pytest.mark.convert, pytest.mark.usefixtures("in_process", "no_adapter", "any_speed")]
L = keras.layers


@pytest.fixture
def no_adapter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here that could be asked what it takes: the tests of the placement have a software device."""
    monkeypatch.setenv("VK_DRIVER_FILES", "/nonexistent")


@pytest.fixture
def any_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    """How fast a file is on this machine is not what decides here."""
    monkeypatch.setattr(twinning, "speed_of", lambda _model, _other: 2.0)


def pictures() -> NDArray[np.float32]:
    return np.random.default_rng(0).uniform(0, 1, (60, 16, 16, 3)).astype(np.float32)


def cnn() -> Any:
    keras.utils.set_random_seed(0)
    head = [L.GlobalAveragePooling2D(), L.Dense(4, activation="softmax")]
    return keras.Sequential([keras.Input((16, 16, 3)), L.Conv2D(32, 3, activation="relu"), L.Conv2D(32, 3), *head])


def dtypes(file: ModelFile) -> set[str]:
    return {tensor.dtype for tensor in file.main.tensors if tensor.constant}


def test_the_file_for_the_gpu_is_float16_and_alone_without_calibration_data(tmp_path: Path) -> None:
    made = edgekit.convert(cnn(), tmp_path / "x.tflite", target="jetson")
    file = read_model(made.path)
    assert made.precision == "float16"
    assert "float16" in dtypes(file)
    assert [tensor.dtype for tensor in (*file.inputs, *file.outputs)] == ["float32", "float32"]
    assert metadata.read(file).target == "jetson"
    assert made.twin is None
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.tflite"]
    assert made.placement is None
    assert any("which operations the GPU takes is not known here" in warning for warning in made.warnings)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Conversion:
    """A file for the GPU and one for the processor beside it."""
    folder = tmp_path_factory.mktemp("both")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(options, "AUTO", "minmax")
        patch.setattr(process, "run", lambda job, report, **_others: job.carry_out(report))
        patch.setattr(twinning, "speed_of", lambda _model, _other: 2.0)
        patch.setenv("VK_DRIVER_FILES", "/nonexistent")
        return edgekit.convert(
            cnn(), folder / "x.tflite", target="jetson", calibration=pictures(), normalize="0..1"
        )


def test_with_calibration_data_an_int8_file_for_the_processor_lies_beside_it(both: Conversion) -> None:
    assert both.twin is not None
    assert both.twin.path == both.path.with_name("x_cpu.tflite")
    assert both.twin.size == both.twin.path.stat().st_size < both.size
    assert both.twin.agreement.sqnr_db > 25
    assert both.to_dict()["twin"]["path"] == str(both.twin.path)
    file, twin = read_model(both.path), read_model(both.twin.path)
    assert [(t.dtype, t.static_shape) for t in twin.inputs] == [(t.dtype, t.static_shape) for t in file.inputs]
    assert "float16" not in dtypes(twin)
    assert "int8" in dtypes(twin)
    assert metadata.read(twin).target == "cpu"


def test_it_answers_as_the_file_for_the_gpu_does(both: Conversion) -> None:
    picture = np.random.default_rng(5).integers(0, 255, (16, 16, 3), np.uint8)
    assert both.twin is not None
    results = [edgekit.load(path, device="cpu")(picture) for path in (both.path, both.twin.path)]
    scores = [result.classes[0].score for result in results if isinstance(result, edgekit.Classification)]
    assert scores[0] == pytest.approx(scores[1], abs=0.05)


@pytest.mark.parametrize("device", ["gpu,cpu", "auto"])
def test_the_processor_takes_it_unless_it_alone_is_named(
    both: Conversion, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VK_DRIVER_FILES", "/nowhere.json")
    with pytest.warns(UserWarning) as told:
        model = edgekit.load(both.path, device=device)
    assert model.device == "cpu"
    said = " ".join(str(warning.message) for warning in told)
    assert f"cpu runs {both.path.with_name('x_cpu.tflite')}, the file for the processor beside x.tflite" in said


def test_one_who_names_the_processor_alone_gets_the_file_that_was_named(
    both: Conversion, recwarn: pytest.WarningsRecorder
) -> None:
    edgekit.load(both.path, device="cpu")
    assert not [warning for warning in recwarn if "x_cpu" in str(warning.message)]


@pytest.mark.parametrize("change", ["another model", "damaged"])
def test_another_file_of_that_name_does_not_pass_for_it(both: Conversion, tmp_path: Path, change: str) -> None:
    file = Path(shutil.copy(both.path, tmp_path))
    twin = Path(shutil.copy(cpu_twin_of(both.path), tmp_path))
    assert find_cpu_twin(read_model(file)) is not None
    if change == "damaged":
        twin.write_bytes(twin.read_bytes()[:1000])
    else:
        about = metadata.read(read_model(twin))
        source = {**about.provenance["source"], "twin_of": "0" * 64}
        other = replace(about, provenance={**about.provenance, "source": source})
        twin.write_bytes(metadata.write(twin.read_bytes(), other))
    assert find_cpu_twin(read_model(file)) is None
    with pytest.warns(UserWarning, match="was not made together with"):
        edgekit.load(file)


def test_an_int8_file_that_is_slower_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twinning, "speed_of", lambda _model, _other: 0.25)
    made = edgekit.convert(cnn(), tmp_path / "x.tflite", target="jetson", calibration=pictures())
    assert made.twin is None
    assert not (tmp_path / "x_cpu.tflite").exists()
    said = "no int8 file for the processor is written: it would take 4.0 times as long on this machine's processor"
    assert said in made.warnings


def test_what_cannot_be_int8_is_still_written_for_the_gpu(tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((16, 16, 3)), L.Conv2D(8, 3), L.Lambda(keras.ops.sin), L.Flatten()])
    made = edgekit.convert(model, tmp_path / "x.tflite", target="jetson", calibration=pictures())
    assert made.path.exists()
    assert any("no int8 file for the processor is written: not all of the model can be" in w for w in made.warnings)


def test_int8_for_the_gpu_is_made_when_asked_for(tmp_path: Path) -> None:
    made = edgekit.convert(
        cnn(), tmp_path / "x.tflite", target="jetson", precision="int8", io="uint8", calibration=pictures()
    )
    assert (made.precision, made.inputs[0].dtype, made.twin) == ("int8", "uint8", None)


def test_16_bit_integers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="target 'jetson' does not run precision 'int16x8'") as told:
        edgekit.convert(cnn(), tmp_path / "x.tflite", target="jetson", precision="int16x8", calibration=pictures())
    assert told.value.hint == "It runs: float16, float32, int8, dynamic."


def test_an_lstm_is_unrolled_since_the_gpu_has_no_variables(tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3, 3)), L.LSTM(6), L.Dense(2)])
    made = edgekit.convert(model, tmp_path / "x.tflite", target="jetson")
    assert list(made.rewrites) == ["loops", "slices"]
    assert not any(tensor.variable for tensor in read_model(made.path).main.tensors)
    series = np.random.default_rng(1).normal(size=(3, 3)).astype(np.float32)
    found = Engine(str(made.path)).run([series[None]])[0]
    np.testing.assert_allclose(found, model(series[None]).numpy(), atol=2e-3)


def test_slices_keep_their_axes(tmp_path: Path) -> None:
    inputs = keras.Input((4, 6, 3))
    model = keras.Model(inputs, keras.ops.concatenate([inputs[:, -1, 1:4], inputs[:, 0, ::2]], 1))
    made = edgekit.convert(model, tmp_path / "x.tflite", target="jetson", precision="float32")
    file = read_model(made.path, details=True)
    slices = [operator for operator in file.main.operators if operator.type == "STRIDED_SLICE"]
    assert slices
    assert not any(operator.options.get("shrink_axis_mask") for operator in slices)
    x = np.random.default_rng(2).normal(size=(4, 6, 3)).astype(np.float32)
    np.testing.assert_array_equal(Engine(str(made.path)).run([x[None]])[0], model(x[None]).numpy())


def test_full_mapping_cannot_be_promised_without_an_answer(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="is not known here") as told:
        edgekit.convert(cnn(), tmp_path / "x.tflite", target="jetson", require_full_mapping=True)
    assert "VK_DRIVER_FILES" in told.value.hint
    assert not (tmp_path / "x.tflite").exists()


def test_full_mapping_names_the_layer_that_the_gpu_computes_wrong(tmp_path: Path, software_gpu: None) -> None:
    shortcut = L.Conv2D(16, 1, strides=2, name="shortcut")
    model = keras.Sequential([keras.Input((8, 8, 16)), shortcut, L.Flatten(), L.Dense(4)])
    data = np.random.default_rng(0).normal(size=(20, 8, 8, 16)).astype(np.float32)
    with pytest.raises(ConversionError, match=r"the GPU computes .*; CONV_2D in .*shortcut") as told:
        edgekit.convert(
            model, tmp_path / "x.tflite", target="jetson", precision="int8", calibration=data,
            require_full_mapping=True,
        )
    assert told.value.hint == "Convert the model with --precision float16, and look again."
    assert not list(tmp_path.iterdir())


def test_the_command_tells_of_both_files(tmp_path: Path) -> None:
    cnn().save(tmp_path / "net.keras")
    np.save(tmp_path / "pictures.npy", pictures())
    done = CliRunner().invoke(convert_command, [
        str(tmp_path / "net.keras"), "-o", str(tmp_path / "x.tflite"), "--target", "jetson",
        "--calibration", str(tmp_path / "pictures.npy"),
    ])
    assert done.exit_code == 0, done.output
    assert "float16, " in done.output
    assert f"for the cpu  {tmp_path / 'x_cpu.tflite'}" in done.output
    assert "2.0 times as fast on this machine's processor" in done.output
    assert f" run {tmp_path / 'x.tflite'} PICTURE --device gpu,cpu" in done.output


def test_what_cannot_be_written_is_told_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "x_cpu.tflite").mkdir()
    with pytest.raises(OutputError, match=r"x_cpu\.tflite: it is a folder"):
        edgekit.convert(cnn(), tmp_path / "x.tflite", target="jetson", calibration=pictures())
