"""User spaces for emulated boards: Debian's packages and the wheels that a board of that kind would get.

Packages are unpacked by mmdebstrap and never configured, and wheels are put in from outside, so that building one needs
no emulation. What is left to be done by hand is what their scripts would have done: links, accounts, bytecode.
"""

from __future__ import annotations

import compileall
import re
import shutil
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from email import message_from_bytes
from pathlib import Path

from packaging.requirements import Requirement

from tests.emulated.kept import call, keep

SUITE = "bookworm"
PYTHON = "3.11"
"""Debian's in that release, and Raspberry Pi OS's."""
SITE = f"opt/venv/lib/python{PYTHON}/site-packages"
LIBRARIES = f"usr/lib/python{PYTHON}"
BASE = (
    "base-files", "coreutils", "dash", "libc-bin", "libc6", "libgcc-s1", "libpython3.11-stdlib", "libstdc++6",
    "python3.11", "python3.11-minimal", "zlib1g",
)
ELF = r"\x7fELF\x{bits}\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x{machine}\x00"
ACCOUNTS = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
    "etc/group": "root:x:0:\ndialout:x:20:\naudio:x:29:\nvideo:x:44:\nplugdev:x:46:\nrender:x:106:\n",
}
SAME_PYTHON = sys.version_info[:2] == tuple(map(int, PYTHON.split(".")))
"""Whether this Python's bytecode is that of the boards."""
MOUNTED = ("dev", "material", "proc", "run", "sys", "tmp", "work")


@dataclass(frozen=True, slots=True)
class System:
    """A user space.

    Attributes:
        name: Debian's name of the architecture.
        machine: What `uname -m` says there, by which pip chooses.
        emulator: QEMU's program.
        magic: How programs for it begin, as the kernel's binfmt_misc takes it.
        packages: Debian's packages, beside those of `BASE`.
        extras: Those of EdgeKit that pip installs there.
        platform: uv's or pip's name of the wheels that run there.
        from_debian: What the packages bring, which pip then finds there already.
    """

    name: str
    machine: str
    emulator: str
    magic: str
    packages: tuple[str, ...]
    extras: tuple[str, ...]
    platform: str
    from_debian: tuple[str, ...] = ()


SYSTEMS = {
    system.name: system
    for system in (
        System("arm64", "aarch64", "qemu-aarch64-static", ELF.format(bits="02", machine="b7"), (), ("camera",),
               "aarch64-manylinux_2_28"),
        # There is no wheel of NumPy or OpenCV on PyPI for it: docs/raspberry-pi.md takes Debian's packages.
        System("armhf", "armv7l", "qemu-arm-static", ELF.format(bits="01", machine="28"),
               ("libatomic1", "python3-numpy", "python3-opencv"), (), "manylinux_2_34_armv7l", ("numpy",)),
    )
}


def build(system: System, wheel: Path, cache: Path) -> Path:
    """The root of a system with the wheel in it; what does not depend on the wheel's code is kept in the cache.

    Raises:
        subprocess.CalledProcessError: a package or wheel cannot be had.
    """
    wanted = requirements(wheel, system)
    root = cache / system.name

    def make() -> None:
        _unpack(system, root)
        _install(system, wanted, root / SITE)
        _configure(root, sees_system=bool(system.packages))
        _compile(root, root / LIBRARIES, root / "usr/lib/python3", root / SITE)

    keep(root, (Path(__file__).read_text(encoding="utf-8"), *wanted), make)
    _replace_edgekit(wheel, root)
    return root


