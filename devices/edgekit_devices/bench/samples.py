"""What a model is run on to measure it: the first samples of a source, or noise."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DataError
from edgekit.inputs import Input
from edgekit.metadata.types import ColourOrder
from edgekit.model import Model
from edgekit.pipeline.models import Models
from edgekit.pipeline.setup import open_sources
from edgekit.preprocess import needs_normalization
from edgekit.sources import Sample
from edgekit.uris import redacted

MOST = 16
"""Samples that are kept in memory and run again and again: reading and decoding are not measured."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Samples in memory.

    Attributes:
        data: What a model is called with.
        channels: Order of a picture's colours.
        shown: What they are, in words.
    """

    data: tuple[Any, ...]
    channels: ColourOrder
    shown: str


def samples_for(model: Model, source: str) -> Samples:
    """The samples for a model.

    Args:
        model: What is going to be run.
        source: As for `edgekit run`; empty for noise.

    Raises:
        EdgeKitError: as in `open_source`.
        DataError: nothing of the source could be read.
    """
    return _from_source(model, source) if source else _noise(model)


def _from_source(model: Model, uri: str) -> Samples:
    found: list[Sample] = []
    problems: list[str] = []
    [source] = open_sources(uri, Models({"": model}))
    with closing(_items(source)) as items:
        for item in items:
            if isinstance(item, Sample):
                found.append(item)
            elif hasattr(item, "reason"):
                problems.append(str(item))
            if len(found) == MOST or len(problems) > MOST:
                break
    if not found:
        raise DataError(f"nothing in {redacted(uri)} could be read{f': {problems[0]}' if problems else ''}")
    shown = f"the first {len(found)} of {redacted(uri)}" if len(found) > 1 else redacted(uri)
    return Samples(tuple(sample.data for sample in found), found[0].channels, f"{shown}{_size(found[0].data)}")


def _items(source: Any) -> Generator[Any, None, None]:
    yield from source


def _size(data: Any) -> str:
    return f" ({' x '.join(map(str, data.shape))})" if hasattr(data, "shape") else ""


def _noise(model: Model) -> Samples:
    values = {tensor.name: _random(tensor) for tensor in model.inputs}
    shapes = ", ".join(f"{' x '.join(map(str, value.shape))} {value.dtype}" for value in values.values())
    data: Any = values if len(values) > 1 else next(iter(values.values()))
    return Samples((data,), "rgb", f"noise, {shapes}")


def _random(tensor: Input) -> NDArray[Any]:
    """Noise as a caller would give it: pixels, real numbers, or zeros for an input of indices."""
    generator = np.random.default_rng(0)
    if tensor.image and not needs_normalization(tensor.image):
        size = tensor.image.height, tensor.image.width
        return generator.integers(0, 256, size if tensor.image.channels == "gray" else (*size, 3), np.uint8)
    shape = tensor.shape[1:] if tensor.shape else ()
    if tensor.quantization or np.dtype(tensor.dtype).kind == "f":
        return generator.random(shape, np.float32)
    return np.zeros(shape, tensor.dtype)
