"""From what the user names to what is measured: every model on every device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path

from edgekit import plugins
from edgekit.device import AUTO, SEPARATOR
from edgekit.errors import UsageError
from edgekit.onnx import is_onnx, read_onnx
from edgekit.tflite import read_model
from edgekit_devices.bench.types import Subject


def subjects_of(
    models: Sequence[str | PathLike[str]], devices: Sequence[str], source: str = "", threads: int | None = None,
    device_options: Mapping[str, str] | None = None, normalize: str | None = None,
) -> list[Subject]:
    """Every model on every device; each device gets those of the options that it takes.

    Raises:
        MissingFileError, ModelFileError: a model is none.
        UsageError: two of them are the same, or none of the devices takes an option.
    """
    for path in models:
        read_onnx(path) if is_onnx(path) else read_model(path)
    labels, given = _labels([fspath(model) for model in models]), dict(device_options or {})
    if len(labels) < len(models) or len(set(devices)) < len(devices):
        raise UsageError("a model is given twice for the same device", hint="Leave one of the two.")
    options = {device: _taken(device, given) for device in devices}
    unknown = next((name for name in given if not any(name in taken for taken in options.values())), None)
    if unknown:
        raise UsageError(f"{', '.join(devices)} takes no device option '{unknown}'")
    return [
        Subject(path, device, label, source, threads, normalize, options[device])
        for path, label in labels.items() for device in devices
    ]


def _labels(paths: Sequence[str]) -> dict[str, str]:
    """What to call each file: its name without the ending, with it, or the path; the first by which all differ."""
    files = {path: Path(path) for path in paths}
    for part in ("stem", "name"):
        labels = {path: str(getattr(file, part)) for path, file in files.items()}
        if len(set(labels.values())) == len(files):
            return labels
    return {path: path for path in files}


def _taken(device: str, options: Mapping[str, str]) -> dict[str, str]:
    """Options that a device takes, or one of several; `auto` is given all, since what it takes is not known yet."""
    names = {one.strip().partition(":")[0] for one in device.split(SEPARATOR)}
    known = plugins.registered("edgekit.devices")
    asked = [known[name].load().options for name in names if name in known]
    takes_any = AUTO in names or None in asked
    kept = {option.name for taken in asked for option in taken or ()}
    return {name: value for name, value in options.items() if takes_any or name in kept}
