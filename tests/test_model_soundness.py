"""Numbers in a model file that the interpreter dies of are refused before it sees them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgekit import ModelFileError
from edgekit.tflite import parse_model, read_model

Pack = Callable[[Any], bytes]


def spoil_scale(value: float) -> Callable[[Any], None]:
    def spoil(graph: Any) -> None:
        graph.tensors[0].quantization.scale = [value]

    return spoil


def spoil_shape(*shape: int) -> Callable[[Any], None]:
    def spoil(graph: Any) -> None:
        graph.tensors[0].shape = list(shape)

    return spoil


def spoil_zero_point(value: int) -> Callable[[Any], None]:
    def spoil(graph: Any) -> None:
        graph.tensors[0].quantization.zeroPoint = [value]

    return spoil


def spoil_ends(inputs: list[int], outputs: list[int]) -> Callable[[Any], None]:
    def spoil(graph: Any) -> None:
        graph.operators[1].inputs, graph.operators[1].outputs = inputs, outputs

    return spoil


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (spoil_scale(-1.0), "impossible scale"),
        (spoil_scale(0.0), "impossible scale 0"),  # its zero point is -128
        (spoil_scale(float("nan")), "impossible scale"),
        (spoil_scale(float("inf")), "impossible scale"),
        (spoil_scale(1.5e-39), "impossible scale"),
        (spoil_zero_point(128), "int8 and has the zero point 128"),
        (spoil_zero_point(67108864), "zero point"),
        (spoil_shape(1, -8, 8, 1), "below 0"),
        (spoil_shape(1 << 20, 1 << 20, 8, 1), "impossible shape"),
        (spoil_ends([-1], [4]), "SOFTMAX, lacks its input 0"),
        (spoil_ends([3], []), "SOFTMAX, has no output"),
        (spoil_ends([3], [-1]), "do not exist"),
        (spoil_ends([99], [4]), "do not exist"),
    ],
)
def test_impossible_numbers_are_refused(
    tiny_parts: Any, pack_model: Pack, spoil: Callable[[Any], None], words: str
) -> None:
    spoil(tiny_parts.subgraphs[0])
    with pytest.raises(ModelFileError, match=words):
        parse_model(pack_model(tiny_parts))


def test_a_bias_may_be_left_out_and_a_scale_may_be_none(tiny_parts: Any, pack_model: Pack) -> None:
    graph = tiny_parts.subgraphs[0]
    graph.operators[0].inputs = [0, 1, -1]
    graph.tensors[2].quantization.scale = [0.0]
    assert parse_model(pack_model(tiny_parts)).main.operators[0].inputs == (0, 1, -1)


@pytest.mark.parametrize("operator", ["SPLIT", "SPLIT_V", "UNPACK"])
def test_pieces_need_a_place_each(build: Callable[..., Path], operator: str) -> None:
    path = build(operator, [("x", (1, 2), "float32")], [("y", (1, 1), "float32"), ("z", (1, 1), "float32")])
    read_model(path)  # without options nothing is known


def test_an_operator_that_makes_more_pieces_than_it_has_outputs(shared: Path) -> None:
    path = shared / "edgetpu" / "models" / "test_data__split_concat.tflite"
    data = path.read_bytes()
    read_model(path)
    place = data.rindex((6).to_bytes(4, "little"))
    at = [i for i in range(0, place + 1, 4) if data[i : i + 4] == (6).to_bytes(4, "little")]
    refused = []
    for i in at:
        changed = data[:i] + (2293766).to_bytes(4, "little") + data[i + 4 :]
        try:
            parse_model(changed)
        except ModelFileError as error:
            refused.append(str(error))
    assert any("SPLIT makes 2293766 parts and has 6 outputs" in reason for reason in refused)
