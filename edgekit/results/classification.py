"""Which class a sample is of."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Any

from edgekit.results.base import SCORE_DIGITS, Result, ScoredClass


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification(Result):
    """The best classes, best first."""

    classes: tuple[ScoredClass, ...]

    def best(self, label: str | None = None, minimum: float = 0.0) -> ScoredClass | None:
        """As in `Result`: the best class, or the one of that label, where its score reaches `minimum`."""
        for entry in self.classes:
            if label is None or entry.label == label:
                return entry if entry.score >= minimum else None
        return None

    def payload(self) -> dict[str, Any]:
        """`classes`: a list of index, label and score; a score that is no finite number is None."""
        return {
            "classes": [
                {
                    "index": c.index,
                    "label": c.label,
                    "score": round(c.score, SCORE_DIGITS) if isfinite(c.score) else None,
                }
                for c in self.classes
            ]
        }
