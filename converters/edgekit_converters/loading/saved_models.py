"""SavedModels: folders of TensorFlow 2 and of TensorFlow 1, and those that bring a model in memory to the child."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import tensorflow as tf

from edgekit.errors import ConversionError
from edgekit_converters.failing.reasons import reason_of
from edgekit_converters.forms.streaming import StateLink
from edgekit_converters.tracing.freezing import Frozen, check_finite, check_outputs, check_types, trace_model
from edgekit_converters.tracing.places import Place
from edgekit_converters.tracing.shapes import GivenShape, fixed_shapes
from edgekit_converters.tracing.specs import InputSpec, distinct, tidy

_PREFERRED = ("serving_default", "serve")
_UNKNOWN_OPERATION = re.compile(r"Op type not registered '(\w+)'")
_PLACES = Path("assets.extra", "edgekit_layers.json")
_STATES = Path("assets.extra", "edgekit_states.json")


def freeze_saved_model(folder: Path, given: Sequence[GivenShape] = ()) -> Frozen:
    """Trace a SavedModel's serving signature at batch 1.

    Args:
        folder: The SavedModel.
        given: Sizes of inputs that the user fixes.

    Raises:
        UsageError: a given size does not fit.
        ConversionError: the folder cannot be read, needs operations that TensorFlow has not, has no signature to
            serve, or an input that is not fixed.
        ModelFileError: its weights hold NaN or infinity.
    """
    loaded = _loaded(folder)
    signature = _serving_signature(folder, loaded)
    arguments = signature.structured_input_signature[1]
    keys = sorted(arguments)
    names = distinct(map(tidy, keys))
    shapes = {name: _shape(folder, name, arguments[key]) for name, key in zip(names, keys, strict=True)}
    fixed = fixed_shapes(shapes, given)
    types = (arguments[key].dtype.name for key in keys)
    specs = tuple(InputSpec(name, fixed[name], dtype) for name, dtype in zip(names, types, strict=True))
    check_types(folder.name, specs)

    def call(*tensors: Any) -> dict[str, Any]:
        outputs: dict[str, Any] = signature(**dict(zip(keys, tensors, strict=True)))
        return dict(zip(distinct(map(tidy, outputs)), outputs.values(), strict=True))

    function = trace_model(folder.name, call, specs)
    check_finite(folder.name, _variables(signature))
    places = _read_places(folder)
    check_outputs(folder.name, function, places)
    states, keeps_state = _read_states(folder, specs)
    return Frozen(function, loaded, specs, places=places, states=states, keeps_state=keeps_state)


def _loaded(folder: Path) -> Any:
    try:
        return tf.saved_model.load(str(folder))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, tf.errors.OpError) as error:
        unknown = _UNKNOWN_OPERATION.search(str(error))
        if unknown:
            raise ConversionError(
                f"the SavedModel {folder} needs the operation {unknown[1]}, which TensorFlow {tf.__version__} does "
                "not have",
                hint="It is a custom operation, and neither TFLite nor the device has it: export the model without.",
            ) from error
        raise ConversionError(
            f"TensorFlow cannot load the SavedModel {folder}: {reason_of(error)}",
            hint="See that the folder is whole, 'variables' in it too, or export the model again.",
        ) from error


def _shape(folder: Path, name: str, spec: Any) -> list[int | None]:
    if spec.shape.rank is None:
        raise ConversionError(
            f"input '{name}' of the SavedModel {folder} does not even say how many dimensions it has",
            hint="Export the model with an input of fixed size, such as keras.Input((224, 224, 3)).",
        )
    return list(spec.shape)


def _serving_signature(folder: Path, loaded: Any) -> Any:
    """The signature that serves; of several others one that takes tensors, rather than serialized examples."""
    signatures = dict(getattr(loaded, "signatures", {}).items())
    for name in _PREFERRED:
        if name in signatures:
            return signatures[name]
    plain = [signature for signature in signatures.values() if not _takes_text(signature)]
    if plain or signatures:
        return (plain or list(signatures.values()))[0]
    raise ConversionError(
        f"the SavedModel {folder} has no signature to serve, so nothing says what it takes",
        hint="Export it with one: model.export('folder') in Keras, or tf.saved_model.save(model, 'folder', "
        "signatures=function).",
    )


def _takes_text(signature: Any) -> bool:
    return any(spec.dtype == tf.string for spec in signature.structured_input_signature[1].values())


def _variables(signature: Any) -> list[tuple[str, Any]]:
    found = [(variable.name.split(":")[0], variable) for variable in signature.graph.variables]
    return [(name, variable.numpy()) for name, variable in found if variable.dtype.is_floating]


def save_frozen(frozen: Frozen, folder: Path) -> None:
    """Write a SavedModel that `freeze_saved_model` reads: the way of a model in memory to the child process."""
    module = frozen.trackable
    module.serve = frozen.function
    tf.saved_model.save(module, str(folder), signatures=frozen.function)
    places = list(dict.fromkeys(frozen.places.values()))
    known = {name: places.index(place) for name, place in frozen.places.items()}
    (folder / _PLACES).parent.mkdir(exist_ok=True)
    (folder / _PLACES).write_text(json.dumps({"layers": [asdict(place) for place in places], "operations": known}))
    links = {link.input.name: link.output for link in frozen.states}
    (folder / _STATES).write_text(json.dumps({"links": links, "keeps_state": frozen.keeps_state}))


def _read_states(folder: Path, specs: Sequence[InputSpec]) -> tuple[tuple[StateLink, ...], bool]:
    if not (folder / _STATES).is_file():
        return (), False
    written = json.loads((folder / _STATES).read_text())
    links = written["links"]
    return tuple(StateLink(spec, links[spec.name]) for spec in specs if spec.name in links), written["keeps_state"]


def _read_places(folder: Path) -> dict[str, Place]:
    if not (folder / _PLACES).is_file():
        return {}
    written = json.loads((folder / _PLACES).read_text())
    places = [Place(**{**layer, "inside": tuple(layer["inside"])}) for layer in written["layers"]]
    return {name: places[at] for name, at in written["operations"].items()}
