"""Where files go: space, and file systems that take none."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from edgekit.folders import state_folder
from edgekit_devices.doctor.finding import Check, Finding, blocked, note, ok, warning
from edgekit_devices.machine import Machine
from edgekit_devices.machine.mounts import mount_of

GROUP = "Disk and memory"
LEAST, FEW = 20 * 2**20, 500 * 2**20
"""Bytes below which nothing can be kept, and below which a device that runs for months soon fills its disk."""
SHM_LEAST, SHM_DEFAULT = 16 * 2**20, 64 * 2**20
"""Bytes of /dev/shm that tensors and frames need, and what Docker gives."""
MIB = 2**20
FIND_LARGEST = "sudo du -xh / | sort -h | tail -20   # what takes the room; sudo journalctl --vacuum-size=50M"


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return next((one for one in (folder, *folder.parents) if one.exists()), Path("/"))


def _folders(machine: Machine) -> dict[str, Path]:
    """Folders that EdgeKit writes into, by what for."""
    temporary = machine.environment.get("TMPDIR") or "/tmp"
    return {"spools and tokens": state_folder(), "temporary files": Path(temporary)}


def space(machine: Machine) -> Iterator[Finding]:
    """Room on the file systems that are written to."""
    for use, folder in _folders(machine).items():
        place = _existing(folder)
        about = machine.space(place)
        free = about.f_bavail * about.f_frsize
        what = f"{free // MIB} MiB are free for {use} ({folder})"
        if free < LEAST:
            yield blocked(what, "Results cannot be kept, and models cannot be unpacked.", FIND_LARGEST)
        elif free < FEW:
            yield warning(what, "Spools and logs of a device that runs for months fill that.", FIND_LARGEST)
        else:
            yield ok(what)
        if about.f_files and about.f_favail == 0:
            yield blocked(f"no file can be made on the file system of {folder}", "It has no inodes left.",
                          "sudo du --inodes -x / | sort -n | tail -20")


def writable(machine: Machine) -> Iterator[Finding]:
    """Read-only systems, and those that forget everything."""
    for use, folder in _folders(machine).items():
        mount = mount_of(machine, _existing(folder))
        if mount is None:
            continue
        if "ro" in mount.options:
            yield warning(
                f"{folder} is on a file system that is read-only ({mount.place})",
                f"There is no place for {use}. A card that fails is mounted so by the kernel, too.",
                f"sudo mount -o remount,rw {mount.place}   # or: export "
                f"{'TMPDIR' if use.startswith('temp') else 'EDGEKIT_STATE'}=/a/folder/that/is/writable",
            )
        elif mount.kind in ("overlay", "tmpfs") and not use.startswith("temp") and not machine.is_container:
            yield note(f"{folder} is on {mount.kind}, which forgets everything at a restart",
                       "Results that wait for a broker are lost then.", "export EDGEKIT_STATE=/a/folder/on/a/disk")


def temporary(machine: Machine) -> Iterator[Finding]:
    """A place for temporary files, from which programs can be started."""
    if machine.real:
        try:
            tempfile.gettempdir()
        except OSError as error:
            yield warning(f"there is no folder for temporary files: {error}",
                          "Some models have to be taken apart into one.", "export TMPDIR=/a/folder/that/is/writable")
    mount = mount_of(machine, Path(machine.environment.get("TMPDIR") or "/tmp"))
    if mount and "noexec" in mount.options:
        yield note(f"{mount.place} is mounted noexec", "pip cannot build packages there that have no wheel.",
                   "TMPDIR=$HOME/tmp pip install ...   # a folder on another file system")


def shared_memory(machine: Machine) -> Iterator[Finding]:
    """Frames and tensors between processes lie there; a process that finds it full dies with a bus error."""
    place = machine.path("dev/shm")
    if not place.is_dir():
        yield warning("there is no /dev/shm", "The GPU and video pictures go through shared memory.",
                      "sudo mount -t tmpfs -o size=256m tmpfs /dev/shm")
        return
    about = machine.space(place)
    size, free = about.f_blocks * about.f_frsize, about.f_bavail * about.f_frsize
    larger = "docker run --shm-size=256m ..." if machine.is_container else "sudo mount -o remount,size=256m /dev/shm"
    if free < SHM_LEAST:
        yield warning(f"{free // MIB} MiB of /dev/shm's {size // MIB} are free",
                      "A process that fills it dies with a bus error (SIGBUS).", larger)
    elif size <= SHM_DEFAULT and machine.is_container:
        yield note(f"/dev/shm has {size // MIB} MiB, Docker's default", "Several cameras' frames fill that.", larger)
    else:
        yield ok(f"{free // MIB} MiB of /dev/shm are free")


CHECKS = (
    Check("disk-space", GROUP, space),
    Check("disk-writable", GROUP, writable),
    Check("temporary-files", GROUP, temporary),
    Check("shared-memory", GROUP, shared_memory),
)
