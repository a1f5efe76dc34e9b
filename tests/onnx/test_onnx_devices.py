"""`.onnx` files on `onnx`, `cuda` and `tensorrt`: what runs, what is refused; nothing falls back in silence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import edgekit
from edgekit import DeviceError, MissingDependencyError, ModelFileError, UsageError, metadata
from edgekit.metadata import Metadata

onnx = pytest.importorskip("onnx", reason="needs the onnx extra: pip install 'edgekit-sdk[onnx]'")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra: pip install 'edgekit-sdk[onnxruntime]'")
helper, FLOAT = onnx.helper, onnx.TensorProto.FLOAT
CPU_ONLY = "TensorrtExecutionProvider" not in onnxruntime.get_available_providers()


def model_of(graph: Any) -> bytes:
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 15)])
    return bytes(model.SerializeToString())


def network(*kinds: str) -> bytes:
    """Three numbers through operations of one input."""
    names = [f"t{at}" for at in range(len(kinds))] + ["y"]
    names[0] = "x"
    nodes = [helper.make_node(kind, [names[at]], [names[at + 1]]) for at, kind in enumerate(kinds)]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(nodes, "g", [value("x", FLOAT, (1, 3))], [value("y", FLOAT, (1, 3))])
    return model_of(graph)


def quantized() -> bytes:
    """Three numbers, rounded to int8 and back."""
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"]),
    ]
    value = helper.make_tensor_value_info
    constants = [
        helper.make_tensor("s", FLOAT, (), [0.5]), helper.make_tensor("z", onnx.TensorProto.INT8, (), [0]),
    ]
    graph = helper.make_graph(nodes, "g", [value("x", FLOAT, (1, 3))], [value("y", FLOAT, (1, 3))], constants)
    return model_of(graph)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "absolute.onnx"
    path.write_bytes(network("Abs"))
    return path


@pytest.fixture
def row(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text("a,b,c\n-1,2,-3\n")
    return path


@pytest.mark.parametrize("device", ["onnx", "cpu", "auto"])
def test_it_runs_on_the_processor(
    call: Callable[..., int], model: Path, row: Path, device: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(model, row, "--device", device, "--task", "values") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["device"] == ("onnx" if device == "onnx" else "cpu")
    assert said["values"] == [1, 2, 3]


@pytest.mark.skipif(not CPU_ONLY, reason="onnxruntime is built with TensorRT here")
@pytest.mark.parametrize("device", ["tensorrt", "cuda", "tensorrt:0"])
def test_what_onnxruntime_lacks_is_said_with_the_cure(
    call: Callable[..., int], model: Path, row: Path, device: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(model, row, "--device", device, "--task", "values") == 1
    said = capsys.readouterr().err
    assert "is built without" in said
    assert "onnxruntime-gpu" in said
    assert "docs/tensorrt.md" in said


@pytest.mark.skipif(not CPU_ONLY, reason="onnxruntime is built with TensorRT here")
def test_other_devices_take_over_where_they_are_named(model: Path) -> None:
    with pytest.warns(UserWarning, match=r"tensorrt cannot be used, trying cuda") as warned:
        opened = edgekit.load(model, device="tensorrt,cuda,cpu")
    assert opened.device == "cpu"
    assert any("cuda cannot be used, trying cpu" in str(warning.message) for warning in warned)


def test_a_provider_that_onnxruntime_leaves_out_in_silence_is_missed(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where CUDA's libraries are missing: the provider is built in, and onnxruntime would take the processor."""
    there = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: there)
    with warnings.catch_warnings(), pytest.raises(DeviceError, match=r"CUDA"):
        warnings.simplefilter("ignore")
        edgekit.load(model, device="cuda", task="values")


