"""Layers that change pictures at random while training, and draw their random numbers at inference all the same."""

from __future__ import annotations

from typing import Any

from keras.src.layers.preprocessing.data_layer import DataLayer

from edgekit_converters.forms.types import Form, instead

SEED = 0


def _fixed_seed(_layer: Any, _backend: Any = None) -> int:
    """In place of a generator, whose state would stay behind as operations; what is drawn is not used."""
    return SEED


FORMS = (Form("operations", DataLayer, "_get_seed_generator", instead(_fixed_seed), reported=False),)
