"""What the compiler made of a model: checked, set beside what was foretold, and given the model's metadata."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgekit import metadata
from edgekit.errors import ConversionError, ModelFileError
from edgekit.placement import Package
from edgekit.tflite import ModelFile, read_model
from edgekit_devices.coral.compiled import read_packages
from edgekit_devices.coral.compiler.carrying import Segment, carried, check_ends
from edgekit_devices.coral.compiler.comparing import Verdict, compare
from edgekit_devices.coral.compiler.log import Log, parse, total
from edgekit_devices.coral.compiler.outcome import RUNTIMES, Compilation, Options, Output, Source
from edgekit_devices.coral.compiler.preparing import folder_of, output_names
from edgekit_devices.coral.compiler.program import NAME
from edgekit_devices.coral.placement import COMPILER
from edgekit_devices.coral.placement.phrases import MAPPED

_WHY = "edgekit inspect --target coral says why, and what to change."


@dataclass(frozen=True, slots=True)
class Made:
    """What the compiler left in a folder, and what it said.

    Attributes:
        folder: Where its files are.
        log: What it printed.
        version: Its version; empty where it is not known.
        flags: What it was told; None where it ran elsewhere.
        failed: What to raise where a file is missing or no model.
    """

    folder: Path
    log: Log
    version: str
    flags: tuple[str, ...] | None
    failed: ConversionError


def finish(source: Source, made: Made, options: Options, done: Path) -> Compilation:
    """Check and compare what was made of a model, and write it with its metadata.

    Args:
        source: The model.
        made: What the compiler left.
        options: Settings.
        done: Folder to write into.

    Raises:
        ConversionError: a file is missing, was made of another model, or has nothing for the Edge TPU.
    """
    names = output_names(source, options)
    files = [_open(made, name) for name in names]
    segments = [Segment(index, len(names)) if len(names) > 1 else None for index in range(len(names))]
    for file, segment in zip(files, segments, strict=True):
        check_ends(source.file, file, segment)
    made = _with_logs(made, names)
    verdict = compare(source.file.main, source.placement, files, total([made.log.about(name) for name in names]))
    if not any(file.is_edgetpu for file in files):
        raise ConversionError(
            f"the Edge TPU compiler put no operation of {source.file.label} on the Edge TPU",
            hint="\n".join([*_left(verdict), _WHY]),
        )
    outputs = [
        _write(source, file, made, segment, done, folder_of(options))
        for file, segment in zip(files, segments, strict=True)
    ]
    return Compilation(
        source=source, outputs=tuple(outputs), verdict=verdict, version=made.version, flags=made.flags,
        milliseconds=made.log.milliseconds, messages=made.log.rest, notes=tuple(_notes(made, options)),
    )


def _open(made: Made, name: str) -> ModelFile:
    path = made.folder / name
    if not path.is_file():
        raise made.failed
    try:
        return read_model(path, details=True)
    except ModelFileError as error:
        raise ConversionError(f"{name}, as the compiler made it, is no sound model", hint=made.failed.hint) from error


def _with_logs(made: Made, names: Sequence[str]) -> Made:
    """What was printed, and what only the logs say: of a compiler elsewhere, that is all."""
    reports, version = [], made.version
    for name in names:
        path = (made.folder / name).with_suffix(".log")
        log = parse(path.read_text("utf-8", "replace")) if path.is_file() else Log()
        version = version or log.version
        reports.append(replace(made.log.about(name).filled(log.about(name)), output=name))
    return replace(made, version=version, log=replace(made.log, models=tuple(reports)))


def _write(
    source: Source, file: ModelFile, made: Made, segment: Segment | None, done: Path, folder: Path
) -> Output:
    path = Path(file.path)
    content = path.read_bytes()
    packages = read_packages(file, content)
    about = carried(source.file, source.about, file, _provenance(source, made, packages, segment), segment)
    written = metadata.write(content, about)
    (done / path.name).write_bytes(written)
    log = path.with_suffix(".log")
    if log.is_file():
        shutil.copyfile(log, done / log.name)
    said = made.log.about(path.name)
    return Output(
        path=folder / path.name, size=len(written),
        runtime=max((one.min_runtime_version for one in packages), default=None),
        cached_bytes=sum(one.cached_bytes for one in packages),
        streamed_bytes=sum(one.streamed_bytes for one in packages),
        remaining_bytes=said.remaining, operations=said.operations,
    )


def _provenance(
    source: Source, made: Made, packages: Sequence[Package], segment: Segment | None
) -> dict[str, object]:
    inside = next((one.compiler_version for one in packages), "")
    return {
        "name": NAME,
        "version": made.version or inside or None,
        "flags": None if made.flags is None else list(made.flags),
        "model": {"name": source.file.label, "sha256": source.sha256},
        **({"segment": segment.index, "segments": segment.count} if segment else {}),
    }


def _notes(made: Made, options: Options) -> Iterator[str]:
    known, newest = COMPILER.rpartition(" ")[2], RUNTIMES[1]
    if not made.version:
        yield "Which version of the compiler made it is not known."
    elif made.version != known:
        yield f"Foretold is what version {known} does; this is version {made.version}."
    if (options.min_runtime or newest) != newest:
        yield f"Foretold is what is done for runtime {newest}; this is for runtime {options.min_runtime}."


def _left(verdict: Verdict) -> list[str]:
    """What the compiler's table says of operations that are not on the Edge TPU."""
    return [
        f"  {row.compiler} {row.type}: {row.status}" for row in verdict.rows if row.compiler and row.status != MAPPED
    ]


def require(done: Sequence[Compilation]) -> None:
    """See that nothing stays on the processor.

    Raises:
        ConversionError: something does.
    """
    left = [one for one in done if one.verdict.on_cpu]
    if left:
        said = ", ".join(
            f"{one.verdict.on_cpu} of {len(one.source.placement.operations)} operations of {one.source.file.label}"
            for one in left
        )
        raise ConversionError(
            f"the compiler leaves {said} on the CPU, and all were required to be on the Edge TPU",
            hint="\n".join([*(line for one in left for line in _left(one.verdict)), _WHY]),
        )
