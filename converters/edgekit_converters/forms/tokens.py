"""Word and token numbers as the integers that they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from keras.src.models.functional import Functional

from edgekit_converters.forms.types import Form


def _keep_integers(original: Callable[..., Any]) -> Callable[..., Any]:
    """Integers are not cast to the float32 that a model declares by default, from which Embedding casts them back."""

    def convert(model: Any, flat_inputs: Sequence[Any]) -> list[Any]:
        pairs = zip(flat_inputs, original(model, flat_inputs), strict=True)
        return [given if given is not None and given.dtype.is_integer else cast for given, cast in pairs]

    return convert


FORMS = (Form("tokens", Functional, "_convert_inputs_to_tensors", _keep_integers, reported=False),)
