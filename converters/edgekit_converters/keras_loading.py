"""Opens Keras files of any age with Keras 3, without running code from them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import keras

from edgekit.errors import ModelFileError
from edgekit_converters.keras_files import KerasFile


class _DepthwiseConv2D(keras.layers.DepthwiseConv2D):
    """Keras 2 wrote a `groups` of 1 into this layer's configuration, which Keras 3 refuses."""

    def __init__(self, *args: Any, groups: int = 1, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


class _Conv2DTranspose(keras.layers.Conv2DTranspose):
    """As above (keras-team/keras#19441)."""

    def __init__(self, *args: Any, groups: int = 1, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


LONGEST_REASON = 300
_UNKNOWN_CLASS = re.compile(r"Could not locate class '(\w+)'|Unknown layer: '?(\w+)")
_KERAS_2_LAYERS = {"DepthwiseConv2D": _DepthwiseConv2D, "Conv2DTranspose": _Conv2DTranspose}


def load_keras(file: KerasFile, folder: Path) -> Any:
    """The model of a `.keras` or `.h5` file; `folder` takes a link with the suffix that Keras goes by.

    Raises:
        ModelFileError: Keras cannot build the model from its file.
    """
    link = folder / f"source.{file.kind}"
    link.symlink_to(file.path.resolve())
    custom = _KERAS_2_LAYERS if file.kind == "h5" else None
    try:
        return keras.models.load_model(link, custom_objects=custom, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises whatever its layers do
        raise _cannot_load(file, error) from error


def _cannot_load(file: KerasFile, error: Exception) -> ModelFileError:
    unknown = {name for match in _UNKNOWN_CLASS.finditer(str(error)) for name in match.groups() if name}
    found = dict.fromkeys(str(layer) for layer in file.layers if layer.kind in unknown)
    if unknown:
        return ModelFileError(
            f"{file.path} uses classes that Keras does not know: {', '.join(found) or ', '.join(sorted(unknown))}",
            hint="Build or load the model in Python, where the classes are defined, and pass it in memory: "
            "edgekit.convert(model, ...).",
        )
    return ModelFileError(
        f"Keras {keras.__version__} cannot load {file.path}: {_reason(error)}",
        hint="See the whole of its message with --debug.",
    )


def _reason(error: Exception) -> str:
    """The first line of an error that says something: Keras announces some with a line that ends in a colon."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = next((line for line in lines if not line.endswith(":")), "")
    return told[:LONGEST_REASON] or type(error).__name__
