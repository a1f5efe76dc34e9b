"""The distribution of latencies as a picture (SVG): which share of the runs took no longer than that."""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape

import numpy as np
from numpy.typing import NDArray

from edgekit.cli.layout import visible
from edgekit_devices.bench.figures import PERCENTILES
from edgekit_devices.bench.types import Benchmark, Measured

COLOURS = ("#1565c0", "#c62828", "#2e7d32", "#6a1b9a", "#ef6c00", "#00838f", "#4e342e", "#37474f")
STEPS = 200
_WIDTH, _HEIGHT = 900, 360
_LEFT, _RIGHT, _TOP = 60, 20, 60
_LEGEND = 22
_STYLE = (
    "text{font-family:sans-serif;font-size:12px;fill:#1b1b1b}.small{font-size:10px;fill:#555}"
    ".title{font-size:16px;font-weight:bold}.grid{stroke:#ddd}polyline{fill:none;stroke-width:2}"
)


class _Axis:
    """Milliseconds along a logarithmic axis, in pixels."""

    def __init__(self, least: float, most: float) -> None:
        self.least, self.most = least * 0.95, most * 1.05
        self._scale = (_WIDTH - _LEFT - _RIGHT) / math.log(self.most / self.least)

    def __call__(self, milliseconds: float) -> float:
        return _LEFT + math.log(milliseconds / self.least) * self._scale

    def ticks(self) -> list[float]:
        """Round numbers in the range: 1, 2 and 5 of each decade, or finer ones where the range is narrow."""
        for digits in ((1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8), tuple(step / 10 for step in range(10, 100))):
            powers = range(math.floor(math.log10(self.least)), math.ceil(math.log10(self.most)) + 1)
            found = [digit * 10.0**power for power in powers for digit in digits]
            inside = [tick for tick in found if self.least <= tick <= self.most]
            if len(inside) >= 4:
                break
        return inside[:: math.ceil(len(inside) / 12) or 1]


def draw(benchmark: Benchmark) -> str:
    """A self-contained SVG with a curve for each subject that was measured."""
    shown = [one for one in benchmark.measured if one.runs]
    times = [np.sort(one.times("inference")) for one in shown]
    axis = _Axis(min(float(each[0]) for each in times), max(float(each[-1]) for each in times))
    height = _TOP + _HEIGHT + 50 + _LEGEND * len(shown)
    title = f"Latency of inference on {benchmark.machine['board']}"
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}" '
        'role="img">',
        f"<title>{_text(title)}</title><style>{_STYLE}</style>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text class="title" x="20" y="30">{_text(title)}</text>',
        *_grid(axis),
        *(line for at, one in enumerate(shown) for line in _curve(one, times[at], axis, at)),
        "</svg>",
    ]) + "\n"


def _grid(axis: _Axis) -> Iterator[str]:
    bottom = _TOP + _HEIGHT
    for share in (0, 25, 50, 75, 90, 99):
        y = _height(share)
        yield f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text class="small" x="{_LEFT - 8}" y="{y + 3:.1f}" text-anchor="end">{share} %</text>'
    for tick in axis.ticks():
        x = axis(tick)
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{bottom}"/>'
        yield f'<text class="small" x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{tick:g}</text>'
    said = "milliseconds (logarithmic)"
    yield f'<text class="small" x="{_WIDTH - _RIGHT}" y="{bottom + 32}" text-anchor="end">{said}</text>'
    yield f'<text class="small" x="{_LEFT}" y="{_TOP - 8}">share of the runs that took no longer</text>'


def _curve(one: Measured, times: NDArray[np.float64], axis: _Axis, at: int) -> Iterator[str]:
    colour = COLOURS[at % len(COLOURS)]
    dash = f' stroke-dasharray="{4 + 4 * (at // len(COLOURS))} 3"' if at >= len(COLOURS) else ""
    shares = np.linspace(0, 100, STEPS + 1)
    spots = zip(np.percentile(times, shares), shares, strict=True)
    points = " ".join(f"{axis(float(ms)):.1f},{_height(share):.1f}" for ms, share in spots)
    yield f'<polyline stroke="{colour}"{dash} points="{points}"/>'
    marks = dict(zip(PERCENTILES, map(float, np.percentile(times, PERCENTILES)), strict=True))
    for share, ms in marks.items():
        yield f'<circle cx="{axis(ms):.1f}" cy="{_height(share):.1f}" r="3.5" fill="{colour}"/>'
    y = _TOP + _HEIGHT + 50 + _LEGEND * at
    told = ", ".join(f"p{share} {ms:.3g} ms" for share, ms in marks.items())
    yield f'<line x1="{_LEFT}" x2="{_LEFT + 24}" y1="{y - 4}" y2="{y - 4}" stroke="{colour}" stroke-width="3"{dash}/>'
    yield f'<text x="{_LEFT + 32}" y="{y}">{_text(one.name)}: {told}, {one.runs:,} runs</text>'


def _height(share: float) -> float:
    """Where a percentage stands."""
    return _TOP + _HEIGHT * (1 - share / 100)


def _text(text: str) -> str:
    """Text of others, fit for XML."""
    return escape(visible(text))
