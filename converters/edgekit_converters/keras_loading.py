"""Opens Keras files of any age with Keras 3, without running code from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras

from edgekit.errors import ConversionError
from edgekit_converters.keras_files import KerasFile


class _DepthwiseConv2D(keras.layers.DepthwiseConv2D):
    """Keras 2 wrote a `groups` of 1 into this layer's configuration, which Keras 3 refuses."""

    def __init__(self, *args: Any, groups: int = 1, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


class _Conv2DTranspose(keras.layers.Conv2DTranspose):
    """As above (keras-team/keras#19441)."""

    def __init__(self, *args: Any, groups: int = 1, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


_KERAS_2_LAYERS = {"DepthwiseConv2D": _DepthwiseConv2D, "Conv2DTranspose": _Conv2DTranspose}


def load_keras(file: KerasFile, folder: Path) -> Any:
    """The model of a `.keras` or `.h5` file; `folder` takes a link with the suffix that Keras goes by.

    Raises:
        ConversionError: Keras cannot build the model from its file.
    """
    link = folder / f"source.{file.kind}"
    link.symlink_to(file.path.resolve())
    custom = _KERAS_2_LAYERS if file.kind == "h5" else None
    try:
        return keras.models.load_model(link, custom_objects=custom, compile=False, safe_mode=True)
    except (TypeError, ValueError, KeyError, OSError, AttributeError) as error:
        raise _cannot_load(file, error) from error


def _cannot_load(file: KerasFile, error: Exception) -> ConversionError:
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    unknown = [layer for layer in file.layers if layer.kind in str(error) and not hasattr(keras.layers, layer.kind)]
    if unknown:
        names = ", ".join(str(layer) for layer in dict.fromkeys(unknown))
        return ConversionError(
            f"{file.path} uses classes that Keras does not know: {names}",
            hint="Build or load the model in Python, where the classes are defined, and pass it in memory:\n"
            "edgekit.convert(model, ...).",
        )
    return ConversionError(
        f"Keras {keras.__version__} cannot load {file.path}: {first}",
        hint="See the whole of its message with --debug.",
    )
