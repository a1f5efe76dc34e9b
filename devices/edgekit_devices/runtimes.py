"""The interpreters that a file may have to run on, and what each of them knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Runtime:
    """An interpreter, as far as conversion has to know it.

    Attributes:
        name: As on the command line.
        title: What the user knows it as.
        table: File with the highest version of each operation that it loads; None for the one that is installed
            here, on which every finished file is run.
        per_channel_dense: Whether it computes Dense with a scale a channel. Those up to 2.9 do it wrong in silence.
    """

    name: str
    title: str
    table: Path | None
    per_channel_dense: bool = True


RUNTIMES: Mapping[str, Runtime] = MappingProxyType(
    {
        runtime.name: runtime
        for runtime in (
            Runtime("litert", "ai-edge-litert", None),
            Runtime("tflite-2.14", "tflite-runtime 2.14", FOLDER / "op_versions" / "tflite-2.14.txt"),
            Runtime("tflite-2.8", "tflite-runtime 2.8", FOLDER / "op_versions" / "tflite-2.8.txt", False),
            Runtime("tflite-2.7", "tflite-runtime 2.7", FOLDER / "op_versions" / "tflite-2.7.txt", False),
            Runtime(
                "edgetpu", "the Edge TPU compiler 16", FOLDER / "coral" / "placement" / "op_versions.txt", False
            ),
        )
    }
)
"""Runtimes by name, the newest first."""


@cache
def highest_versions(runtime: str) -> Mapping[str, int]:
    """The highest version of each operation that a runtime loads, by the operation's type; empty if all do.

    Raises:
        KeyError: there is no such runtime.
    """
    table = RUNTIMES[runtime].table
    if table is None:
        return {}
    lines = (line.split() for line in table.read_text().splitlines() if not line.startswith("#"))
    return {name: int(version) for name, version in lines}
