"""A Keras model that lives in the caller's process, brought to the child as a SavedModel."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.errors import ConversionError, EdgeKitError, UsageError
from edgekit_converters.options import Options


@dataclass(frozen=True, slots=True)
class Handed:
    """A model on its way.

    Attributes:
        folder: The SavedModel; the child need not know the user's own classes.
        rewrites: Names of the cures that were used.
        notes: What the user should know, a sentence each.
        save_layers: Writes each layer as a SavedModel of its own into a folder, where one has to be searched for.
    """

    folder: Path
    rewrites: tuple[str, ...]
    notes: tuple[str, ...]
    save_layers: Callable[[Path], None]


def hand_over(model: Any, folder: Path, options: Options, calibration: Path | None) -> Handed:
    """Trace a model in memory and save what came of it.

    Args:
        model: A Keras 3 model, or one of `tf_keras`.
        folder: What to write.
        options: The settings.
        calibration: The calibration data: what a subclassed model takes may be seen from it.

    Raises:
        UsageError: it is something else, or lives in another backend.
        ConversionError: it cannot be traced.
        ModelFileError: its weights hold NaN or infinity.
    """
    is_keras2 = _check(model)
    from edgekit_converters.failing.reasons import reason_of
    from edgekit_converters.failing.searching import save_layers
    from edgekit_converters.loading.keras2 import freeze_keras2
    from edgekit_converters.loading.saved_models import save_frozen
    from edgekit_converters.tracing.freezing import freeze_keras
    from edgekit_converters.tracing.signatures import shapes_in

    try:
        if is_keras2:
            frozen = freeze_keras2(model, options.input_shapes)
        else:
            frozen = freeze_keras(model, options.cures, options.input_shapes, shapes_in(calibration), options.replace)
        save_frozen(frozen, folder)
    except EdgeKitError:
        raise
    except Exception as error:  # whatever TensorFlow finds that it cannot save
        raise ConversionError(
            f"model '{model.name}' cannot be traced: {type(error).__name__}: {reason_of(error)}",
            hint="Save it, model.save('model.keras'), and convert the file.",
        ) from error
    return Handed(folder, frozen.rewrites, frozen.notes, lambda layers: save_layers(frozen, options.cures, layers))


def _check(model: Any) -> bool:
    """Whether it is a model of Keras 2."""
    keras, keras2 = sys.modules.get("keras"), sys.modules.get("tf_keras")
    if keras2 is not None and isinstance(model, keras2.Model):
        return True
    if keras is None or not isinstance(model, keras.Model):
        raise UsageError(f"model cannot be {type(model).__name__}", hint="Give a path or a Keras 3 model.")
    if keras.config.backend() != "tensorflow":
        raise UsageError(
            f"a model in memory has to live in Keras's TensorFlow backend, not in {keras.config.backend()}",
            hint="Save it, model.save('model.keras'), and convert the file.",
        )
    return False
