"""What a model costs to run, counted from its file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.costs import costs_of
from edgekit.tflite import parse_model, read_model


def test_a_dense_layer_takes_a_multiplication_for_each_weight(tiny_bytes: bytes) -> None:
    costs = costs_of(parse_model(tiny_bytes))
    assert costs.macs == 64 * 10
    assert costs.parameters >= 640
    assert costs.by_type == {"FULLY_CONNECTED": 640}
    assert sum(costs.operations) == costs.macs


def test_what_has_no_kernel_costs_no_multiplication(numbers: Path) -> None:
    costs = costs_of(read_model(numbers))
    assert (costs.macs, costs.parameters) == (0, 0)
    assert costs.activation_bytes == 2 * 3 * 4  # input and output, which exist together


def test_a_product_of_two_computed_matrices_counts(build: Callable[..., Path]) -> None:
    path = build("BATCH_MATMUL", [("a", (1, 5, 7), "float32"), ("b", (1, 7, 3), "float32")],
                 [("y", (1, 5, 3), "float32")])
    assert costs_of(read_model(path)).macs == 5 * 7 * 3


@pytest.mark.parametrize(
    ("name", "macs", "parameters"),
    [
        # 300 million mult-adds and 3.47 million parameters: Sandler et al. 2018, table 4.
        ("tflite/tf2_mobilenet_v2_1.0_224_ptq.tflite", 300_775_552, 3_489_097),
        # 12.5 million: what Arm's vela 5.2 counts.
        ("keras/pretrainedResnet_quant.tflite", 12_501_632, 77_706),
        ("keras/ad01_int8.tflite", 264_192, 265_864),
    ],
)
def test_published_networks_cost_what_is_published(shared: Path, name: str, macs: int, parameters: int) -> None:
    costs = costs_of(read_model(shared / name))
    assert (costs.macs, costs.parameters) == (macs, parameters)


def test_a_recurrent_layer_takes_each_weight_at_each_step(shared: Path) -> None:
    costs = costs_of(read_model(shared / "tflite" / "keras_lstm_mnist_ptq.tflite"))
    assert costs.by_type["UNIDIRECTIONAL_SEQUENCE_LSTM"] == 28 * 4 * (28 * 20 + 20 * 20)
