"""What is looked at: files under a root, programs, the user, and the Python that runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgekit_devices import sysfs
from edgekit_devices.machine.clock import kernel_clock
from edgekit_devices.machine.python import Python, this_python
from edgekit_devices.machine.user import User, this_user

PROGRAM_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Said:
    """What a program said.

    Attributes:
        code: Its exit code; None where it is not there, could not be started or took too long.
        output: Its standard output and error.
    """

    code: int | None
    output: str = ""


Run = Callable[[Sequence[str], float], Said]


def run_program(command: Sequence[str], seconds: float) -> Said:
    """Run a program for at most so many seconds."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds,
            check=False, env={**os.environ, "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return Said(None)
    return Said(done.returncode, done.stdout.decode("utf-8", "replace"))


def _may_use(path: Path) -> bool:
    """Whether this process may read and write it. Nothing is opened: that wakes some devices, and hangs on others."""
    return os.access(path, os.R_OK | os.W_OK, effective_ids=True)


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine, or a tree of files that stands for one.

    Attributes:
        root: What is `/` there.
        environment: The environment's variables.
        user: Who looks.
        python: The Python that EdgeKit runs in.
        kernel: The kernel's processor and release, such as `aarch64` and `6.6.31+rpt-rpi-v8`.
        run: Runs a program for at most so many seconds.
        may_use: Whether the user may read and write a file.
        space: As `os.statvfs`.
        now: Seconds since 1970.
        synchronized: Whether the kernel's clock is kept by a server's; None where nobody knows.
    """

    root: Path
    environment: Mapping[str, str]
    user: User
    python: Python
    kernel: tuple[str, str]
    run: Run = run_program
    may_use: Callable[[Path], bool] = _may_use
    space: Callable[[Path], os.statvfs_result] = field(default=os.statvfs)
    now: Callable[[], float] = time.time
    synchronized: Callable[[], bool | None] = kernel_clock

    @property
    def real(self) -> bool:
        """Whether this is the machine itself, whose devices can be asked, and no tree of files."""
        return self.root == Path("/")

    def path(self, name: str) -> Path:
        """A file under the root, named without the first slash."""
        return self.root / name

    def text(self, name: str) -> str:
        """What a file says; empty where it cannot be read."""
        return sysfs.text(self.root / name)

    def entries(self, pattern: str) -> list[Path]:
        """Files under the root that match, in the order of their names."""
        return sysfs.entries(self.root, pattern)

    def shown(self, path: Path) -> str:
        """A file under the root as the user knows it."""
        return f"/{path.relative_to(self.root)}"

    def program(self, *names: str) -> str | None:
        """Path of the first of these programs that is there."""
        search = f"{self.environment.get('PATH', os.defpath)}:/usr/sbin:/sbin"
        return next((found for name in names if (found := shutil.which(name, path=search))), None)

    def ask(self, *command: str, seconds: float = PROGRAM_SECONDS) -> str:
        """What a program prints where it succeeds; empty where it does not, or is not there."""
        program = self.program(command[0])
        said = self.run([program, *command[1:]], seconds) if program else Said(None)
        return said.output.strip() if said.code == 0 else ""

    @property
    def is_container(self) -> bool:
        """Whether this is the inside of a container."""
        marks = ("run/.containerenv", ".dockerenv")
        return any(self.path(mark).exists() for mark in marks) or bool(self.environment.get("container"))


def this_machine() -> Machine:
    """The machine that this runs on; files are those of `EDGEKIT_ROOT`, where the environment has it."""
    about = os.uname()
    root = sysfs.root()
    return Machine(root, dict(os.environ), this_user(root), this_python(), (about.machine, about.release))
