"""Looks at the models before the compiler is started, and refuses what it would refuse."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from edgekit import metadata
from edgekit.errors import ConversionError, OutputError, UsageError
from edgekit.tflite import read_model
from edgekit_devices.coral.compiler.outcome import Options, Source
from edgekit_devices.coral.placement import analyse

_INT8_RUNTIME = 12


def prepare(models: Sequence[str | os.PathLike[str]], options: Options) -> tuple[Source, ...]:
    """Analyse the models that are to be compiled.

    Raises:
        UsageError: options that cannot be, or that do not go together; two models of one name; a model that would be
            written over, or that is compiled already.
        MissingFileError: there is no such file.
        ModelFileError: a file is no model, or is damaged.
        OutputError: a file cannot be written where it is to go.
    """
    options.check()
    if not models:
        raise UsageError("no model was given")
    if options.segments > 1 and len(models) > 1:
        raise UsageError("segments of several models cannot be compiled together", hint="Compile one model at a time.")
    sources = tuple(_source(Path(model), options) for model in models)
    _check_names(sources, options)
    return sources


def _source(path: Path, options: Options) -> Source:
    file = read_model(path, details=True)
    if file.is_edgetpu:
        raise UsageError(
            f"{file.label} is compiled already", hint="Give the file that it was compiled from; inspect shows this one."
        )
    # The compiler then says "unsupported data type" of each operation, and nothing of the cause.
    if (options.min_runtime or _INT8_RUNTIME) < _INT8_RUNTIME and any(one.dtype == "int8" for one in file.main.tensors):
        raise UsageError(
            f"{file.label} holds int8 numbers, which runtimes before {_INT8_RUNTIME} do not know",
            hint=f"Give --min-runtime {_INT8_RUNTIME} or more.",
        )
    about = metadata.read(file)
    if options.segments > 1 and about.states:
        raise UsageError(f"{file.label} carries states from sample to sample, which segments cannot")
    placement = analyse(path, subgraphs=options.subgraphs)
    return Source(path, file, about, placement, hashlib.sha256(path.read_bytes()).hexdigest())


def output_names(source: Source, options: Options) -> list[str]:
    """Names of the compiled files, as the compiler gives them."""
    stem = source.path.stem
    if options.segments == 1:
        return [f"{stem}_edgetpu.tflite"]
    return [f"{stem}_segment_{index}_of_{options.segments}_edgetpu.tflite" for index in range(options.segments)]


def folder_of(options: Options) -> Path:
    """Where the compiled files go."""
    return Path(options.output or ".").absolute()


def _check_names(sources: Sequence[Source], options: Options) -> None:
    stems = [source.path.stem for source in sources]
    if twice := sorted({stem for stem in stems if stems.count(stem) > 1}):
        raise UsageError(
            f"two models are called {twice[0]}, and so would be what is made of them", hint="Rename one of them."
        )
    folder = folder_of(options)
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"cannot write into {folder}: it is no folder", hint="Name a folder with -o.")
    for name in (name for source in sources for name in output_names(source, options)):
        target = folder / name
        if target.is_dir():
            raise OutputError(f"cannot write {target}: it is a folder", hint="Name another folder with -o.")
        if target.exists() and any(target.samefile(source.path) for source in sources):
            raise UsageError(f"{target.name} would replace a model that is to be compiled", hint="Give another -o.")


def refuse(sources: Sequence[Source]) -> None:
    """End it here where the compiler takes no part of a model.

    Raises:
        ConversionError: with all reasons.
    """
    said = [(source, refusal) for source in sources for refusal in source.placement.refusals]
    if not said:
        return
    reasons = "; ".join(f"{source.file.label}: {refusal.reason.rstrip('.')}" for source, refusal in said)
    raise ConversionError(
        f"the Edge TPU compiler would refuse it, and was not started: {reasons}",
        hint=" ".join(dict.fromkeys(refusal.advice for _, refusal in said)),
    )