def test_without_onnxruntime_the_extra_is_named(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    for device in ("onnx", "auto", "tensorrt"):
        with pytest.raises(MissingDependencyError, match=r"edgekit-sdk\[onnxruntime\]"):
            edgekit.load(model, device=device, task="values")


@pytest.mark.parametrize("device", ["onnx", "cuda", "tensorrt"])
def test_a_tflite_file_is_refused_with_the_way_to_an_onnx_file(numbers: Path, device: str) -> None:
    with pytest.raises(UsageError, match="--also onnx"):
        edgekit.load(numbers, device=device)


@pytest.mark.parametrize("device", ["coral", "cpu:reference"])
def test_devices_for_tflite_files_refuse_an_onnx_file(model: Path, device: str) -> None:
    with pytest.raises(UsageError, match=r"runs \.tflite files, and absolute\.onnx is an ONNX model"):
        edgekit.load(model, device=device, task="values")


@pytest.mark.parametrize(
    ("device", "options"),
    [("tensorrt:first", {}), ("onnx:0", {}), ("tensorrt", {"fp16": "yes"}), ("cuda", {"fp16": "on"}),
     ("tensorrt", {"rest": "gpu"})],
)
def test_names_and_options_that_do_not_exist_are_refused(model: Path, device: str, options: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        edgekit.load(model, device=device, device_options=options, task="values")


def test_an_operation_that_onnxruntime_does_not_know_is_an_error_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "strange.onnx"
    path.write_bytes(network("Frobnicate"))
    with pytest.raises(ModelFileError, match=r"cannot be opened by onnxruntime: .*Frobnicate"):
        edgekit.load(path, task="values")


def test_a_network_that_fails_on_a_device_is_told_of(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = edgekit.load(model, device="onnx", task="values")

    def fail(*_arguments: object, **_named: object) -> None:
        raise RuntimeError("[ONNXRuntimeError] : 1 : FAIL : out of memory\nand more")

    monkeypatch.setattr(onnxruntime.InferenceSession, "run", fail)
    with pytest.warns(UserWarning, match="device-lost"), pytest.raises(DeviceError, match="out of memory"):
        opened(np.zeros(3, np.float32))


def test_nothing_is_told_to_the_makers_of_onnxruntime(model: Path, row: Path, tmp_path: Path) -> None:
    """From 1.29 on it keeps a database of events in the cache, and sends it."""
    environment = {key: value for key, value in os.environ.items() if key not in ("ORT_DISABLE_TELEMETRY", "CI")}
    subprocess.run(
        [sys.executable, "-m", "edgekit", "run", model, row, "--task", "values"], check=True, capture_output=True,
        env=environment | {"XDG_CACHE_HOME": str(tmp_path / "cache")},
    )
    assert not (tmp_path / "cache" / "Microsoft").exists()


class Sessions:
    """In the place of onnxruntime's GPU build: what sessions were opened with."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def open(self, path: str, settings: Any, *, providers: Any, enable_fallback: int) -> Any:
        assert not enable_fallback
        self.asked.append(SimpleNamespace(path=path, settings=settings.entries, providers=providers))
        given = SimpleNamespace(name="x", shape=[1, 3], type="tensor(float)")
        return SimpleNamespace(
            get_inputs=lambda: [given], get_providers=lambda: [name for name, _ in providers],
            disable_fallback=lambda: None, run=lambda _names, feed: [np.abs(feed["x"])],
        )

    @property
    def options(self) -> Mapping[str, str]:
        """Of the first provider of the last session."""
        options: Mapping[str, str] = self.asked[-1].providers[0][1]
        return options


class Settings:
    def __init__(self) -> None:
        self.entries: dict[str, str] = {}

    def add_session_config_entry(self, name: str, value: str) -> None:
        self.entries[name] = value


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Sessions]:
    sessions = Sessions()
    there = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
    module = SimpleNamespace(
        __version__="1.23.0", __file__=str(tmp_path / "onnxruntime" / "__init__.py"), SessionOptions=Settings,
        InferenceSession=sessions.open, get_available_providers=lambda: there,
        set_default_logger_severity=lambda _level: None,
    )
    monkeypatch.setitem(sys.modules, "onnxruntime", module)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="TensorRT builds an engine")
        yield sessions


def opened(path: Path, content: bytes, precision: str, **options: Any) -> edgekit.Model:
    about = Metadata(task="values", provenance={"precision": precision})
    path.write_bytes(metadata.write_onnx(content, about))
    return edgekit.load(path, device="tensorrt:1", device_options=options)


def test_a_quantized_network_runs_in_int8_and_float16(gpu: Sessions, tmp_path: Path) -> None:
    model = opened(tmp_path / "m.onnx", quantized(), "int8")
    assert model.device == "tensorrt:1"
    assert {key: gpu.options[key] for key in ("device_id", "trt_int8_enable", "trt_fp16_enable")} == {
        "device_id": "1", "trt_int8_enable": "True", "trt_fp16_enable": "True",
    }
    assert gpu.asked[-1].settings == {"session.disable_cpu_ep_fallback": "1"}
    assert [name for name, _ in gpu.asked[-1].providers] == ["TensorrtExecutionProvider"]


def test_a_float_network_keeps_its_precision_unless_told_otherwise(gpu: Sessions, tmp_path: Path) -> None:
    opened(tmp_path / "m.onnx", network("Abs"), "float32")
    assert (gpu.options["trt_int8_enable"], gpu.options["trt_fp16_enable"]) == ("False", "False")
    opened(tmp_path / "m.onnx", network("Abs"), "float32", fp16="on", workspace=512)
    assert (gpu.options["trt_fp16_enable"], gpu.options["trt_max_workspace_size"]) == ("True", str(512 << 20))


@pytest.mark.parametrize("workspace", ["0", "-1", "many", "1e3"])
def test_a_workspace_is_a_number_of_megabytes(gpu: Sessions, tmp_path: Path, workspace: str) -> None:
    with pytest.raises(UsageError, match="workspace"):
        opened(tmp_path / "m.onnx", network("Abs"), "float32", workspace=workspace)


def test_others_run_what_tensorrt_does_not_take_where_that_is_allowed(gpu: Sessions, tmp_path: Path) -> None:
    opened(tmp_path / "m.onnx", network("Abs"), "float32", rest="cuda")
    assert [name for name, _ in gpu.asked[-1].providers] == ["TensorrtExecutionProvider", "CUDAExecutionProvider"]
    assert gpu.asked[-1].settings == {"session.disable_cpu_ep_fallback": "1"}
    opened(tmp_path / "m.onnx", network("Abs"), "float32", rest="cpu")
    assert gpu.asked[-1].providers[-1][0] == "CPUExecutionProvider"
    assert not gpu.asked[-1].settings


def test_each_network_has_an_engine_of_its_own(gpu: Sessions, tmp_path: Path) -> None:
    """onnxruntime names engines after the graph: one that was trained again would run with the old weights."""
    folders = []
    for kind in ("Abs", "Neg"):
        opened(tmp_path / "m.onnx", network(kind), "float32")
        assert gpu.options["trt_engine_cache_enable"] == "True"
        folders.append(Path(gpu.options["trt_engine_cache_path"]))
    assert folders[0] != folders[1]
    assert all(folder.is_dir() and folder.is_relative_to(tmp_path / "cache") for folder in folders)


def test_auto_takes_what_onnxruntime_is_built_for(gpu: Sessions, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(network("Abs"))
    model = edgekit.load(path, task="values")
    assert model.device == "tensorrt"
