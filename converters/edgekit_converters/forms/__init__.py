"""Layers in forms that TFLite can hold in int8, put in the place of Keras's own while a model is traced.

TensorFlow 2.21's converter cannot lower the loops of Keras 3's recurrent layers (it fails, or crashes), has no
bicubic resize and no 3-D convolution in int8. The forms here compute the same: `freezing` holds their float results
against the model's own and refuses what differs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from contextlib import ExitStack, contextmanager
from inspect import getattr_static
from typing import Any

from edgekit_converters.forms import (
    activating,
    attending,
    augmenting,
    curves,
    dense,
    groups,
    normalizing,
    pooling,
    recurrent,
    resizing,
    tokens,
    volumes,
)
from edgekit_converters.forms.types import Form, UnfitError

FORMS: tuple[Form, ...] = (
    *recurrent.FORMS, *normalizing.FORMS, *activating.FORMS, *curves.FORMS, *attending.FORMS, *resizing.FORMS,
    *pooling.FORMS, *tokens.FORMS, *volumes.FORMS, *groups.FORMS, *dense.FORMS, *augmenting.FORMS,
)


@contextmanager
def convertible_layers(wanted: Set[str]) -> Iterator[list[str]]:
    """Within it, Keras traces the forms of this package.

    Args:
        wanted: Names of the cures (`edgekit_converters.cures`) to apply.

    Returns:
        A list that fills with the names of those used, once for each use.
    """
    used: list[str] = []
    with ExitStack() as stack:
        for form in FORMS:
            if form.cure in wanted:
                original = getattr(form.owner, form.attribute)  # perhaps another form already
                held = getattr_static(form.owner, form.attribute)
                stack.callback(setattr, form.owner, form.attribute, held)
                made = _reporting(used, form, original)
                setattr(form.owner, form.attribute, staticmethod(made) if isinstance(held, staticmethod) else made)
        yield used


def _reporting(used: list[str], form: Form, original: Callable[..., Any]) -> Callable[..., Any]:
    """The form in place of the original, which is called where the form does not fit."""

    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            result = form.build(original)(*args, **kwargs)
        except UnfitError:
            if form.keras_goes_on:
                raise
            return original(*args, **kwargs)
        used.extend([form.cure] * form.reported)
        return result

    return call
