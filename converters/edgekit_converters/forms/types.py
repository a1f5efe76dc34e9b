"""What a form of a layer is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf


class UnfitError(NotImplementedError):
    """This form does not fit the layer as it is configured: Keras's own is taken."""


def refuse_unless(fits: bool) -> None:
    """Leave the layer to Keras's own form.

    Raises:
        UnfitError: it does not fit.
    """
    if not fits:
        raise UnfitError


@dataclass(frozen=True, slots=True)
class Form:
    """Another form of one function or method of Keras's.

    Attributes:
        cure: Name of the cure that it belongs to.
        owner: Module or class whose attribute is replaced while tracing.
        attribute: Name of the function or method there.
        build: Given the original, gives what stands in its place.
        keras_goes_on: Keras itself catches the refusal, and takes a more general way.
        reported: False where the form only prepares another one.
    """

    cure: str
    owner: Any
    attribute: str
    build: Callable[[Callable[..., Any]], Callable[..., Any]]
    keras_goes_on: bool = False
    reported: bool = True


def instead(form: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """For `Form.build`: a form that has no need of the original."""
    return lambda _original: form


def value(variable: Any) -> Any:
    """The tensor that a Keras variable holds, or a tensor itself."""
    return tf.convert_to_tensor(variable.value if isinstance(variable, keras.Variable) else variable)
