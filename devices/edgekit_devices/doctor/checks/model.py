"""A model that could be opened: on what it runs, how fast, and what it does not say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edgekit_devices.boards import board
from edgekit_devices.doctor.finding import Finding, note, ok, warning
from edgekit_devices.machine import Machine

SECONDS = 60.0
"""Longest wait for a model to be opened and run a few times: an Edge TPU loads its firmware at the first use."""
SLOW_FIRST = 20.0
"""Times as long as later ones that a first run may take."""


def model_findings(path: str, found: Mapping[str, Any], machine: Machine) -> Iterator[Finding]:
    """What came of opening it and running it on zeros.

    Args:
        path: Of the file.
        found: From `edgekit_devices.doctor.trial.try_model`.
        machine: On which it was tried.
    """
    checked = "; its checksum fits" if found["origin"] == "edgekit" else ""
    reason = f" ({found['reason']})" if found["reason"] else ""
    yield ok(
        f"{path}: {found['task']} on {found['device']}{reason}, opened in {found['opened']:.0f} ms, one run takes "
        f"{found['median']:.2f} ms{checked}"
    )
    if found["first"] > SLOW_FIRST * found["median"] and found["first"] > 1000:
        yield note(f"{path}: the first run takes {found['first'] / 1000:.1f} s",
                   "The device gets the model with it; a control loop should run it once before it starts.")
    for text in found["warnings"]:
        yield warning(text)
    yield from _said(Path(path).name, found)
    yield from _made_for(Path(path).name, found, machine)


def _said(path: str, found: Mapping[str, Any]) -> Iterator[Finding]:
    if found["origin"] == "none":
        yield note(
            f"{path} says nothing of itself: no labels, no normalization, no checksum",
            "A wrong guess gives wrong results without an error, and a damaged copy is not noticed.",
            f"edgekit inspect {path}   # and give --labels, --normalize, --head; or convert it with EdgeKit",
        )
    elif not found["said_task"]:
        yield note(f"{path} does not say its task; its outputs look like {found['task']}",
                   "Where that is wrong, results are.", "edgekit run ... --task TASK --head HEAD   # see docs/tasks.md")


def _made_for(path: str, found: Mapping[str, Any], machine: Machine) -> Iterator[Finding]:
    """What it was converted for, and what it runs on."""
    target, device = found["target"], found["device"]
    if target == "coral" and device.startswith("cpu"):
        yield note(f"{path} was converted for the Edge TPU, and runs on the processor",
                   "It has to be compiled before an Edge TPU takes it.", f"edgekit compile {path}")
    elif target == "jetson" and not board(machine.root).release:
        yield note(f"{path} was converted for a Jetson's GPU, and this is none",
                   "On a processor an int8 model is mostly faster.", "edgekit convert MODEL --target cpu")
