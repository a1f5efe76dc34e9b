"""What the processor can do: its instructions, and how many cores are really there for this process.

A thread of the network gains by a core of its own, and loses by half of one: hyper-threads, slow cores of a chip that
has fast ones too, and a container's share of the time are told apart here. All is read from files of the kernel.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path

ROOT = Path("/")
FAST_SHARE = 0.75
"""Share of the fastest core's capacity from which a core counts as fast: Cortex-A78 beside X1, but not A55."""

_NAME_KEYS = ("model name", "CPU implementer", "CPU part")
_CPUS = "sys/devices/system/cpu"
_FEATURE_KEYS = ("flags", "Features", "isa")  # x86, ARM, RISC-V
_CGROUPS = "sys/fs/cgroup"


def features(root: Path = ROOT) -> frozenset[str]:
    """Instructions that every core has, in the kernel's words: `avx2`, or on ARM `asimd`, `atomics` (LSE).

    Args:
        root: Where the file system starts; another for a tree kept from another machine.

    Returns:
        None at all where the kernel does not tell.
    """
    lines = map(_pair, _read(root / "proc/cpuinfo").splitlines())
    found = [frozenset(value.split()) for key, value in lines if key in _FEATURE_KEYS]
    return frozenset.intersection(*found) if found else frozenset()


def kinds(root: Path = ROOT) -> frozenset[str]:
    """What the cores are, in the kernel's words: `AMD EPYC 9654`, or on ARM numbers such as `0x41 0xd08` (Cortex-A72).

    Args:
        root: Where the file system starts; another for a tree kept from another machine.
    """
    blocks = _read(root / "proc/cpuinfo").split("\n\n")
    told = (dict(_pair(line) for line in block.splitlines()) for block in blocks)
    return frozenset(name for block in told if (name := " ".join(block[key] for key in _NAME_KEYS if key in block)))


def _pair(line: str) -> tuple[str, str]:
    key, _, value = line.partition(":")
    return key.strip(), value.strip()


def physical_cores(root: Path = ROOT, *, usable: Collection[int] | None = None) -> int:
    """Fast cores that this process may use, from 1: hyper-threads count once.

    Args:
        root: Where the file system starts; another for a tree kept from another machine.
        usable: Numbers of the processors that may be used; by default those that the scheduler gives this process, or
            in a tree of another machine all.
    """
    cores = {_core(root, number): _capacity(root, number) for number in _usable(root, usable)}
    fastest = max(cores.values(), default=0)
    fast = sum(capacity >= FAST_SHARE * fastest for capacity in cores.values())
    return max(1, int(min(fast, _quota(root))))


def _usable(root: Path, given: Collection[int] | None) -> Collection[int]:
    if given is not None:
        return given
    if root == ROOT:
        return os.sched_getaffinity(0)
    return [int(path.name[3:]) for path in (root / _CPUS).glob("cpu[0-9]*")]


def _core(root: Path, number: int) -> str:
    """What the hyper-threads of one core have in common: the list of them. Without one, each is a core."""
    topology = root / _CPUS / f"cpu{number}" / "topology"
    # The second name is that of kernels before 5.3.
    return _read(topology / "core_cpus_list") or _read(topology / "thread_siblings_list") or str(number)


def _capacity(root: Path, number: int) -> int:
    """How fast a core is, of 1024 for the chip's fastest; kernels tell it where cores differ, and mostly only there."""
    text = _read(root / _CPUS / f"cpu{number}" / "cpu_capacity")
    return int(text) if text.isdigit() else 1024


def _quota(root: Path) -> float:
    """How many processors' time the process's control groups may use; infinite where none of them limits it."""
    return min((quota for group in _groups(root) for quota in _limits(group)), default=math.inf)


def _groups(root: Path) -> Iterator[Path]:
    """The process's control groups, each with those around it: a limit of any of them holds.

    In a container the kernel may tell the path that the host sees, which is not there; the container's own lies at the
    top then.
    """
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        for top in _tops(controllers):
            inner = Path(path.lstrip("/"))
            yield from (root / _CGROUPS / top / group for group in (inner, *inner.parents))


def _tops(controllers: str) -> tuple[str, ...]:
    """Folders under which version 2 (which names no controller), or version 1's for the processor, is mounted."""
    if not controllers:
        return "", "unified"
    return ("cpu", "cpu,cpuacct", "cpuacct,cpu") if "cpu" in controllers.split(",") else ()


def _limits(group: Path) -> Iterator[float]:
    """The limit that one control group sets: `cpu.max` of version 2, or the two files of version 1."""
    pairs = (
        _read(group / "cpu.max").split(),
        [_read(group / "cpu.cfs_quota_us"), _read(group / "cpu.cfs_period_us")],
    )
    for pair in pairs:
        if len(pair) == 2 and all(re.fullmatch(r"[1-9]\d*", part) for part in pair):  # no limit is `max`, or -1
            yield int(pair[0]) / int(pair[1])


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
