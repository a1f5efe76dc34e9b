"""What is asked of a compilation, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgekit.choices import check_count
from edgekit.errors import UsageError
from edgekit.metadata import Metadata
from edgekit.placement import Placement, Subgraphs
from edgekit.tflite import ModelFile
from edgekit_devices.coral.compiler.comparing import Verdict

TIMEOUT = 300.0
LONGEST = 86400.0
RUNTIMES = (10, 14)
"""Oldest and newest version of the Edge TPU's runtime that the compiler can be asked for."""
MOST_SEGMENTS = 64

OnProgress = Callable[[str, float], None]
"""Told what is being done, and how many seconds it has taken so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Settings of a compilation.

    Attributes:
        output: Folder for what is made; None for the working folder.
        compiler: A path, a name on PATH, `docker:IMAGE` or `podman:IMAGE`; None to look for it.
        min_runtime: Oldest version of the Edge TPU's runtime that is to take the file, 10 to 14; None for the
            compiler's own.
        segments: Number of files to cut the model into, one for each Edge TPU.
        all_subgraphs: Put every part that can run there on the Edge TPU, and not only the first (`-a`).
        search_delegate: Let the compiler try to leave operations out until the rest passes (version 16).
        timeout: Seconds that the compiler may take, all models together.
        require_full_mapping: Fail where an operation stays on the processor.
        made: Folder with what the compiler made elsewhere; it is not started then.
    """

    output: Path | None = None
    compiler: str | None = None
    min_runtime: int | None = None
    segments: int = 1
    all_subgraphs: bool = False
    search_delegate: bool = False
    timeout: float = TIMEOUT
    require_full_mapping: bool = False
    made: Path | None = None

    @property
    def subgraphs(self) -> Subgraphs:
        """In the words of `edgekit.placement`."""
        return "all" if self.all_subgraphs else "first"

    def flags(self) -> list[str]:
        """What the compiler is told, without files, folders and time limits."""
        said = ["-s"]
        said += ["-a"] if self.all_subgraphs else []
        said += ["-d"] if self.search_delegate else []
        said += ["-m", str(self.min_runtime)] if self.min_runtime is not None else []
        return said + (["-n", str(self.segments)] if self.segments > 1 else [])

    def check(self) -> None:
        """See that all values are possible.

        Raises:
            UsageError: one is not.
        """
        check_count("--segments", self.segments, MOST_SEGMENTS)
        oldest, newest = RUNTIMES
        if self.min_runtime is not None and not oldest <= self.min_runtime <= newest:
            raise UsageError(
                f"--min-runtime is {self.min_runtime}", hint=f"Runtimes that the compiler knows: {oldest} to {newest}."
            )
        if not 0 < self.timeout <= LONGEST:
            raise UsageError(f"--timeout is {self.timeout:g}", hint=f"Give seconds, more than 0 to {LONGEST:g}.")


@dataclass(frozen=True, slots=True)
class Source:
    """A model that is to be compiled, looked at already.

    Attributes:
        path: The file.
        file: What it holds.
        about: What it says of itself.
        placement: What of it will be where, as foretold.
        sha256: Of the whole file, in hexadecimal.
    """

    path: Path
    file: ModelFile
    about: Metadata
    placement: Placement
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A compiled file; sizes in bytes, as the file itself says them.

    Attributes:
        path: Where it is.
        size: Its size.
        runtime: Oldest version of the Edge TPU's runtime that takes it; None for a segment that has nothing for it.
        cached_bytes: Parameters that are sent once and stay on the Edge TPU.
        streamed_bytes: Parameters that are sent for each run.
        remaining_bytes: Memory for parameters that is left there, as the compiler says it; None where it does not.
        operations: Operations of the model's (or segment's) own, as the compiler says it; None where it does not.
    """

    path: Path
    size: int
    runtime: int | None
    cached_bytes: int
    streamed_bytes: int
    remaining_bytes: int | None = None
    operations: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Compilation:
    """A model that was compiled.

    Attributes:
        source: What was compiled.
        outputs: The compiled file, or its segments in the order in which they run.
        verdict: What the compiler decided, beside what was foretold.
        version: The compiler's; empty where it is not known.
        flags: What the compiler was told; None where it ran elsewhere.
        milliseconds: How long it took for all models, by its own account; None where it does not say.
        messages: What it printed beside its report, line by line, as it is.
        notes: What else to know, sentence by sentence.
    """

    source: Source
    outputs: tuple[Output, ...]
    verdict: Verdict
    version: str
    flags: tuple[str, ...] | None
    milliseconds: int | None
    messages: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "source": str(self.source.path),
            "compiler": {
                "version": self.version or None, "flags": None if self.flags is None else list(self.flags),
                "milliseconds": self.milliseconds, "messages": list(self.messages),
            },
            "outputs": [{**asdict(output), "path": str(output.path)} for output in self.outputs],
            "operations": {
                "total": len(self.source.placement.operations), self.source.placement.target: self.verdict.on_target,
                "cpu": self.verdict.on_cpu,
            },
            "verdict": self.verdict.to_dict(),
            "foretold": self.source.placement.to_dict(),
            "notes": list(self.notes),
        }
