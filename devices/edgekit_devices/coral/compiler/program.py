"""Finds the Edge TPU's compiler, on this machine or in a container image, and runs it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from edgekit.errors import ConversionError, MissingFileError, UsageError
from edgekit_devices import children
from edgekit_devices.children import Ran, Tick
from edgekit_devices.coral.compiler.failures import explain_start, last_words
from edgekit_devices.coral.compiler.log import parse

NAME = "edgetpu_compiler"
VARIABLE = "EDGEKIT_EDGETPU_COMPILER"
ENGINES = ("docker", "podman")
MOUNTED = "/work"
VERSION_SECONDS = 60.0
"""Longest wait for the version: a container takes some seconds to start."""
STOP_SECONDS = 20.0


class CompilerNotFoundError(ConversionError):
    """There is no compiler here; the hint says how to compile elsewhere."""


@dataclass(frozen=True, slots=True)
class Program:
    """The compiler.

    Attributes:
        path: The executable: the compiler itself, or the container engine.
        engine: `docker` or `podman`; empty where it is the compiler itself.
        image: The container image; empty as well.
    """

    path: str
    engine: str = ""
    image: str = ""

    @property
    def label(self) -> str:
        """How a user names it."""
        return f"{self.engine}:{self.image}" if self.engine else self.path

    def run(self, arguments: Sequence[str], folder: Path, *, seconds: float, tick: Tick | None = None) -> Ran:
        """Run it in a folder that is all it sees of this machine, if it is in a container.

        Raises:
            ConversionError: it cannot be started.
        """
        container = f"edgekit-{uuid4().hex[:12]}"
        command = [*self._container(folder, container), *arguments] if self.engine else [self.path, *arguments]
        try:
            return children.run(
                command, folder, seconds=seconds, tick=tick,
                stop=(lambda: self._kill(container)) if self.engine else None,
            )
        except OSError as error:
            failure = explain_start(str(error), None)
            raise ConversionError(
                f"{self.label} cannot be started: {error.strerror}", hint=failure.cure if failure else ""
            ) from error

    def _container(self, folder: Path, name: str) -> list[str]:
        # Podman without root maps the container's root to this user; docker has to be told whose the files shall be.
        user = ["--user", f"{os.getuid()}:{os.getgid()}"] if self.engine == "docker" else []
        # Never pulled: a misspelt name must not run what a stranger published. label=disable: SELinux would keep the
        # container from the folder.
        return [
            self.path, "run", "--rm", "--name", name, "--pull", "never", "--network", "none",
            "--platform", "linux/amd64", "--security-opt", "label=disable", *user,
            "--volume", f"{folder}:{MOUNTED}", "--workdir", MOUNTED, "--entrypoint", NAME, self.image,
        ]

    def _kill(self, container: str) -> None:
        """End a container, which outlives the engine's client."""
        with suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(
                [self.path, "kill", container], stdin=subprocess.DEVNULL, capture_output=True, check=False,
                timeout=STOP_SECONDS,
            )

    def version(self, folder: Path) -> str:
        """Such as `16.0.384591198`.

        Raises:
            ConversionError: it does not say one, so that it is no Edge TPU compiler, or cannot run.
        """
        ran = self.run(["--version"], folder, seconds=VERSION_SECONDS)
        version = parse(ran.output).version
        if version:
            return version
        if ran.limit:
            raise ConversionError(f"{self.label} did not tell its version within {VERSION_SECONDS:g} s")
        failure = explain_start(ran.output, ran.code)
        raise ConversionError(
            f"{self.label} tells no version as the Edge TPU compiler does{f': {failure.reason}' if failure else ''}",
            hint="\n".join(filter(None, [failure.cure if failure else "", last_words(ran.output)])),
        )


def find(given: str | None) -> Program:
    """The compiler that was asked for, else the one on PATH.

    Args:
        given: A path, a name on PATH, `docker:IMAGE` or `podman:IMAGE`; None for what the environment variable
            `EDGEKIT_EDGETPU_COMPILER` says in the same words, or `edgetpu_compiler` on PATH.

    Raises:
        UsageError: no image is named.
        MissingFileError: there is no such program.
        CompilerNotFoundError: nothing was given, and PATH has none; or it has no such container engine.
    """
    wanted, source = (given, "--compiler") if given is not None else (os.environ.get(VARIABLE) or None, VARIABLE)
    if wanted is None:
        if path := shutil.which(NAME):
            return Program(path)
        raise CompilerNotFoundError(f"there is no {NAME} on PATH")
    engine, colon, image = wanted.partition(":")
    if colon and engine in ENGINES:
        return _in_container(engine, image, source)
    path = shutil.which(wanted) or shutil.which(Path(wanted).expanduser().absolute())
    if path is None:
        raise MissingFileError(
            f"{source} names {wanted}, which is no program that can be run",
            hint="Give its path, or docker:IMAGE or podman:IMAGE.",
        )
    return Program(str(Path(path).absolute()))


def _in_container(engine: str, image: str, source: str) -> Program:
    if not image or image.startswith("-"):
        raise UsageError(
            f"{source} names no container image", hint=f"Write {engine}:IMAGE, as {engine} images lists it."
        )
    path = shutil.which(engine)
    if path is None:
        raise CompilerNotFoundError(f"{source} asks for a container, and there is no {engine} on PATH")
    return Program(path, engine, image)


_APT, _KEY = "https://packages.cloud.google.com/apt", "/usr/share/keyrings/coral.gpg"
_INSTALL = (
    "apt-get -qq update && apt-get -qq install -y curl gpg && "
    f"curl -fsS {_APT}/doc/apt-key.gpg | gpg --dearmor > {_KEY} && "
    f'echo "deb [signed-by={_KEY}] {_APT} coral-edgetpu-stable main" > /etc/apt/sources.list.d/coral.list && '
    "apt-get -qq update && apt-get -qq install -y edgetpu-compiler"
)


def elsewhere(flags: Sequence[str], models: Sequence[Path]) -> str:
    """What to type on another machine, and in a container, to have the models compiled; for people."""
    names = [shlex.quote(path.name if not path.name.startswith("-") else f"./{path.name}") for path in models]
    command = " ".join([NAME, *flags, *names])
    folder = shlex.quote(str(models[0].absolute().parent))
    inside = shlex.quote(f"{_INSTALL} && {command}")
    together = "" if len({path.absolute().parent for path in models}) == 1 else "Put the models into one folder. "
    return (
        f"{together}Compile on an x86-64 Debian or Ubuntu that has the package edgetpu-compiler:\n  {command}\n"
        f"or in a container, here:\n"
        f"  docker run --rm --platform linux/amd64 -v {folder}:{MOUNTED} -w {MOUNTED} debian:bookworm sh -c {inside}"
    )
