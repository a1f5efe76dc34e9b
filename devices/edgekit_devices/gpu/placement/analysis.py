"""The whole of it: the answer for the model, for single operations where it refuses some, and the parts that result."""

from __future__ import annotations

import os
from collections.abc import Collection
from importlib.metadata import version
from pathlib import Path

from edgekit.choices import one_of
from edgekit.errors import DeviceError, UsageError
from edgekit.placement import SUBGRAPHS, PlacedOperation, Placement, Refusal, Subgraphs
from edgekit.tflite import Subgraph, parse_model, read_model
from edgekit.tflite.reader import open_data
from edgekit_devices.coral.placement.costs import macs
from edgekit_devices.coral.placement.layers import layer_names, operation_name
from edgekit_devices.coral.placement.step import EIGHT_BIT, Step, edges, steps
from edgekit_devices.gpu import requirements
from edgekit_devices.gpu.adapters import adapters
from edgekit_devices.gpu.placement.advice import advice_for, advice_for_unopened, advice_for_wrong
from edgekit_devices.gpu.placement.asking import Told, ask
from edgekit_devices.gpu.placement.partition import agrees, largest_part, with_widened
from edgekit_devices.gpu.placement.refusals import Refusals, find

GPU = "gpu"
RUNS, REFUSED, ELSEWHERE = "Runs on the GPU", "Refused by the GPU", "In another part than the one that the GPU takes"
WRONG = "The GPU computes something else than the processor"
_VARIABLES = (
    "LiteRT's GPU runtime loads no model with variables, such as the state of a fused LSTM.",
    "Convert the Keras model again with --target jetson, which unrolls recurrent layers; or run it with --device cpu.",
)
_COMPILED = (
    "What is in the file only an Edge TPU can run.",
    "Take the file that it was compiled from, or convert the model again.",
)
_CURE = (
    "Ask on the Jetson itself, or install a software Vulkan device here: SwiftShader is in Debian's package chromium "
    "(then set VK_DRIVER_FILES=/usr/lib/chromium/vk_swiftshader_icd.json), and llvmpipe in mesa-vulkan-drivers (22.3 "
    "of Debian 12 is too old)."
)


def analyse(model: str | os.PathLike[str] | bytes, *, subgraphs: Subgraphs = "first") -> Placement:
    """Ask LiteRT's GPU accelerator, on a Vulkan adapter of this machine, which operations it takes.

    The model is opened on the adapter, run, and compared with the processor; where operations are refused, those of
    the kinds that its log names are asked for one by one.

    Args:
        model: A `.tflite` file, or its bytes.
        subgraphs: `first`; the accelerator takes one part of a model.

    Raises:
        MissingFileError: there is no such file.
        ModelFileError: it is not a TFLite model, or is damaged.
        UsageError: `subgraphs` is another.
        DeviceError: nothing here can be asked: no adapter, or a processor that the library dies on.
        MissingDependencyError: the GPU library is not installed.
    """
    one_of("subgraphs", subgraphs, SUBGRAPHS)
    if subgraphs != "first":
        raise UsageError("the GPU takes one part of a model, the largest", hint="Leave --subgraphs out.")
    file = parse_model(model, details=True) if isinstance(model, bytes) else read_model(model, details=True)
    content = model if isinstance(model, bytes) else _content(model)
    graph = file.main
    if file.is_edgetpu:
        return _refused(graph, Refusal("Compiled for the Edge TPU", *_COMPILED))
    if any(tensor.variable for tensor in graph.tensors):
        return _refused(graph, Refusal("Variable tensors", *_VARIABLES))
    _check_adapters()
    told = ask(content, compared=True)
    if told.refused and not told.answer.left:
        advice = advice_for_unopened(any(tensor.dtype in EIGHT_BIT for tensor in graph.tensors))
        return _refused(graph, Refusal("The GPU cannot open the model", told.refused, advice), told)
    return _placed(graph, find(content, graph, told), told)


def _content(path: str | os.PathLike[str]) -> bytes:
    with open_data(path) as data:
        return Path(path).read_bytes() if len(data) else b""


def _check_adapters() -> None:
    requirements.check()
    if not adapters():
        raise DeviceError(
            "which operations the GPU takes is not known here: there is no Vulkan adapter to ask", hint=_CURE
        )


def _placed(graph: Subgraph, found: Refusals, told: Told) -> Placement:
    part = largest_part(graph, found.refused) if not told.answer.nothing else ()
    taken = with_widened(graph, part)
    matches = told.whole or agrees(told.answer, graph, part)
    known = steps(graph)
    operations = tuple(
        _operation(step, layer, found, step.operator.index in taken, matches)
        for step, layer in zip(known, layer_names(known), strict=True)
    )
    return Placement(
        target=GPU, compiler="", mode="first", operations=operations, edges=edges(graph), asked=_asked(told),
        wrong=told.wrong or told.refused or _wrong(graph, found.wrong), notes=tuple(_notes(told, matches, len(taken))),
    )


def _wrong(graph: Subgraph, indices: Collection[int]) -> str:
    """What to say of a model that agrees on what was tried, and has operations that do not."""
    kinds = " and ".join(sorted({graph.operators[index].label for index in indices}))
    several = "operations" if len(indices) > 1 else "operation"
    return f"the GPU computes {len(indices)} {several} ({kinds}) otherwise than the processor" if indices else ""


def _operation(step: Step, layer: str, found: Refusals, inside: bool, matches: bool) -> PlacedOperation:
    index, label = step.operator.index, step.operator.label
    reason = found.refused.get(index, "")
    status, advice = RUNS, ""
    if reason:
        status, advice = REFUSED, advice_for(label, reason)
    elif not inside:
        status, reason = ELSEWHERE, "The GPU takes one part of a model, the largest."
    elif index in found.wrong:
        integers = any(tensor is not None and tensor.dtype in EIGHT_BIT for tensor in step.inputs)
        status, reason = WRONG, f"{WRONG}, in silence: a fault of its library."
        advice = advice_for_wrong(integers)
    return PlacedOperation(
        index=index, type=step.type, custom_code=step.operator.custom_code, name=operation_name(step), layer=layer,
        placement=GPU if inside else "cpu", status=status, reason=reason, advice=advice,
        certain=matches and found.certain, macs=macs(step),
    )


def _refused(graph: Subgraph, refusal: Refusal, told: Told | None = None) -> Placement:
    found = steps(graph)
    operations = tuple(
        PlacedOperation(
            index=step.operator.index, type=step.type, custom_code=step.operator.custom_code,
            name=operation_name(step), layer=layer, placement="cpu", status=refusal.status, macs=macs(step),
        )
        for step, layer in zip(found, layer_names(found), strict=True)
    )
    return Placement(
        target=GPU, compiler="", mode="first", operations=operations, edges=edges(graph), refusals=(refusal,),
        asked=_asked(told) if told else "",
    )


def _asked(told: Told) -> str:
    kind = ", a software device" if told.answer.software else ""
    return f"LiteRT {version('ai-edge-litert')} on {told.answer.adapter}{kind}"


def _notes(told: Told, matches: bool, number: int) -> list[str]:
    notes = []
    if told.answer.software:
        notes.append(
            "No GPU was asked: the accelerator decides by the operations, and hardly by the adapter, but a Jetson may "
            "answer otherwise. edgekit inspect on the Jetson asks its own."
        )
    if not matches:
        notes.append(
            f"The accelerator counts {told.answer.taken} operations on the GPU, and its reasons give {number}: "
            "which ones they are is uncertain."
        )
    return notes
