"""A file that was compiled already, described as a placement: it says itself what is where."""

from __future__ import annotations

import os

from edgekit.placement import Crossing, Part, PlacedOperation, Placement
from edgekit.tflite import ModelFile
from edgekit.tflite.opcodes import EDGETPU_CUSTOM_OP
from edgekit.tflite.reader import open_data
from edgekit_devices.coral.compiled import read_packages
from edgekit_devices.coral.placement.layers import layer_names, operation_name
from edgekit_devices.coral.placement.phrases import MAPPED
from edgekit_devices.coral.placement.step import bytes_of, edges, steps
from edgekit_devices.coral.placement.verdicts import TARGET

_INSIDE = "Everything that went to the Edge TPU is in this one operation."
_LEFT = "The compiler left it on the CPU; why, only the uncompiled model tells."


def describe_compiled(file: ModelFile, model: str | os.PathLike[str] | bytes) -> Placement:
    """Tell what a compiled file holds.

    Args:
        file: The file, read.
        model: Where it was read from, or its bytes.

    Raises:
        ModelFileError: the Edge TPU's package in it is damaged.
    """
    if isinstance(model, bytes):
        packages = read_packages(file, model)
    else:
        with open_data(model) as data:
            packages = read_packages(file, data)
    found = steps(file.main)
    inside = [step for step in found if step.operator.custom_code == EDGETPU_CUSTOM_OP]
    numbers = {step.operator.index: number for number, step in enumerate(inside)}
    operations = tuple(
        PlacedOperation(
            index=step.operator.index, type=step.type, custom_code=step.operator.custom_code,
            name=operation_name(step), layer=layer, placement=TARGET if step in inside else "cpu",
            status=MAPPED if step in inside else "", reason=_INSIDE if step in inside else _LEFT,
            subgraph=numbers.get(step.operator.index),
        )
        for step, layer in zip(found, layer_names(found), strict=True)
    )
    parts = tuple(
        Part(
            (step.operator.index,),
            tuple(Crossing(tensor.name, bytes_of(tensor)) for tensor in step.data),
            tuple(Crossing(tensor.name, bytes_of(tensor)) for tensor in step.outputs),
        )
        for step in inside
    )
    return Placement(
        target=TARGET, compiler="", mode="all" if len(inside) > 1 else "first", operations=operations,
        edges=edges(file.main), parts=parts, packages=packages,
    )
