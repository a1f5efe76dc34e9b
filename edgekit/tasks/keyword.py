"""Words in a stream of sound, each reported once."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import UsageError
from edgekit.results import Keyword, Latency, ScoredClass
from edgekit.tasks import classification
from edgekit.tasks.options import HeadOptions
from edgekit.tasks.types import Head, Output, Settings, Tensors
from edgekit.tasks.view import View

OPTIONS = {
    "words": "classes to report, by label or number, separated by commas (all but those that are called silence, "
    "unknown, background, noise or none)",
    "threshold": "mean score from which on a word is heard (0.5)",
    "smooth": "windows over which scores are averaged, from 1 (1)",
    "pause": "seconds after a word during which nothing is reported (1)",
    "hop": "seconds from one window to the next (as the model's windows are)",
}
_OTHERS = frozenset({"silence", "unknown", "background", "noise", "none"})


@dataclass(frozen=True, slots=True)
class Rule:
    """When a word counts as heard.

    Attributes:
        words: Numbers of the classes that are words.
        threshold: Of the mean score.
        smooth: Windows to the mean.
        pause: Windows after a word during which nothing is reported.
    """

    words: tuple[int, ...]
    threshold: float
    smooth: int
    pause: int


class KeywordTask:
    """Reports a word when its mean score rises above the threshold, once for each utterance.

    After a word nothing is reported for the pause, nor before all scores have been below the threshold again.
    """

    remembers = True

    def __init__(self, labels: tuple[str, ...], rule: Rule) -> None:
        self._labels, self._rule = labels, rule
        self._scores: deque[NDArray[np.float32]] = deque(maxlen=rule.smooth)
        self._wait, self._armed = 0, True

    def reset(self) -> None:
        """Forget earlier windows."""
        self._scores.clear()
        self._wait, self._armed = 0, True

    def __call__(self, outputs: Sequence[NDArray[np.float32]], device: str, _view: View) -> Keyword:
        """A `Keyword`."""
        scores = outputs[0].reshape(-1)
        self._scores.append(np.concatenate((1 - scores, scores)) if scores.size == 1 else scores)
        mean = np.mean(list(self._scores), axis=0)
        index = max(self._rule.words, key=lambda word: float(mean[word]))
        score = float(mean[index])
        word = ScoredClass(index, self._labels[index] if self._labels else "", score)
        return Keyword(task="keyword", device=device, latency=Latency(), word=word, heard=self._hears(score))

    def _hears(self, score: float) -> bool:
        self._wait = max(self._wait - 1, 0)
        if score < self._rule.threshold:
            self._armed = True
            return False
        if not self._armed or self._wait:
            self._armed = False
            return False
        self._armed, self._wait = False, self._rule.pause + 1
        return True


def _build(tensors: Tensors, settings: Settings) -> KeywordTask:
    """A `KeywordTask`.

    Raises:
        UsageError: an option that makes no sense, or a word that is no class.
        DataError: labels that are not one for each class.
    """
    classification.check_labels(tensors.outputs[0])
    options = HeadOptions("keyword", OPTIONS, settings.options)
    hop = options.number("hop", 0, least=0)
    pause = options.number("pause", 1, least=0)
    rule = Rule(
        _words(options.value("words"), tensors.outputs[0]),
        settings.score if settings.score is not None else options.number("threshold", 0.5, least=0, most=1),
        options.whole("smooth", 1, least=1), round(pause / hop) if hop else 0,
    )
    return KeywordTask(tensors.outputs[0].labels, rule)


def _words(given: object, output: Output) -> tuple[int, ...]:
    classes = max(classification.BINARY_CLASSES, output.shape[-1])
    if given is None:
        named = [at for at, label in enumerate(output.labels) if label.strip("_ ").lower() not in _OTHERS]
        if output.labels and named:
            return tuple(named)
        return tuple(range(classes)) if output.shape[-1] > 1 else (1,)
    parts = given.split(",") if isinstance(given, str) else given if isinstance(given, (list, tuple)) else (given,)
    return tuple(_word(str(part).strip(), output, classes) for part in parts)


def _word(text: str, output: Output, classes: int) -> int:
    if text in output.labels:
        return output.labels.index(text)
    if text.isdigit() and int(text) < classes:
        return int(text)
    there = ", ".join(output.labels) or f"0 to {classes - 1}"
    raise UsageError(f"option words of head keyword: there is no class '{text}'", hint=f"There are {there}.")


HEADS = (
    Head(
        name="keyword", expects=classification.HEADS[0].expects, fits=classification.HEADS[0].fits, build=_build,
        options=OPTIONS,
    ),
)
"""Scores of words, window by window."""
