"""Features from what users write and model files hold."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, get_type_hints

from edgekit.choices import one_of
from edgekit.errors import UsageError
from edgekit.features.bands import Bands
from edgekit.features.micro import Micro
from edgekit.features.sound import LogMel, Mfcc, Spectrogram
from edgekit.features.statistics import Stats
from edgekit.features.types import Features, Raw

FEATURES: Mapping[str, type[Any]] = MappingProxyType(
    {"logmel": LogMel, "mfcc": Mfcc, "spectrogram": Spectrogram, "stats": Stats, "bands": Bands, "micro": Micro}
)
"""Features by name. Their fields are their options, with the field's default where an option is left out."""


def parse_features(text: str, rate: float | None = None) -> Features:
    """Features from their declaration.

    Args:
        text: `NAME` or `NAME:OPTION=VALUE,...`; empty for none.
        rate: Samples a second, for features that depend on it and where the text does not give it.

    Raises:
        UsageError: no such features, no such option, or a value that it does not take.
    """
    name, _, rest = text.strip().partition(":")
    if not name:
        return Raw()
    kind = FEATURES[one_of("features", name, tuple(FEATURES))]
    options = dict(_split(pair) for pair in rest.split(",") if pair.strip())
    types = get_type_hints(kind)
    for option in options:
        one_of(f"features {name}: option", option, tuple(types))
    if rate is not None and "rate" in types:
        options.setdefault("rate", f"{rate:.12g}")
    made: Features = kind(**{key: _value(key, value, types[key]) for key, value in options.items()})
    return made


def _split(pair: str) -> tuple[str, str]:
    key, equals, value = pair.partition("=")
    if not equals or not value.strip():
        raise UsageError(f"features: '{pair}' has no value", hint="Write OPTION=VALUE, separated by commas.")
    return key.strip(), value.strip()


def _value(key: str, text: str, kind: Any) -> Any:
    """An option's value: a number or text, or where several are meant, values joined by + (numbers by ..)."""
    try:
        if kind in (int, float, str):
            return kind(text)
        numeric = kind == tuple[float, ...]
        parts = text.split(".." if numeric else "+")
        return tuple(float(part) for part in parts) if numeric else tuple(parts)
    except ValueError:
        raise UsageError(f"features: {key} cannot be '{text}'") from None


def declaration(name: str, features: Any) -> str:
    """The text that `parse_features` makes the same features of, with all options: defaults may change."""
    values = {field.name: getattr(features, field.name) for field in dataclasses.fields(features)}
    return f"{name}:{','.join(f'{key}={_text(value)}' for key, value in values.items() if value != ())}"


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return ("..".join(f"{part:.12g}" for part in value)) if isinstance(value[0], float) else "+".join(value)
    return f"{value:.12g}" if isinstance(value, float) else str(value)
