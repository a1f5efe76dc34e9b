"""What trials found, kept for a model (by its checksum) on a machine (processor, runtime, what is attached)."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path

from edgekit import cache, processor
from edgekit.interpreter import import_runtime

KIND = "trials"
FORMAT = 1
"""Grows when trials are done in another way, so that those of before do not count."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What a trial found.

    Attributes:
        times: Milliseconds that one inference took, by what ran it.
        different: What gave other results than the processor.
        unsuited: Why the model does not go with a device, by its name.
    """

    times: Mapping[str, float] = field(default_factory=dict)
    different: tuple[str, ...] = ()
    unsuited: Mapping[str, str] = field(default_factory=dict)

    @property
    def known(self) -> frozenset[str]:
        """Names of the devices that need no other trial."""
        return frozenset((*self.times, *self.different, *self.unsuited))


def subject(path: str, **circumstances: object) -> dict[str, object]:
    """What findings hold for, and no longer when any of it changes.

    Args:
        path: The model file.
        circumstances: What they depend on besides the model, the processor and the runtime.
    """
    runtime = import_runtime().__name__.partition(".")[0]
    return {
        "format": FORMAT,
        "model": checksum(path),
        "runtime": f"{runtime} {_version(runtime)}",
        "processor": _processor(),
        "cores": processor.physical_cores(),
        **circumstances,
    }


@lru_cache(maxsize=1)
def _processor() -> str:
    """What the processor is; with many cores it takes the kernel a while to tell."""
    features = " ".join(sorted(processor.features()))
    return f"{', '.join(sorted(processor.kinds()))} {zlib.crc32(features.encode()):08x}"


def recall(about: Mapping[str, object]) -> Findings | None:
    """What was found before; None where that is not known."""
    found = cache.read_json(KIND, _name(about))
    try:
        times = {str(name): float(milliseconds) for name, milliseconds in found["times"].items()}
        unsuited = {str(name): str(reason) for name, reason in found["unsuited"].items()}
        return Findings(times, tuple(map(str, found["different"])), unsuited)
    except (TypeError, KeyError, ValueError, AttributeError):  # none, or the file holds something else
        return None


def keep(about: Mapping[str, object], findings: Findings) -> None:
    """Remember what was found, where the cache can be written."""
    cache.write_json(KIND, _name(about), {"about": about, **asdict(findings)})


def _name(about: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(about, sort_keys=True, default=str).encode()).hexdigest()[:32]


def checksum(path: str) -> str:
    """Length and CRC-32 of a file: four times as quick as a SHA-256, and nobody gains by a forgery."""
    state = Path(path).stat()
    return _checksum(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=8)
def _checksum(path: str, changed: int, size: int) -> str:
    return f"{size}-{zlib.crc32(Path(path).read_bytes()):08x}"


def _version(runtime: str) -> str:
    return str(getattr(__import__(runtime), "__version__", "unknown"))
