"""Where the Edge TPU's compiler puts operations: against what it did with public models, and rule by rule."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.errors import MissingFileError, ModelFileError, UsageError
from edgekit.placement import Placement
from edgekit.tflite import Operator
from edgekit_devices.coral.placement import GENERAL, LIMITS, analyse, place, read_record, supported
from edgekit_devices.coral.placement.partition import epochs
from edgekit_devices.runtimes import highest_versions

UNSPECIFIED = "Operation is otherwise supported, but not mapped due to some unspecified limitation"
MAPPED, CUT_OFF = "Mapped to Edge TPU", "More than one subgraph is not supported"
DATA_TYPE, UNSUPPORTED = "Operation is working on an unsupported data type", "Operation not supported"
RANK = "Tensor has unsupported rank (up to 3 innermost dimensions mapped)"
STRIDES = "Only Strided-Slice with unitary strides supported"
IMAGE = (1, 16, 16, 8)


@pytest.fixture(scope="session")
def truth(shared: Path) -> list[dict[str, Any]]:
    path = shared / "edgetpu" / "placement_truth.json.gz"
    if not path.is_file():
        pytest.skip(f"what the compiler did is not here: {path}")
    records: list[dict[str, Any]] = json.loads(gzip.decompress(path.read_bytes()))
    return records


def tensor(shape: Sequence[int], dtype: str = "INT8", **known: Any) -> dict[str, Any]:
    quantized = {"n": 1, "scale": 0.5, "zp": 0, "axis": 0} if dtype in {"INT8", "UINT8", "INT16"} else None
    return {"name": "", "shape": list(shape), "dtype": dtype, "const": False, "q": quantized, **known}


def numbers(*values: int) -> dict[str, Any]:
    return tensor([len(values)], "INT32", const=True, value=list(values))


def weights(*shape: int) -> dict[str, Any]:
    return tensor(shape, const=True)


def chain(*ops: tuple[str, Sequence[dict[str, Any]], dict[str, Any], Mapping[str, Any]], start: Any = None) -> Any:
    """A record of operations that each take the output of the one before as input `place` (default 0)."""
    described, tensors = [], [start or tensor(IMAGE, name="image")]
    for index, (type_, more, output, options) in enumerate(ops):
        rest = {**options}
        place_, version = rest.pop("place", 0), rest.pop("version", 1)
        inputs = list(more)
        first = len(tensors)
        ids = list(range(first, first + len(inputs)))
        inputs.insert(place_, tensors[-1])
        ids.insert(place_, first - 1)
        tensors += [*more, {**output, "name": output["name"] or f"net/layer{index}/{type_}"}]
        described.append({
            "index": index, "op": type_, "version": version, "inputs": inputs, "outputs": [tensors[-1]],
            "options": rest, "in_ids": ids, "out_ids": [len(tensors) - 1],
        })
    return {"ops": described, "graph_inputs": [tensors[0]], "graph_outputs": [tensors[-1]]}


def one(type_: str, more: Sequence[dict[str, Any]] = (), shape: Sequence[int] = IMAGE, **known: Any) -> Placement:
    """The placement of one operation on an int8 picture."""
    start = tensor(known.pop("input", IMAGE), known.pop("dtype", "INT8"), name="image")
    output = tensor(shape, known.pop("to", "INT8"))
    return place(read_record(chain((type_, more, output, known), start=start)))


def test_it_agrees_with_what_the_compiler_did(truth: list[dict[str, Any]]) -> None:
    for record in truth:
        placed = place(read_record(record))
        wrong = [
            (record["model"], op["index"], op["op"])
            for op, operation in zip(record["ops"], placed.operations, strict=True)
            if op["mapped"] != (operation.placement == "coral")
        ]
        assert wrong == []
        assert len(placed.parts) == record["custom_op_count"]


def test_files_give_what_their_records_give(truth: list[dict[str, Any]], shared: Path) -> None:
    with_files = [record for record in truth if record.get("file")]
    assert len(with_files) == 30
    for record in with_files:
        placed = analyse(shared / "edgetpu" / record["file"])
        assert [operation.placement == "coral" for operation in placed.operations] == [
            op["mapped"] for op in record["ops"]
        ]
        assert placed.summary() == place(read_record(record)).summary()


def test_it_gives_the_tables_of_published_logs(truth: list[dict[str, Any]]) -> None:
    logs = [record for record in truth if record["compiler_log"]]
    assert logs
    for record in logs:
        table = record["compiler_log"].split("Status")[1].strip().splitlines()
        published = {(type_, status): int(number) for type_, number, status in (row.split(None, 2) for row in table)}
        assert {(t, s): n for t, n, s in place(read_record(record)).summary()} == published


def test_it_gives_the_table_of_a_partly_mapped_model(truth: list[dict[str, Any]]) -> None:
    """The log of thermal-face, compiler 14.1: 132 on the Edge TPU, 162 not, for four reasons."""
    record = next(record for record in truth if record["model"] == "thermal_face_automl_edge_fast")
    wanted = {
        MAPPED: {"ADD": 12, "MAX_POOL_2D": 6, "MEAN": 8, "DEPTHWISE_CONV_2D": 19, "CONV_2D": 63, "LOGISTIC": 11,
                 "REDUCE_MAX": 3, "MUL": 10},
        CUT_OFF: {"RESHAPE": 32, "ADD": 19, "MAX_POOL_2D": 9, "DEPTHWISE_CONV_2D": 23, "CONV_2D": 23, "LOGISTIC": 6,
                  "CONCATENATION": 2, "REDUCE_MAX": 5, "MUL": 6},
        RANK: {"RESHAPE": 12, "PACK": 24},
        DATA_TYPE: {"CUSTOM": 1},
    }
    rows = place(read_record(record)).summary()
    assert {(status, type_): number for type_, number, status in rows} == {
        (status, type_): number for status, counted in wanted.items() for type_, number in counted.items()
    }


def test_parameter_memory_is_near_the_compiled_files(truth: list[dict[str, Any]]) -> None:
    compared = 0
    for record in truth:
        true = record["params_cached_bytes"] + record["params_streamed_bytes"]
        memory = place(read_record(record)).memory
        if memory and true > 100_000:
            compared += 1
            assert abs(memory.parameters / true - 1) < 0.04, record["model"]
    assert compared > 25


RULES: list[tuple[str, Placement, str]] = [
    ("plain", one("RELU"), MAPPED),
    ("uint8", one("RELU", dtype="UINT8", to="UINT8"), MAPPED),
    ("int16", one("ADD", dtype="INT16", to="INT16"), DATA_TYPE),
    ("dequantize", one("DEQUANTIZE", to="FLOAT32"), "Model not quantized"),
    ("name", one("LEAKY_RELU"), UNSUPPORTED),
    ("custom", one("CUSTOM:TFLite_Detection_PostProcess"), DATA_TYPE),
    ("batch", one("RELU", input=(2, 8, 8, 3), shape=(2, 8, 8, 3)), RANK),
    ("three dimensions", one("RELU", input=(4, 49, 49), shape=(4, 49, 49)), MAPPED),
    ("five dimensions", one("RESHAPE", [numbers(1, 16, 2, 8, 8)], (1, 16, 2, 8, 8)), RANK),
    ("input of five", one("RESHAPE", [numbers(*IMAGE)], IMAGE, input=(1, 16, 2, 8, 8)), CUT_OFF),
    ("dilation", one("CONV_2D", [weights(8, 3, 3, 8)], dilationHFactor=2, dilationWFactor=2), MAPPED),
    ("two dilations", one("CONV_2D", [weights(8, 3, 3, 8)], dilationHFactor=2, dilationWFactor=3), UNSPECIFIED),
    ("dilation of 1", one("CONV_2D", [weights(8, 1, 3, 8)], dilationHFactor=1, dilationWFactor=4), MAPPED),
    ("kernel", one("CONV_2D", [tensor((8, 3, 3, 8))]), "Filter, bias, or other param is not constant at compile-time"),
    ("computed weights", one("FULLY_CONNECTED", [tensor((8, 8))], (1, 8), input=(1, 8)), MAPPED),
    ("very wide", one("FULLY_CONNECTED", [weights(100_000, 8)], (1, 100_000), input=(1, 8)), UNSPECIFIED),
    ("pool and activation", one("MAX_POOL_2D", fusedActivationFunction="RELU6"), UNSPECIFIED),
    ("pool", one("AVERAGE_POOL_2D", fusedActivationFunction="NONE"), MAPPED),
    ("zeros", one("CONCATENATION", [tensor(IMAGE, const=True, value=[0] * 9)], axis=3), MAPPED),
    ("not zeros", one("CONCATENATION", [tensor(IMAGE, const=True, value=[1] * 9)], axis=3), UNSPECIFIED),
    ("mean", one("MEAN", [numbers(1, 2)], (1, 8)), MAPPED),
    ("mean of batch", one("MEAN", [numbers(0)], IMAGE[1:]), UNSPECIFIED),
    ("mean of 8 channels", one("MEAN", [numbers(-1)], IMAGE[:3]), MAPPED),
    ("mean of 6 channels", one("MEAN", [numbers(3)], (1, 4, 4), input=(1, 4, 4, 6)), UNSPECIFIED),
    ("sum of batch", one("SUM", [numbers(0)], IMAGE[1:]), UNSPECIFIED),
    ("split", one("SPLIT", [numbers(3)], place=1, numSplits=1), MAPPED),
    ("pad", one("PAD", [numbers(0, 0, 1, 1, 1, 1, 0, 0)], (1, 18, 18, 8)), MAPPED),
    ("pad of batch", one("PAD", [numbers(0, 1, 0, 0, 0, 0, 0, 0)], IMAGE), UNSPECIFIED),
    ("slopes by channel", one("PRELU", [weights(1, 1, 8)]), MAPPED),
    ("slopes by place", one("PRELU", [weights(16, 16, 8)]), UNSPECIFIED),
    ("twice the size", one("RESIZE_BILINEAR", [numbers(32, 32)], (1, 32, 32, 8)), MAPPED),
    ("much larger", one("RESIZE_NEAREST_NEIGHBOR", [numbers(264, 264)], (1, 264, 264, 8)), UNSPECIFIED),
    ("transpose", one("TRANSPOSE", [numbers(0, 3, 1, 2)], (1, 8, 16, 16)), MAPPED),
    ("large transpose", one("TRANSPOSE", [numbers(0, 2, 1, 3)], (1, 96, 96, 12), input=(1, 96, 96, 12)), UNSPECIFIED),
    ("softmax", one("SOFTMAX", [], (1, 16_384), input=(1, 16_384)), MAPPED),
    ("large softmax", one("SOFTMAX", [], (1, 20_000), input=(1, 20_000)), UNSPECIFIED),
    ("slice", one("STRIDED_SLICE", [numbers(0, 0, 0, 0), numbers(*IMAGE), numbers(1, 1, 1, 1)]), MAPPED),
    ("steps", one("STRIDED_SLICE", [numbers(0, 0, 0, 0), numbers(*IMAGE), numbers(1, 2, 2, 1)]), STRIDES),
    ("new axis", one("STRIDED_SLICE", [numbers(0), numbers(1), numbers(1)], newAxisMask=1), UNSPECIFIED),
    ("requantize", one("QUANTIZE", to="UINT8"), MAPPED),
    ("quantize", one("QUANTIZE", dtype="FLOAT32"), UNSPECIFIED),
]


@pytest.mark.parametrize(("placed", "status"), [row[1:] for row in RULES], ids=[row[0] for row in RULES])
def test_rules(placed: Placement, status: str) -> None:
    (operation,) = placed.operations
    assert operation.status == status
    assert (operation.placement == "coral") == (status == MAPPED)
    if operation.placement == "cpu":
        assert operation.advice or placed.refusals


def test_every_rule_says_what_and_whence() -> None:
    for rule in (*GENERAL, *LIMITS):
        assert rule.message.endswith("."), rule.name
        assert len(rule.source) > 20, rule.name
        assert rule.types <= {*supported(), "QUANTIZE"}, rule.name


def test_limits_that_nobody_published_are_said_with_may() -> None:
    placed = one("RESHAPE", [numbers(1, 2**18)], (1, 2**18), input=(1, 64, 64, 64))
    (operation,) = placed.operations
    assert (operation.status, operation.certain) == (MAPPED, False)
    assert "may not be mapped" in operation.reason


MIXED = chain(
    ("CONV_2D", [weights(8, 3, 3, 8)], tensor(IMAGE), {}),
    ("LEAKY_RELU", [], tensor(IMAGE), {}),
    ("CONV_2D", [weights(8, 3, 3, 8)], tensor(IMAGE), {}),
    ("LOGISTIC", [], tensor(IMAGE), {}),
)


def test_what_comes_behind_is_cut_off_and_says_by_what() -> None:
    placed = place(read_record(MIXED))
    assert [operation.status for operation in placed.operations] == [MAPPED, UNSUPPORTED, CUT_OFF, CUT_OFF]
    last = placed.operations[3]
    assert last.after == (1,)
    assert "operation 1 (LEAKY_RELU, layer layer1)" in last.reason
    assert "-a" in last.advice
    assert "maximum(x, a * x)" in placed.operations[1].advice
    (part,) = placed.parts
    assert (part.operations, part.bytes_in, part.bytes_out) == ((0,), 2048, 2048)
    assert placed.mac_share == 0.5


def test_all_parts_may_be_kept() -> None:
    placed = place(read_record(MIXED), subgraphs="all")
    assert [operation.subgraph for operation in placed.operations] == [0, None, 1, 1]
    assert [part.operations for part in placed.parts] == [(0,), (2, 3)]
    assert placed.mac_share == 1.0


def test_a_float_island_names_its_cause() -> None:
    placed = place(read_record(chain(
        ("RELU", [], tensor(IMAGE), {}),
        ("DEQUANTIZE", [], tensor(IMAGE, "FLOAT32"), {}),
        ("ELU", [], tensor(IMAGE, "FLOAT32"), {}),
        ("QUANTIZE", [], tensor(IMAGE), {}),
    )))
    assert [operation.status for operation in placed.operations] == [MAPPED, DATA_TYPE, DATA_TYPE, UNSPECIFIED]
    assert all("operation 2 (ELU" in placed.operations[index].reason for index in (1, 3))
    assert len({operation.advice for operation in placed.operations[1:]}) == 1


@pytest.mark.parametrize(
    ("record", "status", "word"),
    [
        (chain(("RELU", [], tensor(IMAGE, "FLOAT32"), {}), start=tensor(IMAGE, "FLOAT32")), "not quantized", "full"),
        (chain(("RESHAPE", [tensor((2,), "INT32")], tensor((1, 2048)), {})), "dynamic-sized", "batch_shape"),
        (chain(("TILE", [numbers(1, 2, 1, 1)], tensor(IMAGE), {"version": 3})), "could not be parsed", "Resizing"),
        (chain(("CONV_2D", [weights(8, 3, 3, 4)], tensor(IMAGE), {"version": 6})), "could not be parsed", "depthwise"),
        (chain(("GELU", [], tensor(IMAGE), {})), "could not be parsed", "relu6"),
        (chain(("CUSTOM:FlexErf", [], tensor(IMAGE), {})), "could not be parsed", "host"),
    ],
)
def test_files_that_the_compiler_refuses(record: Any, status: str, word: str) -> None:
    placed = place(read_record(record))
    refusal = placed.refusals[0]
    assert status in refusal.status
    assert word in refusal.advice
    assert (placed.on_target, placed.memory, placed.parts) == (0, None, ())


def test_all_refusals_are_told_at_once() -> None:
    placed = place(read_record(chain(
        ("TILE", [tensor((4,), "INT32")], tensor(IMAGE), {"version": 3}), ("CUSTOM:Mine", [], tensor(IMAGE), {}),
    )))
    assert len(placed.refusals) == 3
    assert [refusal.operations for refusal in placed.refusals] == [(0,), (0,), (1,)]


def test_a_batch_left_open_is_compiled_as_one() -> None:
    record = chain(("RELU", [], tensor(IMAGE), {}), start=tensor(IMAGE, name="image", shape_signature=[-1, 16, 16, 8]))
    placed = place(read_record(record))
    assert placed.on_target == 1
    assert "compiled as 1" in placed.notes[0]


@pytest.mark.parametrize(
    ("names", "layers"),
    [
        (["sequential/conv1/Conv2D", "sequential/conv1/Relu;sequential/conv1/BiasAdd"], ["conv1", "conv1"]),
        (["cam_1/stem_1/convolution", "cam_1/block_1/dw_1/Relu", "Identity"], ["stem", "block/dw", "block/dw"]),
        (["model_1/conv2d/Relu", "model_1/conv2d_1/Relu"], ["conv2d", "conv2d_1"]),
        (["tfl.quantize", "StatefulPartitionedCall:0"], ["", ""]),
    ],
)
def test_layers_have_the_names_of_the_keras_model(names: list[str], layers: list[str]) -> None:
    placed = place(read_record(chain(*(("RELU", [], tensor(IMAGE, name=name), {}) for name in names))))
    assert [operation.layer for operation in placed.operations] == layers


def test_versions_are_those_that_keras_layers_were_measured_with(shared: Path) -> None:
    path = shared / "edgetpu" / "keras_layer_ops_tf221.json"
    if not path.is_file():
        pytest.skip(f"the operations of Keras layers are not here: {path}")
    newest = highest_versions("edgetpu")
    for layer in json.loads(path.read_text()):
        above = {(type_, version) for type_, version in layer.get("versions") or () if version > newest.get(type_, 0)}
        assert len(above) == len(layer.get("too_new") or ()), layer["layer"]
        cpu = {type_ for type_, _ in layer.get("ops") or ()} - set(supported())
        for type_ in cpu:
            operation = one(type_).operations[0]
            assert operation.placement == "cpu"
            assert len(operation.advice) > 20


def test_what_is_no_model(tmp_path: Path) -> None:
    some: Any = "some"
    with pytest.raises(MissingFileError):
        analyse(tmp_path / "nowhere.tflite")
    with pytest.raises(ModelFileError):
        analyse(b"no model at all")
    with pytest.raises(UsageError, match="subgraphs cannot be 'some'"):
        analyse(b"", subgraphs=some)


@given(
    type_=st.sampled_from(sorted({*highest_versions("edgetpu"), "CUSTOM:Mine", "OPERATOR_300"})),
    shapes=st.lists(st.lists(st.integers(0, 9), max_size=6), min_size=1, max_size=4),
    values=st.lists(st.integers(-9, 9), max_size=6),
    options=st.dictionaries(st.sampled_from(["axis", "dilationHFactor", "newAxisMask"]), st.integers(-3, 9)),
)
def test_every_operation_of_any_shape_gets_a_verdict(
    type_: str, shapes: list[list[int]], values: list[int], options: dict[str, int]
) -> None:
    more = [*(tensor(shape, const=True) for shape in shapes[1:]), numbers(*values)]
    record = chain((type_, more, tensor(shapes[0]), options), ("RELU", [], tensor(shapes[-1]), {}))
    for mode in ("first", "all"):
        placed = place(read_record(record), subgraphs=mode)
        assert placed.on_target + placed.on_cpu == 2
        for operation in placed.operations:
            assert operation.status
            assert bool(operation.reason) == (operation.placement == "cpu" or not operation.certain)
        json.dumps(placed.to_dict())


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[Operator], set[int]]:
    """Operators that each take some earlier tensors, and which of them a delegate takes."""
    size = draw(st.integers(1, 14))
    operators = [
        Operator(index, "ADD", 1, tuple(draw(st.lists(st.integers(0, index), max_size=3))), (index + 1,))
        for index in range(size)
    ]
    return operators, draw(st.sets(st.integers(0, size - 1)))


@given(graphs())
def test_parts_hold_supported_operations_and_depend_on_nothing_that_depends_on_them(
    graph: tuple[list[Operator], set[int]],
) -> None:
    operators, taken = graph
    found = epochs(operators, taken)
    assert Counter(index for epoch in found for index in epoch.operations) == Counter(range(len(operators)))
    ancestors: list[set[int]] = []
    for operator in operators:
        direct = {source - 1 for source in operator.inputs if source}
        ancestors.append(direct.union(*(ancestors[source] for source in direct)))
    done: set[int] = set()
    for epoch in found:
        inside = set(epoch.operations)
        assert all((index in taken) == epoch.delegated for index in inside)
        assert all(ancestors[index] <= done | inside for index in inside)
        outside = {other for index in inside for other in ancestors[index] - inside}
        assert not any(ancestors[other] & inside for other in outside)
        done |= inside
    assert all(before.delegated != after.delegated for before, after in pairwise(found))


def test_the_documentation_has_every_rule_as_the_user_reads_it() -> None:
    text = (Path(__file__).parents[1] / "docs" / "placement.md").read_text(encoding="utf-8")
    for rule in (*GENERAL, *LIMITS):
        assert f"| {', '.join(sorted(rule.types)) or 'all'} | {rule.message} | {rule.source} |" in text
