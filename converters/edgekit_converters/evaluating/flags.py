"""Classes and groups that lose more than the others.

The rule: the change of the part's main metric less that of all other samples, with the 95 % interval of that
difference; the part is flagged where the interval lies wholly on the bad side. The two are independent samples, so that
their variances add up; for metrics that are no share of samples their resamplings are subtracted.
"""

from __future__ import annotations

from edgekit_converters.evaluating.metrics.intervals import difference
from edgekit_converters.evaluating.metrics.measured import Measured, percentiles
from edgekit_converters.evaluating.metrics.names import METRICS
from edgekit_converters.evaluating.results import Figure

FEW = 30
"""Samples below which a part's figures say little."""
PERCENT = 100


def judge(part: Measured, others: Measured | None, samples: int) -> tuple[bool, str]:
    """Whether a part loses more than the other samples, and what there is to say of it.

    Args:
        part: Its main metric.
        others: The same metric of all other samples; None where there are none, or it cannot be measured on them.
        samples: How many the part has.
    """
    few = f"only {samples} sample{'s' * (samples != 1)}: too few to tell" if samples < FEW else ""
    gap = None if others is None else _gap(part, others)
    if gap is None or gap.low is None or gap.high is None:
        return False, few
    worse = gap.high < 0 if part.metric.higher_is_better else gap.low > 0
    if not worse:
        return False, few
    return True, f"{_said(gap, part)}, on {samples} samples only" if samples < FEW else _said(gap, part)


def _gap(part: Measured, others: Measured) -> Figure | None:
    """How much more the metric has changed here than elsewhere."""
    if part.discordance and others.discordance:
        return difference(part.discordance, others.discordance)
    here, there = part.metric.change, others.metric.change
    if here is None or there is None or part.changes is None or others.changes is None:
        return None
    rows = min(len(part.changes), len(others.changes))
    # Both went through the same draws of chance; turned round, they are independent.
    return percentiles(here.value - there.value, part.changes[:rows] - others.changes[:rows][::-1])


def _said(gap: Figure, part: Measured) -> str:
    low, high = sorted((abs(gap.low or 0), abs(gap.high or 0)))
    if part.metric.unit == "share":
        amount, low, high = f"{abs(gap.value) * PERCENT:.1f} points", low * PERCENT, high * PERCENT
    else:
        amount = f"{abs(gap.value):.3g} of {METRICS[part.metric.name].title}"
    return f"loses {amount} more than the other samples (95 %: {low:.3g} to {high:.3g})"