def requirements(wheel: Path, system: System) -> list[str]:
    """What pip installs beside the wheel, sorted; without what the system's packages bring."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        entries = message_from_bytes(archive.read(name)).get_all("Requires-Dist") or []
    about = {"platform_machine": system.machine, "python_version": PYTHON, "python_full_version": f"{PYTHON}.2"}
    chosen = (
        requirement for requirement in map(Requirement, entries)
        if requirement.marker is None
        or any(requirement.marker.evaluate({**about, "extra": extra}) for extra in ("", *system.extras))
    )
    return sorted(f"{each.name}{each.specifier}" for each in chosen if each.name not in system.from_debian)


def versions(root: Path) -> dict[str, str]:
    """Names and versions of the wheels in a root, without EdgeKit's."""
    folders = sorted(path.name.removesuffix(".dist-info") for path in (root / SITE).glob("*.dist-info"))
    named = (folder.partition("-") for folder in folders if not folder.startswith("edgekit"))
    return {name: version for name, _, version in named}


def _unpack(system: System, root: Path) -> None:
    call(
        "mmdebstrap", "--quiet", "--variant=extract", f"--architectures={system.name}",
        f"--include={','.join((*BASE, *system.packages))}", '--aptopt=APT::Install-Recommends "false"',
        '--aptopt=Acquire::Retries "3"',
        "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
        SUITE, str(root), f"deb {_mirror()} {SUITE} main",
    )


def _mirror() -> str:
    """The mirror that this machine uses."""
    lists = (*Path("/etc/apt/sources.list.d").glob("*.sources"), Path("/etc/apt/sources.list"))
    text = "\n".join(path.read_text(encoding="utf-8") for path in lists if path.exists())
    found = re.search(r"https?://\S+/debian/?(?=\s)", text)
    return found[0] if found else "http://deb.debian.org/debian"


def _install(system: System, wanted: Sequence[str], site: Path) -> None:
    if system.name == "arm64":
        call("uv", "pip", "install", "--quiet", "--target", str(site), "--python-platform", system.platform,
              "--python-version", PYTHON, "--only-binary", ":all:", *wanted)
    else:  # uv knows no such platform, and pip would take this machine for the board where it resolves
        call(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
              "--target", str(site), "--platform", system.platform, "--implementation", "cp",
              "--abi", f"cp{PYTHON.replace('.', '')}", "--python-version", PYTHON, "--only-binary", ":all:", *wanted)


def _configure(root: Path, *, sees_system: bool) -> None:
    """What the packages' scripts would have done, and the environment that `python3 -m venv` makes."""
    for name in MOUNTED:
        (root / name).mkdir(exist_ok=True)
    for name, text in ACCOUNTS.items():
        (root / name).write_text(text)
    for library in ("blas", "lapack"):
        link = root / f"usr/lib/arm-linux-gnueabihf/lib{library}.so.3"
        if (link.parent / library).is_dir():
            link.symlink_to(f"{library}/{link.name}")
    programs = root / "opt/venv/bin"
    programs.mkdir(parents=True, exist_ok=True)
    for name in ("python", "python3"):
        (programs / name).symlink_to(f"/usr/bin/python{PYTHON}")
    seen = str(sees_system).lower()
    (programs.parent / "pyvenv.cfg").write_text(f"home = /usr/bin\ninclude-system-site-packages = {seen}\n")


def _replace_edgekit(wheel: Path, root: Path) -> None:
    """Install the wheel, with nothing of the one before left over."""
    site = root / SITE
    for old in site.glob("edgekit*"):
        shutil.rmtree(old)
    call("uv", "pip", "install", "--quiet", "--no-deps", "--upgrade", "--target", str(site), str(wheel))
    script = (site / "bin/edgekit").read_text(encoding="utf-8")
    program = root / "opt/venv/bin/edgekit"
    program.write_text("#!/opt/venv/bin/python\n" + script.partition("\n")[2])
    program.chmod(0o755)
    _compile(root, *site.glob("edgekit*"))


def _compile(root: Path, *folders: Path) -> None:
    """Keep bytecode, which pip does and the emulated Python would take seconds for; only the same Python can."""
    if SAME_PYTHON:
        for folder in filter(Path.is_dir, folders):
            compileall.compile_dir(
                folder, quiet=2, workers=2, rx=re.compile(r"/(tests?|lib2to3|idlelib)/"), stripdir=root, prependdir="/"
            )

