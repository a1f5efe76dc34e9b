"""Fixtures for the tests of the GPU: no device, and the processes that use one."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray


@pytest.fixture
def no_gpu(vulkan: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No Vulkan adapter answers."""
    monkeypatch.setenv("VK_DRIVER_FILES", str(tmp_path / "absent.json"))


@pytest.fixture
def children() -> Callable[[], set[int]]:
    """Tells the numbers of this process's children."""

    def look() -> set[int]:
        lists = (task / "children" for task in Path(f"/proc/{os.getpid()}/task").iterdir())
        return {int(number) for file in lists for number in file.read_text().split()}

    return look


@pytest.fixture
def as_float(tmp_path: Path) -> Callable[..., Path]:
    """Makes a float network of one that is quantized by a scale for each tensor; its weights float16 if wanted."""
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated", reason="needs the schema of ai-edge-litert")

    def make(path: Path, *, half: bool = False) -> Path:
        model = schema.ModelT.InitFromPackedBuf(path.read_bytes())
        [graph], model.metadata = model.subgraphs, None  # it names labels, which follow the model
        constants = {at: _real(model, tensor, schema) for at, tensor in enumerate(graph.tensors)}
        for tensor in graph.tensors:
            tensor.type = schema.TensorType.FLOAT32 if tensor.quantization.scale is not None else tensor.type
            tensor.quantization = None
        for at, values in constants.items():
            if values is None:
                continue
            weight = _half(model, graph, at, schema) if half else graph.tensors[at]
            dtype = np.float16 if half else np.float32
            model.buffers[weight.buffer].data = np.frombuffer(values.astype(dtype).tobytes(), np.uint8)
        made = tmp_path / f"{path.stem}_{'half' if half else 'float'}.tflite"
        made.write_bytes(_packed(model))
        return made

    return make


def _real(model: Any, tensor: Any, schema: Any) -> NDArray[Any] | None:
    """The real values of a quantized constant."""
    data, told = model.buffers[tensor.buffer].data, tensor.quantization
    if data is None or told is None or told.scale is None:
        return None
    dtype = np.uint8 if tensor.type == schema.TensorType.UINT8 else np.int32
    values: NDArray[Any] = (np.frombuffer(data, dtype).astype(np.float64) - told.zeroPoint[0]) * told.scale[0]
    return values


def _half(model: Any, graph: Any, at: int, schema: Any) -> Any:
    """A constant of float16, which an operator that is put first turns into the tensor."""
    kinds = [code.builtinCode for code in model.operatorCodes]
    if schema.BuiltinOperator.DEQUANTIZE not in kinds:
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.DEQUANTIZE
        code.version = 3
        model.operatorCodes.append(code)
        kinds.append(code.builtinCode)
    whole, weight, step = graph.tensors[at], schema.TensorT(), schema.OperatorT()
    weight.name, weight.shape, weight.type = whole.name + b"/half", whole.shape, schema.TensorType.FLOAT16
    weight.buffer, whole.buffer = whole.buffer, 0
    graph.tensors.append(weight)
    step.opcodeIndex = kinds.index(schema.BuiltinOperator.DEQUANTIZE)
    step.inputs, step.outputs = [len(graph.tensors) - 1], [at]
    graph.operators.insert(0, step)
    return weight


def _packed(model: Any) -> bytes:
    import flatbuffers

    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


@pytest.fixture
def broken_driver(vulkan: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes a C statement all that the one Vulkan driver does, once it is loaded."""

    def make(statement: str) -> None:
        source, library, manifest = (tmp_path / f"driver.{end}" for end in ("c", "so", "json"))
        source.write_text(
            "#include <stdlib.h>\n#include <unistd.h>\n"
            f"__attribute__((constructor)) static void start(void) {{ {statement}; }}\n"
        )
        try:
            subprocess.run(["cc", "-shared", "-fPIC", str(source), "-o", str(library)], check=True)
        except FileNotFoundError:
            pytest.skip("needs a C compiler for the driver")
        about = {"library_path": str(library), "api_version": "1.0.0"}
        manifest.write_text(json.dumps({"file_format_version": "1.0.0", "ICD": about}))
        monkeypatch.setenv("VK_DRIVER_FILES", str(manifest))

    return make
