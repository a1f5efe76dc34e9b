"""Models of single operations, to ask for each: the accelerator's log names kinds of operations, and not which."""

from __future__ import annotations

from typing import Any

from edgekit.tflite import Operator, Subgraph

DEQUANTIZE = "DEQUANTIZE"


def unfolded(graph: Subgraph) -> frozenset[int]:
    """Indices of the operations that only widen float16 weights: the runtime takes the weights as they are."""
    return frozenset(
        operator.index for operator in graph.operators
        if operator.type == DEQUANTIZE and graph.tensors[operator.inputs[0]].constant
        and graph.tensors[operator.inputs[0]].dtype == "float16"
    )


def single(model: bytes, graph: Subgraph, operator: Operator) -> bytes:
    """A model of one operation, with whatever widens its weights.

    Args:
        model: The whole model.
        graph: Its first graph.
        operator: One of that graph's.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    copy: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    widened = [graph.operators[index] for index in sorted(unfolded(graph)) if index != operator.index]
    needed = [other for other in widened if set(other.outputs) & set(operator.inputs)]
    made = {tensor for other in needed for tensor in other.outputs}
    main = copy.subgraphs[0]
    main.operators = [main.operators[other.index] for other in (*needed, operator)]
    main.inputs = [
        tensor for tensor in dict.fromkeys(operator.inputs)
        if tensor >= 0 and not graph.tensors[tensor].constant and tensor not in made
    ]
    main.outputs = list(operator.outputs)
    copy.signatureDefs, copy.metadata = [], []
    builder = flatbuffers.Builder(1024)
    builder.Finish(copy.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def form_of(graph: Subgraph, operator: Operator) -> tuple[object, ...]:
    """What the accelerator can go by: two operations of one form get one answer."""
    tensors = [graph.tensors[index] if index >= 0 else None for index in operator.inputs]
    return (
        operator.label, operator.version, tuple(sorted(operator.options.items())),
        *((t.static_shape, t.dtype, t.constant, t.values if t.constant else None, t.quantization is None)
          if t else None for t in tensors),
        *((graph.tensors[index].static_shape, graph.tensors[index].dtype) for index in operator.outputs),
    )
