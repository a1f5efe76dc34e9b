"""Where a model comes from: hashes, versions, the command."""

from __future__ import annotations

import hashlib
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from edgekit import metadata
from edgekit._version import __version__
from edgekit.errors import MissingFileError
from edgekit.tflite import ModelFile

_CHUNK = 1 << 20
_PACKAGES = ("tensorflow", "keras", "ai-edge-litert", "litert-quantizer", "numpy", "scikit-learn")


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal.

    Raises:
        MissingFileError: it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise MissingFileError(f"{path} cannot be read: {error.strerror}") from error
    return digest.hexdigest()


def provenance_of(file: ModelFile, command: str) -> dict[str, Any]:
    """What the file says of its origin, and what made the report."""
    said = dict(metadata.read(file).provenance)
    return {
        "command": command or None,
        "source": said.get("source") or None,
        "made_with": said.get("versions") or {},
        "calibration_data": _calibration_data(said.get("calibration")),
        "reported_with": {"edgekit": __version__, "python": platform.python_version(), **_installed()},
        "platform": f"{platform.system()} {platform.machine()}",
    }


def _calibration_data(said: Any) -> dict[str, Any] | None:
    if not isinstance(said, dict) or not said:
        return None
    return {key: said[key] for key in ("source", "samples", "sha256") if key in said}


def _installed() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
