"""Has models compiled for the Edge TPU: looks at them, runs the compiler, compares, and brings the results home."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from edgekit.errors import ConversionError, MissingFileError, OutputError
from edgekit_devices.coral.compiler.failures import explain, last_words
from edgekit_devices.coral.compiler.finishing import Made, finish, require
from edgekit_devices.coral.compiler.log import Log, parse
from edgekit_devices.coral.compiler.outcome import Compilation, OnProgress, Options, Source
from edgekit_devices.coral.compiler.preparing import folder_of, output_names, prepare, refuse
from edgekit_devices.coral.compiler.program import CompilerNotFoundError, Program, elsewhere, find

IN, OUT, DONE = "in", "out", "done"
_KNOWS_ITS_TIME = 16
"""First version with the options -t (a time limit of its own, of 180 s) and -d."""


def compile_models(
    models: Sequence[str | os.PathLike[str]], options: Options | None = None, *, progress: OnProgress | None = None
) -> tuple[Compilation, ...]:
    """Compile models for the Edge TPU with Google's compiler; several share its memory for parameters.

    What is made lies in its folder whole or not at all: `NAME_edgetpu.tflite` with the model's metadata, or
    `NAME_segment_0_of_2_edgetpu.tflite` and so on, and the compiler's `.log` beside each.

    Args:
        models: `.tflite` files.
        options: Settings.
        progress: Told of what is done.

    Raises:
        UsageError: options that cannot be; a model that is compiled already or would be written over.
        MissingFileError: a model or the compiler that was named is not there.
        ModelFileError: a model is damaged.
        CompilerNotFoundError: there is no compiler here; the hint says what to type elsewhere.
        ConversionError: the compiler refuses a model, fails, hangs, or (`require_full_mapping`) leaves something on
            the processor.
        OutputError: nothing can be written there.
    """
    options = options or Options()
    return compile_sources(prepare(models, options), options, progress=progress)


def compile_sources(
    sources: Sequence[Source], options: Options, *, progress: OnProgress | None = None
) -> tuple[Compilation, ...]:
    """As `compile_models`, for models that `prepare` has looked at."""
    refuse(sources)
    report = progress or _tell_nobody
    program = None if options.made else _find(sources, options)
    with _workplace(options) as work:
        made = _run(program, sources, options, work, report) if program else _adopt(sources, options, work)
        done = tuple(finish(source, made, options, work / DONE) for source in sources)
        if options.require_full_mapping:
            require(done)
        _bring_home(work / DONE, folder_of(options))
    return done


def _tell_nobody(_what: str, _seconds: float) -> None:
    pass


def _find(sources: Sequence[Source], options: Options) -> Program:
    try:
        return find(options.compiler)
    except CompilerNotFoundError as error:
        ready = " and ".join(str(source.path) for source in sources)
        names = ", ".join(name for source in sources for name in output_names(source, options))
        raise CompilerNotFoundError(
            f"{error.message}; {ready} {'is' if len(sources) == 1 else 'are'} ready to be compiled",
            hint=f"{elsewhere(options.flags(), [source.path for source in sources])}\n"
                 f"Then bring {names} and the .log here, and run this command again with --made FOLDER.",
        ) from error


@contextmanager
def _workplace(options: Options) -> Iterator[Path]:
    """A folder that vanishes, on the disk of the folder that the results go to."""
    target = folder_of(options)
    there = next(folder for folder in (target, *target.parents) if folder.is_dir())
    try:
        folder = TemporaryDirectory(prefix=".edgekit-compile-", dir=there)
    except OSError as error:
        raise _cannot_write(there, error) from error
    with folder as name:
        work = Path(name)
        for part in (IN, OUT, DONE):
            (work / part).mkdir()
        yield work


def _run(program: Program, sources: Sequence[Source], options: Options, work: Path, report: OnProgress) -> Made:
    report(f"asking {program.label} for its version", 0.0)
    version = program.version(work)
    names = [f"{IN}/{source.path.stem}.tflite" for source in sources]
    for source, name in zip(sources, names, strict=True):
        shutil.copyfile(source.path, work / name)
    major = version.partition(".")[0]
    knows = major.isdecimal() and int(major) >= _KNOWS_ITS_TIME
    limit = ["-t", str(math.ceil(options.timeout))] if knows else []
    ran = program.run(
        [*options.flags(), *limit, "-o", OUT, *names], work, seconds=options.timeout,
        tick=lambda seconds: report(f"compiling with {program.label} {version}", seconds),
    )
    said, label = last_words(ran.output), ", ".join(source.file.label for source in sources)
    if ran.limit:
        ended = f"did not end within {options.timeout:g} s" if ran.limit == "time" else "printed without end"
        raise ConversionError(
            f"the Edge TPU compiler {ended} with {label}, and was stopped",
            hint=f"Give more time with --timeout, or a smaller model.{_behind(said)}",
        )
    failure = explain(ran.output, ran.code, segments=options.segments > 1)
    failed = ConversionError(
        f"the Edge TPU compiler {version} did not compile {label}: {failure.reason}",
        hint=f"{failure.cure}{_behind(said)}",
    )
    if ran.code != 0:
        raise failed
    return Made(work / OUT, parse(ran.output), version, tuple(options.flags()), failed)


def _behind(said: str) -> str:
    return f"\nThe compiler's own words:\n{said}" if said else ""


def _adopt(sources: Sequence[Source], options: Options, work: Path) -> Made:
    """Take what the compiler made elsewhere."""
    folder = Path(options.made or ".")
    for name in (name for source in sources for name in output_names(source, options)):
        if not (folder / name).is_file():
            raise MissingFileError(f"there is no {name} in {folder}", hint="Compile it, and bring it there.")
        shutil.copyfile(folder / name, work / OUT / name)
        log = Path(name).with_suffix(".log")
        if (folder / log).is_file():
            shutil.copyfile(folder / log, work / OUT / log)
    return Made(work / OUT, Log(), "", None, ConversionError("the compiled file is not there"))


def _bring_home(done: Path, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(done.iterdir()):
            path.replace(folder / path.name)
    except OSError as error:
        raise _cannot_write(folder, error) from error


def _cannot_write(folder: Path, error: OSError) -> OutputError:
    return OutputError(f"cannot write into {folder}: {error.strerror}", hint="Name another folder with -o.")
