"""Questions about the shapes and names of outputs, which heads are told by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import UsageError
from edgekit.tasks.options import HeadOptions
from edgekit.tasks.types import Output, Tensors

ACTIVATIONS = ("sigmoid", "softmax", "none")
_KNOWN = {"LOGISTIC": "none", "SOFTMAX": "none"}


def by_name(outputs: Sequence[Output], words: Mapping[str, Sequence[str]]) -> dict[str, int] | None:
    """Which output is which, by words in their names; None unless each is named by just one.

    Args:
        outputs: Of the model.
        words: What each output that is looked for may have in its name, in lower case.
    """
    found: dict[str, int] = {}
    for wanted, marks in words.items():
        hits = [at for at, output in enumerate(outputs) if any(mark in output.name.lower() for mark in marks)]
        if len(hits) != 1 or hits[0] in found.values():
            return None
        found[wanted] = hits[0]
    return found


def by_order(options: HeadOptions, names: Sequence[str], tensors: Tensors) -> dict[str, int] | None:
    """Which output is which, by the head's option `order`; None where it is not given.

    Raises:
        UsageError: it does not name each once.
    """
    text = options.text("order")
    if not text:
        return None
    words = [word.strip() for word in text.split(",")]
    if sorted(words) != sorted(names) or len(words) != len(tensors.outputs):
        raise UsageError(
            f"order is '{text}', and the model's outputs are {tensors.describe()}",
            hint=f"Name each once, in the order of the outputs, such as {','.join(names)}.",
        )
    return {word: at for at, word in enumerate(words)}


def score_activation(options: HeadOptions, output: Output, head: str) -> str:
    """What is still to be computed of the scores: as the option `activation` says, else nothing where the network ends
    in a sigmoid or softmax.

    Raises:
        UsageError: nobody says it.
    """
    known = _KNOWN.get(output.activation or "", "")
    found = options.word("activation", known or "unsaid", (*ACTIVATIONS, "unsaid"))
    if found == "unsaid":
        raise UsageError(
            f"{output.describe()} ends in neither sigmoid nor softmax, so that head {head} cannot tell scores",
            hint="Say what is missing: --head-option activation=sigmoid, or softmax; none where they are scores.",
        )
    return found


def activate(values: NDArray[np.float32], activation: str) -> NDArray[np.float32]:
    """Scores from what the network gives, along the last axis."""
    if activation == "sigmoid":
        with np.errstate(over="ignore"):
            return np.asarray(1 / (1 + np.exp(-values)), np.float32)
    if activation == "softmax":
        powers = np.exp(values - values.max(axis=-1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=-1, keepdims=True), np.float32)
    return values
