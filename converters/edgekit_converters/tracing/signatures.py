"""What a Keras model takes: as it says itself, as it was built, or as the user or the calibration data say."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import keras
import numpy as np

from edgekit.errors import ConversionError
from edgekit_converters.tracing.naming import input_leaves, names_of, numbered
from edgekit_converters.tracing.shapes import GivenShape, fixed_shapes
from edgekit_converters.tracing.specs import InputSpec, tidy


@dataclass(frozen=True, slots=True)
class Signature:
    """A model's inputs.

    Attributes:
        specs: One an input, in the order in which Keras flattens the structure.
        struct: What the model is called with, of any leaves.
    """

    specs: tuple[InputSpec, ...]
    struct: Any

    def pack(self, tensors: Sequence[Any]) -> Any:
        """The tensors in the structure that the model takes."""
        return keras.tree.pack_sequence_as(self.struct, list(tensors))


def signature_of(model: Any, given: Sequence[GivenShape], sample_shapes: Mapping[str, tuple[int, ...]]) -> Signature:
    """What the model is to be traced with.

    Args:
        model: A Keras 3 model.
        given: Sizes that the user fixes.
        sample_shapes: Shapes of one calibration sample by input name, where the data says them.

    Raises:
        UsageError: what is given does not fit.
        ConversionError: an input is left open, or nothing tells what the model takes.
    """
    if getattr(model, "inputs", None):
        return _declared(model, given)
    if not model.built:
        raise ConversionError(
            f"model '{model.name}' was never built, so it has no weights yet",
            hint="Call it once on data, or start it with keras.Input(shape), train it, and save it again.",
        )
    return _built(model, given, sample_shapes)


def _declared(model: Any, given: Sequence[GivenShape]) -> Signature:
    # A Sequential model that was loaded has inputs, but no `input`.
    struct = model.inputs[0] if isinstance(model, keras.Sequential) else model.input
    names = names_of(struct, input_leaves(model))
    fixed = fixed_shapes({name: i.shape for name, i in zip(names, model.inputs, strict=True)}, given)
    specs = (InputSpec(name, fixed[name], i.dtype) for name, i in zip(names, model.inputs, strict=True))
    return Signature(tuple(specs), struct)


def with_tokens(model: Any, signature: Signature) -> Signature:
    """The signature with int32 for float inputs that Embedding layers alone take: those cast them first thing."""
    network = getattr(model, "_functional", model)
    consumers: dict[int, list[Any]] = {}
    for node in chain.from_iterable(getattr(network, "_nodes_by_depth", {}).values()):
        for tensor in node.input_tensors:
            consumers.setdefault(id(tensor), []).append(node.operation)

    def only_looked_up(tensor: Any) -> bool:
        takers = consumers.get(id(tensor), [])
        lookups = [taker for taker in takers if isinstance(taker, keras.layers.Embedding)]
        # What is left makes the mask of `mask_zero`.
        return bool(lookups) and all(taker in lookups or type(taker).__name__ == "NotEqual" for taker in takers)

    inputs = keras.tree.flatten(getattr(network, "inputs", None) or ())
    if len(inputs) != len(signature.specs):
        return signature
    pairs = zip(signature.specs, inputs, strict=True)
    specs = (replace(spec, dtype="int32") if only_looked_up(tensor) else spec for spec, tensor in pairs)
    return replace(signature, specs=tuple(specs))


def _built(model: Any, given: Sequence[GivenShape], sample_shapes: Mapping[str, tuple[int, ...]]) -> Signature:
    """A subclassed model: it declares nothing, and remembers the shapes that it was built with."""
    struct = _remembered(model)
    if struct is None:
        struct = _said(given) or _with_batch(sample_shapes)
    if struct is None:
        raise ConversionError(
            f"model '{model.name}' ({type(model).__name__}) is a subclassed model, and nothing says what it takes",
            hint="Say it: --input-shape 224,224,3, or --input-shape NAME=… for each of several; in Python, "
            "input_shape=(224, 224, 3).",
        )
    shapes = [leaf.sizes for leaf in keras.tree.flatten(struct)]
    names = names_of(struct, numbered([""] * len(shapes)))
    said = {names[0] if shape.name is None and len(names) == 1 else tidy(shape.name or "") for shape in given}
    # The sizes it was built with are an example; those that the user gives count.
    known = {n: (None,) * len(s) if n in said else s for n, s in zip(names, shapes, strict=True)}
    fixed = fixed_shapes(known, given)
    return Signature(tuple(InputSpec(name, fixed[name], "float32") for name in names), struct)


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A shape as one leaf of a structure: Keras would go into a tuple."""

    sizes: tuple[int | None, ...]


def _remembered(model: Any) -> Any:
    shapes = getattr(model, "_build_shapes_dict", None)
    if not shapes:
        return None
    if len(shapes) == 1:
        return _leaves(next(iter(shapes.values())))
    return {str(name).removesuffix("_shape"): _leaves(shape) for name, shape in shapes.items()}


def _leaves(shape: Any) -> Any:
    if isinstance(shape, Mapping):
        return {str(key): _leaves(inner) for key, inner in shape.items()}
    if all(size is None or isinstance(size, int) for size in shape):
        return _Leaf(tuple(shape))
    return [_leaves(inner) for inner in shape]


def _said(given: Sequence[GivenShape]) -> Any:
    if not given:
        return None
    if given[0].name is None:
        return _Leaf((None, *given[0].sizes))
    return {str(shape.name): _Leaf((None, *shape.sizes)) for shape in given}


def _with_batch(shapes: Mapping[str, tuple[int, ...]]) -> Any:
    leaves = {name: _Leaf((None, *shape)) for name, shape in shapes.items()}
    return next(iter(leaves.values())) if len(leaves) == 1 else leaves or None


def shapes_in(path: Path | None) -> dict[str, tuple[int, ...]]:
    """Shapes of one sample in a calibration `.npy` or `.npz`, by input name; empty for other data.

    What is wrong with the file is said where it is read.
    """
    readers: dict[str, Callable[[Path], dict[str, tuple[int, ...]]]] = {".npy": _array_shape, ".npz": _archive_shapes}
    reader = readers.get(path.suffix.lower()) if path else None
    try:
        return reader(path) if reader and path else {}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        return {}


def _array_shape(path: Path) -> dict[str, tuple[int, ...]]:
    return {"x": np.load(path, mmap_mode="r", allow_pickle=False).shape[1:]}


def _archive_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name].shape[1:] for name in arrays.files}
