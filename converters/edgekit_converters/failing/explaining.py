"""What a failure of TensorFlow's converter means to the user: which layer, what is wrong with it, what to change."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from edgekit.errors import ConversionError
from edgekit_converters.tracing.places import Place
from edgekit_converters.tracing.recording import places_of

_DETAIL = re.compile(r"^\s*tf\.(\w+)\((.*)$", re.MULTILINE)
_NAMED = re.compile(r"(?:TF Select|Custom) ops: ([\w, ]+)")
_REFUSED = re.compile(r"error: '(?:tfl?)\.(\w+)' op (.+)")
_NOT_THE_OPERATION = {"neither a custom op nor a flex op"}
_MOST_NAMED = 3
LONGEST_REASON = 200
_LOG = "The converter's whole log is shown with --debug."

_DOUBLE = "It computes in float64, which TFLite hardly knows: use float32 in that layer (dtype='float32', tf.cast)."
_TEXT = "Text cannot be processed on the device by the model: take the layer out and feed it numbers."
_COMPLEX = "TFLite knows few operations on complex numbers: keep real and imaginary part as two float tensors."
_BY_OPERATION = (
    (re.compile(r"Print|StringFormat|Assert|CheckNumerics"), "Take out what is there for debugging (tf.print)."),
    (re.compile(r"String|Regex|AsString|Unicode"), _TEXT),
    (re.compile(r"HashTable|Lookup|MutableHash"), "Look words up before the model, and feed it numbers."),
    (re.compile(r"PyFunc"), "Python cannot run on the device: write it in operations of keras.ops or TensorFlow."),
    (re.compile(r"Ragged|Sparse"), "Use dense tensors of fixed size: pad with zeros."),
    (re.compile(r"FFT|Complex"), _COMPLEX),
    (re.compile(r"TensorList|While|TensorArray"), "Write the loop out: a fixed number of steps, in Python."),
    (re.compile(r"Cholesky|Inverse|Svd|Qr$|Eig|Determinant|Solve|Lu$"),
     "Compute it before the model or after it; TFLite has no decompositions of matrices."),
)
_GENERAL = "Put a layer of keras.layers, or operations that TFLite has, in its place."


class UnexplainedError(ConversionError):
    """A failure that says nothing of where: the layers are then tried one at a time."""


def explain(error: Exception, graph: Any = None, known: Mapping[str, Place] | None = None) -> ConversionError:
    """What TensorFlow's converter could not do, and with which layer.

    Args:
        error: What it raised.
        graph: The `GraphDef` that was converted, where there is one.
        known: The layer of each operation that is known to come from one.

    Returns:
        An `UnexplainedError` where TensorFlow names no operation.
    """
    text = str(error)
    known = known or {}
    details = dict(_DETAIL.findall(text))
    names = [name for found in _NAMED.findall(text) for name in found.replace(" ", "").split(",")]
    missing = list(dict.fromkeys([*details, *names]))
    if missing:
        return _no_operation(missing, details, graph, known)
    refused = next((m for m in _REFUSED.findall(text) if not any(part in m[1] for part in _NOT_THE_OPERATION)), None)
    if refused:
        name, reason = refused
        return ConversionError(
            f"TensorFlow's converter cannot take the operation {name}{_users(places_of(graph, name, known))}: "
            f"{reason[:LONGEST_REASON]}",
            hint=f"{_cure(name, '')} {_LOG}",
        )
    first = next((line.strip() for line in text.splitlines() if line.strip()), type(error).__name__)
    return UnexplainedError(f"TensorFlow's converter failed: {first[:LONGEST_REASON]}", hint=_LOG)


def _no_operation(
    missing: Sequence[str], details: Mapping[str, str], graph: Any, known: Mapping[str, Place]
) -> ConversionError:
    places = {name: places_of(graph, name, known) for name in missing}
    # Those first that a layer uses; one may come from what another needs.
    ordered = sorted(missing, key=lambda name: not any(isinstance(place, Place) for place in places[name]))
    what = ", ".join(f"{_kind(details.get(name, ''))}{name}" for name in ordered)
    where = _users([place for name in ordered for place in places[name]])
    cure = _cure(ordered[0], details.get(ordered[0], ""))
    return ConversionError(f"TFLite has no operation for {what}{where}", hint=f"{cure} {_LOG}")


def _users(places: Sequence[Place | str]) -> str:
    """Who uses an operation, as the end of a sentence: the layers, or where it stands in a graph without layers."""
    layers = [str(place) for place in places if isinstance(place, Place)]
    names = [f"'{name}'" for name in places if isinstance(name, str)]
    shown = list(dict.fromkeys(layers or names))
    if not shown:
        return ", which this model uses"
    more = f" and {len(shown) - _MOST_NAMED} more" if len(shown) > _MOST_NAMED else ""
    listed = " and ".join(shown[:_MOST_NAMED]) + more
    if not layers:
        return f", which stands at {listed} in the graph"
    comma = "," if " inside " in listed else ""
    return f", which {listed}{comma} {'uses' if len(shown) == 1 else 'use'}"


def _kind(detail: str) -> str:
    for mark, kind in (("xf64", "float64 "), ("<f64", "float64 "), ("complex", "complex ")):
        if mark in detail:
            return kind
    return ""


def _cure(operation: str, detail: str) -> str:
    if _kind(detail) == "float64 ":
        return _DOUBLE
    if _kind(detail) == "complex ":
        return _COMPLEX
    return next((cure for pattern, cure in _BY_OPERATION if pattern.search(operation)), _GENERAL)
