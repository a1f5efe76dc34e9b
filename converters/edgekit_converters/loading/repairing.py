"""Configurations that Keras 2 wrote, brought into the form that Keras 3 reads. Values alone: nothing is loaded here.

Each rule stands for something that Keras 3 refuses, or reads otherwise; keras-team/keras#19441 is the best known.
"""

from __future__ import annotations

from typing import Any

_TRANSPOSED = {f"Conv{n}DTranspose" for n in (1, 2, 3)}
_SEPARABLE = {"SeparableConv1D", "SeparableConv2D"}
_UNGROUPED = _TRANSPOSED | _SEPARABLE | {"DepthwiseConv1D", "DepthwiseConv2D"}
# Of no effect on a trained model, or of none at the value that Keras 2 always wrote.
_DROPPED_ANYWHERE = {
    "rng_type", "query_shape", "key_shape", "value_shape", "softmax_robust_masking", "experimental_run_tf_function",
    "input_spec", "fused", "virtual_batch_size", "autocast", "experimental_autocast",
}
_DROPPED_AT: dict[str, Any] = {"time_major": False, "renorm": False}
_RENORM = {"renorm_clipping", "renorm_momentum"}
# Weights are loaded: how they were first made, or held in bounds while training, does not matter.
_OF_TRAINING = ("_initializer", "_regularizer", "_constraint")
_TAKES_RATE_ALONE = {"SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"}
_NOT_OF_RATE = {"trainable", "noise_shape", "data_format"}
_ONLY_WHILE_TRAINING = {"RandomHeight", "RandomWidth"}
HARD_SIGMOID = "keras2_hard_sigmoid"
"""Keras 3 gives another function under the old name, with a slope of 1/6 for 0.2: a model would answer otherwise."""
_FUNCTIONS: dict[str, Any] = {
    "softmax_v2": "softmax", "swish": "silu",
    # As an object, which is found inside of wrappers too.
    "hard_sigmoid": {
        "module": "builtins", "class_name": "function", "config": HARD_SIGMOID, "registered_name": HARD_SIGMOID,
    },
}
_POLICIES = {"Policy", "PolicyV1", "DTypePolicy"}
_MODELS = {"Functional", "Model", "Sequential"}


def repaired(config: Any) -> Any:
    """A model's configuration as Keras 3 reads it; `config` itself is left as it is."""
    return _numbered_anew(_repaired(config))


def _repaired(node: Any) -> Any:
    if isinstance(node, list):
        return [_repaired(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: _repaired(value) for key, value in node.items()}
    kind, config = node.get("class_name"), node.get("config")
    if kind == "Sequential" and isinstance(config, list):  # before Keras 2.2.3
        return {**node, "config": {"name": "sequential", "layers": config}}
    if not isinstance(kind, str) or not isinstance(config, dict) or "name" not in config:
        return node
    return {**node, **_layer(kind, config), **_reference(node)}


def _reference(node: dict[str, Any]) -> dict[str, Any]:
    """The name by which a functional model knows the layer."""
    return {"name": _name(node["name"])} if isinstance(node.get("name"), str) else {}


def _name(name: str) -> str:
    """Keras 3 takes no slash in a layer's name; Keras 2's own MobileNetV3 has them."""
    return name.replace("/", "_")


def _layer(kind: str, config: dict[str, Any]) -> dict[str, Any]:
    config = {key: value for key, value in config.items() if not _is_dropped(kind, key, value, config)}
    config["name"] = _name(str(config["name"]))
    if isinstance(config.get("dtype"), dict) and config["dtype"].get("class_name") in _POLICIES:
        config["dtype"] = config["dtype"]["config"]["name"]
    for key in ("activation", "recurrent_activation"):
        if isinstance(config.get(key), str):
            config[key] = _FUNCTIONS.get(config[key], config[key])
    if kind == "ThresholdedReLU":
        return {"class_name": "ReLU", "config": {"name": config["name"], "threshold": float(config.get("theta", 1.0))}}
    if kind in _ONLY_WHILE_TRAINING:
        return {"class_name": "Identity", "config": {"name": config["name"]}}
    if kind in _MODELS:
        config = {key: _referenced(value) if key.endswith("_layers") else value for key, value in config.items()}
    return {"class_name": kind, "config": config}


def _is_dropped(kind: str, key: str, value: Any, config: dict[str, Any]) -> bool:
    return (
        key in _DROPPED_ANYWHERE
        or (key in _DROPPED_AT and value == _DROPPED_AT[key])
        or (key in _RENORM and not config.get("renorm"))
        or (key == "groups" and value == 1 and kind in _UNGROUPED)
        or (key.startswith("kernel_") and kind in _SEPARABLE and key != "kernel_size")
        or (key in _NOT_OF_RATE and kind in _TAKES_RATE_ALONE)
        or (key == "trainable" and kind == "Discretization")
        or (key.endswith(_OF_TRAINING) and not isinstance(value, list))
    )


def _referenced(ends: Any) -> Any:
    """A model's `input_layers` or `output_layers`: [name, node, tensor], or several of these."""
    if isinstance(ends, list):
        return [_name(item) if isinstance(item, str) else _referenced(item) for item in ends]
    if isinstance(ends, dict):
        return {key: _referenced(item) for key, item in ends.items()}
    return ends


def _numbered_anew(node: Any) -> Any:
    """Count the calls of a Sequential inside another model from 0: Keras 2 began at 1, and slashes are gone."""
    if isinstance(node, list):
        return [_numbered_anew(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: _numbered_anew(value) for key, value in node.items()}
    layers = node.get("layers")
    if not isinstance(layers, list) or not any(isinstance(la, dict) and "inbound_nodes" in la for la in layers):
        return node
    known = [layer for layer in layers if isinstance(layer, dict)]
    sequential = {str(layer.get("name")) for layer in known if layer.get("class_name") == "Sequential"}
    node["layers"] = [{**la, "inbound_nodes": _calls(la.get("inbound_nodes", []), sequential)} for la in known]
    for key in ("input_layers", "output_layers"):
        if key in node:
            node[key] = _calls(node[key], sequential)
    return node


def _calls(node: Any, sequential: set[str]) -> Any:
    """The same, with [name, call, tensor, …] put right wherever it stands."""
    if isinstance(node, dict):
        return {key: _calls(value, sequential) for key, value in node.items()}
    if not isinstance(node, list):
        return node
    if len(node) >= 3 and isinstance(node[0], str) and all(type(number) is int for number in node[1:3]):
        name = _name(node[0])
        shift = 1 if name in sequential and node[1] > 0 else 0
        return [name, node[1] - shift, *(_calls(item, sequential) for item in node[2:])]
    return [_calls(item, sequential) for item in node]
