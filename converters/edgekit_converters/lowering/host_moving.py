"""Operations at the end of a float flatbuffer moved out of it: the device computes them on the network's outputs.

A large resize and the argmax over classes after it do not fit an accelerator, and cost it more than they cost the
processor: they multiply what has to be transferred.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from typing import Any

from edgekit.metadata import HostArgmax, HostResize, HostStep
from edgekit.metadata.types import ResizeMethod
from edgekit.tflite import parse_model
from edgekit_converters.lowering.flatbuffer_editing import CODES, Editor, packed, unpacked

HostSteps = Mapping[str, tuple[HostStep, ...]]
"""What the device computes, in that order, by the name of the output; those with nothing to do are absent."""

NOTHING_MOVED = "the model ends in no resize and no argmax that the device could compute for it: nothing was moved"


def move_to_host(flatbuffer: bytes, fixed: Set[str]) -> tuple[bytes, HostSteps]:
    """Cut trailing RESIZE_BILINEAR, RESIZE_NEAREST_NEIGHBOR and ARG_MAX off, from each output backwards.

    An operation is cut where its sizes are constants, and what it takes is computed for it alone.

    Args:
        flatbuffer: A float model.
        fixed: Names of the outputs that have to stay as they are: the next values of states.

    Returns:
        The model, and what was cut: the same bytes where nothing was.
    """
    file = parse_model(flatbuffer)
    model = unpacked(flatbuffer)
    graph = model.subgraphs[0]
    editor = Editor(model, graph)
    outputs = [int(index) for index in graph.outputs]
    moved: dict[str, tuple[HostStep, ...]] = {}
    for at, name in enumerate(file.output_names):
        if name in fixed or outputs.count(outputs[at]) > 1:
            continue
        tensor, steps = _cut(editor, outputs[at])
        if steps:
            _redirect(model, outputs[at], tensor)
            outputs[at], moved[name] = tensor, steps
            graph.outputs = list(outputs)
    return (packed(model), moved) if moved else (flatbuffer, {})


def _cut(editor: Editor, output: int) -> tuple[int, tuple[HostStep, ...]]:
    """Remove the operators that end in a tensor and can be moved: the tensor they start from, and the steps."""
    steps: list[HostStep] = []
    if editor.users(output):
        return output, ()
    while (operator := editor.maker(output)) is not None:
        source = int(operator.inputs[0])
        step = _step(editor, operator)
        shared = editor.is_output(source) or len(editor.users(source)) > 1
        if step is None or shared or editor.maker(source) is None:
            break
        editor.remove(operator)
        steps.insert(0, step)
        output = source
    return output, tuple(steps)


def _step(editor: Editor, operator: Any) -> HostStep | None:
    """What an operator computes, in the words of the metadata; None where it has to stay."""
    make = _STEPS.get(editor.code(operator))
    return make(editor, operator) if make is not None and editor.is_float(operator.inputs[0]) else None


def _resize(method: ResizeMethod) -> Callable[[Editor, Any], HostStep | None]:
    def step(editor: Editor, operator: Any) -> HostStep | None:
        size, options = editor.integers(operator.inputs[1]), operator.builtinOptions
        if len(size) != 2:
            return None
        aligned, centred = bool(options.alignCorners), bool(options.halfPixelCenters)
        return HostResize(method, size[0], size[1], aligned, centred)

    return step


def _argmax(editor: Editor, operator: Any) -> HostStep | None:
    axis = editor.integers(operator.inputs[1])
    rank = len(editor.shape(operator.inputs[0]))
    return HostArgmax(axis[0] % rank) if len(axis) == 1 and axis[0] % rank > 0 else None


_STEPS: Mapping[int, Callable[[Editor, Any], HostStep | None]] = {
    CODES.RESIZE_BILINEAR: _resize("bilinear"),
    CODES.RESIZE_NEAREST_NEIGHBOR: _resize("nearest"),
    CODES.ARG_MAX: _argmax,
}


def _redirect(model: Any, old: int, new: int) -> None:
    """Let the main graph's signatures name another tensor as their output."""
    for signature in model.signatureDefs or []:
        if signature.subgraphIndex == 0:
            for entry in signature.outputs:
                if entry.tensorIndex == old:
                    entry.tensorIndex = new
