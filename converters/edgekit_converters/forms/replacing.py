"""Activations that the user has replaced by others, which changes the model: for targets that lack the operation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import keras
from keras.src import backend
from keras.src.activations import activations

_PLACES: Mapping[str, tuple[Any, str]] = {
    "hard_swish": (backend.nn, "hard_silu"),
    "swish": (backend.nn, "silu"),
    "mish": (activations.Mish, "static_call"),
}
"""Where Keras computes them; the others under their own names in the backend."""


@contextmanager
def replaced_activations(replacements: Mapping[str, str]) -> Iterator[list[str]]:
    """Within it, Keras computes other activations than those that the model names.

    Args:
        replacements: Names of those to put in the place of others, by the names of the others.

    Returns:
        A list that fills with the names of those that were replaced, once for each use.
    """
    used: list[str] = []
    with ExitStack() as stack:
        for old, new in replacements.items():
            owner, attribute = _PLACES.get(old, (backend.nn, old))
            stack.callback(setattr, owner, attribute, vars(owner)[attribute])
            form = _counting(used, old, keras.activations.get(new))
            setattr(owner, attribute, staticmethod(form) if isinstance(owner, type) else form)
        yield used


def _counting(used: list[str], old: str, activation: Callable[..., Any]) -> Callable[..., Any]:
    def call(x: Any, *_parameters: Any, **_others: Any) -> Any:
        used.append(old)
        return activation(x)

    return call
