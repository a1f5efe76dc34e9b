"""The profiles as tables for people: `python -m edgekit_devices.boards.table docs/boards.md` renews those in a page."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from edgekit_devices.boards.profile import Latency, Profile, profiles

BEGIN, END = "<!-- boards: begin -->", "<!-- boards: end -->"
"""Marks between which the tables stand in a page."""


def markdown() -> str:
    """Every board with what runs and what goes wrong, and the published figures."""
    return "\n".join([*_boards(profiles()), "", *_figures(profiles()), ""])


def _boards(known: Sequence[Profile]) -> Iterator[str]:
    yield "| board | processor and memory | system, Python | `--device` | does not run | mind |"
    yield "|---|---|---|---|---|---|"
    for profile in known:
        yield _row(
            f"**{profile.name}**", _lines((profile.chip, profile.processor, profile.memory)),
            _lines((profile.system, f"Python {profile.python}")),
            _lines(f"`{name}`: {how}" for name, how in profile.runs.items()) or "nothing",
            _lines(f"`{name}`: {why}" for name, why in profile.lacks.items()), _lines(profile.pitfalls),
        )


def _figures(known: Sequence[Profile]) -> Iterator[str]:
    yield "| board | model | `--device` | ms | with | source |"
    yield "|---|---|---|---|---|---|"
    for profile in known:
        for latency in profile.latencies:
            yield _figure(profile, latency)


def _figure(profile: Profile, latency: Latency) -> str:
    return _row(
        profile.name, f"{latency.model}, {latency.precision}", f"`{latency.device}`", f"{latency.milliseconds:,g}",
        latency.runtime, latency.source,
    )


def _lines(parts: Sequence[str] | Iterator[str]) -> str:
    return "<br>".join(filter(None, parts))


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _renew(path: Path) -> None:
    """Put the tables between the marks of a page."""
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    path.write_text(f"{before}{BEGIN}\n{markdown()}{END}{rest.partition(END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    _renew(Path(sys.argv[1]))
