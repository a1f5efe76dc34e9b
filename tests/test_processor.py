"""How many cores there are for a network, and which instructions, by trees of files like those of real boards."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from edgekit import processor
from edgekit.interpreter import default_threads
from edgekit.processor import features, kinds, physical_cores

Tree = Callable[..., Path]
CPUS = "sys/devices/system/cpu"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Makes a tree of files from their texts, with as many processors as there are lists of siblings."""

    def make(siblings: list[str] = [], capacities: list[int] = [], **files: str) -> Path:  # noqa: B006 - not changed
        texts = {f"{CPUS}/cpu{at}/topology/core_cpus_list": text for at, text in enumerate(siblings)}
        texts |= {f"{CPUS}/cpu{at}/cpu_capacity": str(capacity) for at, capacity in enumerate(capacities)}
        for path, text in (texts | {name.replace("__", "/"): text for name, text in files.items()}).items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(f"{text}\n")
        return tmp_path

    return make


@pytest.mark.parametrize(
    ("siblings", "capacities", "cores"),
    [
        (["0", "1", "2", "3"], [], 4),  # Raspberry Pi 4
        (["0-1", "0-1", "2-3", "2-3"], [], 2),  # a laptop with hyper-threads
        (["0,4", "1,5", "2,6", "3,7"] * 2, [], 4),  # a PC, numbered the other way
        ([str(number) for number in range(8)], [414] * 4 + [1024] * 4, 4),  # RK3588: four A55, four A76
        ([str(number) for number in range(8)], [250] * 4 + [870] * 3 + [1024], 4),  # a telephone's, one faster still
        (["0"], [], 1),
    ],
)
def test_fast_cores_count_and_hyper_threads_do_not(
    *, tree: Tree, siblings: list[str], capacities: list[int], cores: int
) -> None:
    assert physical_cores(tree(siblings, capacities)) == cores


def test_older_kernels_call_the_siblings_otherwise(tree: Tree) -> None:
    files = {f"{CPUS}/cpu{number}/topology/thread_siblings_list".replace("/", "__"): "0-1" for number in range(2)}
    assert physical_cores(tree(**files)) == 1


def test_only_cores_that_the_process_may_use_count(tree: Tree) -> None:
    root = tree(["0-1", "0-1", "2-3", "2-3", "4-5", "4-5"])
    assert physical_cores(root, usable={0, 1}) == 1
    assert physical_cores(root, usable={1, 2, 3}) == 2
    assert 1 <= physical_cores() <= len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"proc/self/cgroup": "0::/user/app", "sys/fs/cgroup/user/app/cpu.max": "200000 100000"}, 2),
        ({"proc/self/cgroup": "0::/user/app", "sys/fs/cgroup/user/app/cpu.max": "max 100000"}, 4),
        # The limit of a group around it, and a share of one processor.
        ({"proc/self/cgroup": "0::/user/app", "sys/fs/cgroup/user/cpu.max": "50000 100000"}, 1),
        # In a container, the path of the host is told and the own group lies at the top.
        ({"proc/self/cgroup": "0::/docker/0815", "sys/fs/cgroup/cpu.max": "350000 100000"}, 3),
        (
            {
                "proc/self/cgroup": "7:memory:/a\n1:cpu,cpuacct:/a\n0::/",
                "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us": "300000",
                "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us": "100000",
                "sys/fs/cgroup/memory/a/cpu.max": "100000 100000",
            },
            3,
        ),
        ({"proc/self/cgroup": "1:cpu:/", "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1"}, 4),
        ({"proc/self/cgroup": "nonsense", "sys/fs/cgroup/cpu.max": ""}, 4),
    ],
)
def test_a_container_s_share_of_the_time_counts(*, tree: Tree, files: Mapping[str, str], cores: int) -> None:
    root = tree(["0", "1", "2", "3"], **{path.replace("/", "__"): text for path, text in files.items()})
    assert physical_cores(root) == cores


def test_a_machine_that_tells_nothing_has_one_core(tmp_path: Path) -> None:
    assert physical_cores(tmp_path) == 1
    assert features(tmp_path) == kinds(tmp_path) == frozenset()


def test_features_are_those_that_all_cores_have(tree: Tree) -> None:
    arm = "processor : {}\nFeatures\t: fp asimd {}\nCPU implementer\t: 0x41\nCPU part\t: {}\n"
    root = tree(proc__cpuinfo="\n".join((arm.format(0, "crc32", "0xd05"), arm.format(1, "crc32 atomics", "0xd0b"))))
    assert features(root) == {"fp", "asimd", "crc32"}
    assert kinds(root) == {"0x41 0xd05", "0x41 0xd0b"}


def test_features_of_other_architectures(tree: Tree) -> None:
    pc = "processor\t: 0\nmodel name\t: A CPU @ 2 GHz\nflags\t\t: fpu avx2\nbugs\t: spectre: v1\n\n"
    root = tree(proc__cpuinfo=pc * 2)
    assert features(root) == {"fpu", "avx2"}
    assert kinds(root) == {"A CPU @ 2 GHz"}


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 1), (4, 3), (5, 4), (64, 4)])
def test_one_core_is_left_for_reading(cores: int, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "physical_cores", lambda: cores)
    assert default_threads() == threads
