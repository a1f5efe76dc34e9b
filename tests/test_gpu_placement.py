"""Where operations run on a GPU: LiteRT's own answer on the software Vulkan device of Debian's chromium package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import edgekit
from edgekit import DeviceError, UsageError
from edgekit.cli.inspect import inspect_command
from edgekit.tflite import parse_model
from edgekit_devices.gpu import faults
from edgekit_devices.gpu.answer import read
from edgekit_devices.gpu.placement import analyse, asking, partition, refusals, single
from edgekit_devices.gpu.placement.asking import Told
from tests.tiny_models import chain, classifier, one_operator, pack, schema

AROUND_A_REFUSED_ONE = ["TANH", "LOG_SOFTMAX", "TANH", "LOGISTIC", "ABS"]


def model_of(operators: list[str]) -> bytes:
    return pack(chain(operators, 8))


@pytest.mark.usefixtures("software_gpu")
def test_a_model_that_the_gpu_takes() -> None:
    placed = analyse(model_of(["TANH", "ABS"]))
    assert (placed.target, placed.on_target, placed.on_cpu) == ("gpu", 2, 0)
    assert placed.asked.startswith("LiteRT ")
    assert placed.asked.endswith("on SwiftShader Device (Subzero), a software device")
    assert placed.notes[0].startswith("No GPU was asked")
    assert placed.wrong == ""


@pytest.mark.usefixtures("software_gpu")
def test_a_refused_operation_keeps_the_smaller_part_on_the_processor() -> None:
    placed = analyse(model_of(AROUND_A_REFUSED_ONE))
    assert [operation.placement for operation in placed.operations] == ["cpu", "cpu", "gpu", "gpu", "gpu"]
    before, refused, *_ = placed.operations
    assert (refused.status, refused.reason) == ("Refused by the GPU", "Operation is not supported.")
    assert refused.advice.startswith("What depends on it stays on the processor too")
    assert before.status == "In another part than the one that the GPU takes"
    assert all(operation.certain for operation in placed.operations)


@pytest.mark.usefixtures("software_gpu")
def test_the_command_tells_it(tmp_path: Path) -> None:
    (tmp_path / "x.tflite").write_bytes(model_of(AROUND_A_REFUSED_ONE))
    done = CliRunner().invoke(inspect_command, [str(tmp_path / "x.tflite"), "--target", "jetson"])
    assert done.exit_code == 0, done.output
    assert "3 of 5 on gpu, 2 on the cpu" in done.output
    assert "operation 1: LOG_SOFTMAX on the cpu" in done.output
    assert "Operation is not supported." in done.output


@pytest.mark.usefixtures("software_gpu")
def test_programs_read_it(tmp_path: Path) -> None:
    (tmp_path / "x.tflite").write_bytes(model_of(["TANH"]))
    done = CliRunner().invoke(inspect_command, [str(tmp_path / "x.tflite"), "--target", "jetson", "--json"])
    told = json.loads(done.stdout)
    assert told["placement"]["operations"] == {"total": 1, "gpu": 1, "cpu": 0}
    assert told["operations"][0]["placement"] == "gpu"
    assert "SwiftShader" in told["placement"]["asked"]


@pytest.mark.usefixtures("software_gpu")
def test_what_the_gpu_computes_otherwise_is_found_and_told() -> None:
    placed = analyse(_strided_pixels())
    assert placed.on_target == 1
    assert "computes another" in placed.wrong
    assert placed.operations[0].status == "The GPU computes something else than the processor"
    assert placed.operations[0].advice.startswith("Convert the model with --precision float16")


def _strided_pixels(stride: int = 2) -> bytes:
    """An int8 convolution of single pixels that takes every second one: LiteRT 2.3's GPU library gets it wrong."""
    model = one_operator(
        "CONV_2D",
        [("x", (1, 8, 8, 16), "int8", 0.05, 0), ("w", (16, 1, 1, 16), "int8", 0.01, 0), ("b", (16,), "int32", 5e-4, 0)],
        [("y", (1, 8 // stride, 8 // stride, 16), "int8", 0.1, 0)],
    )
    [graph], [step] = model.subgraphs, model.subgraphs[0].operators
    model.operatorCodes[0].version = 3
    step.builtinOptionsType, step.builtinOptions = schema.BuiltinOptions.Conv2DOptions, schema.Conv2DOptionsT()
    step.builtinOptions.strideH = step.builtinOptions.strideW = stride
    step.builtinOptions.dilationHFactor = step.builtinOptions.dilationWFactor = 1
    graph.inputs = [0]
    weights = np.random.default_rng(0).integers(-127, 127, (16, 1, 1, 16), np.int8)
    for values in (weights, np.zeros(16, np.int32)):
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        model.buffers.append(buffer)
    graph.tensors[1].buffer, graph.tensors[2].buffer = 1, 2
    return pack(model)


@pytest.mark.usefixtures("software_gpu")
def test_single_operations_are_asked_for_where_only_some_of_a_kind_are_refused() -> None:
    content = model_of(AROUND_A_REFUSED_ONE)
    graph = parse_model(content, details=True).main
    alone = asking.ask(single.single(content, graph, graph.operators[1]), compared=False)
    assert not alone.whole
    assert alone.answer.reasons == ("LOG_SOFTMAX: Operation is not supported.",)


@pytest.mark.usefixtures("software_gpu")
def test_what_is_known_to_be_computed_wrong_is_found_where_the_model_agrees_on_what_was_tried(shared: Path) -> None:
    model = shared / "keras" / "pretrainedResnet_quant.tflite"
    placed = analyse(model)
    assert placed.wrong == "the GPU computes 2 operations (CONV_2D) otherwise than the processor"
    assert [one.index for one in placed.operations if one.status.startswith("The GPU computes something")] == [6, 10]
    with pytest.raises(DeviceError, match="the GPU would compute 2 operations of the model wrong"):
        edgekit.load(model, device="gpu")


def test_faults_of_the_library_are_known_by_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "version", lambda _package: "2.3.0")
    assert list(faults.known_faults(parse_model(_strided_pixels(), details=True).main)) == [0]
    assert list(faults.known_faults(parse_model(_strided_pixels(stride=1), details=True).main)) == []
    [said] = faults.known_faults(parse_model(pack(classifier()), details=True).main).values()
    assert said.endswith("computes a Dense layer on a picture that is not flattened as a convolution.")
    monkeypatch.setattr(faults, "version", lambda _package: "2.4.0")
    assert faults.known_faults(parse_model(_strided_pixels(), details=True).main) == {}


def test_variables_are_refused_without_asking() -> None:
    model = chain(["TANH"], 8)
    state: Any = schema.TensorT()
    state.name, state.shape, state.buffer, state.isVariable = b"state", [1, 8], 0, True
    state.type = schema.TensorType.FLOAT32
    model.subgraphs[0].tensors.append(state)
    placed = analyse(pack(model))
    assert placed.on_target == 0
    assert placed.refusals[0].status == "Variable tensors"
    assert "--target jetson, which unrolls recurrent layers" in placed.refusals[0].advice


def test_where_no_adapter_answers_the_placement_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VK_DRIVER_FILES", "/nonexistent")
    with pytest.raises(DeviceError, match="is not known here: there is no Vulkan adapter to ask") as told:
        analyse(model_of(["TANH"]))
    assert "SwiftShader is in Debian's package chromium" in told.value.hint


def test_there_is_one_part_and_no_choice_of_parts() -> None:
    with pytest.raises(UsageError, match="the GPU takes one part of a model"):
        analyse(model_of(["TANH"]), subgraphs="all")


def test_names_of_tensors_are_no_part_of_a_reason() -> None:
    graph = parse_model(model_of(["TANH", "TANH"])).main
    log = (
        "ERROR: Following operations are not supported by GPU delegate:\n"
        "TANH: Tensor type(INT16) is not supported. t1\n"
        "No operations will run on the GPU, and all 2 operations will run on the CPU.\n"
    )
    found = refusals.find(b"", graph, Told(read(log)))
    assert found.refused == {0: "Tensor type(INT16) is not supported.", 1: "Tensor type(INT16) is not supported."}


def test_the_largest_part_goes_by_data_flow() -> None:
    graph = parse_model(model_of(AROUND_A_REFUSED_ONE)).main
    assert partition.largest_part(graph, {1}) == (2, 3, 4)
    assert partition.largest_part(graph, {0, 1, 2, 3, 4}) == ()
