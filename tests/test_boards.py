"""Which board this is, on device trees that are made up here, and what the data files say of it."""

from __future__ import annotations

import platform
import re
from pathlib import Path

import pytest

from edgekit_devices import sysfs
from edgekit_devices.boards import board, profiles, table

DOCUMENT = Path(__file__).parents[1] / "docs" / "boards.md"
A76 = "Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp\n"
A53 = "Features\t: fp asimd evtstrm crc32 cpuid\n"
A7 = "Features\t: half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae evtstrm\n"
XEON = "flags\t\t: fpu sse sse2 avx2\n"


def tree(root: Path, *, compatible: str = "", model: str = "", features: str = A53, cores: int = 4) -> Path:
    """A machine's files: its names, and its processor."""
    named = {
        "proc/device-tree/compatible": compatible.replace(" ", "\0") + "\0",
        "proc/device-tree/model": f"{model}\0",
        "proc/cpuinfo": "".join(f"processor\t: {number}\n{features}\n" for number in range(cores)),
        "proc/meminfo": "MemTotal:        4129764 kB\nMemFree:          200000 kB\n",
        "etc/os-release": 'NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
    }
    for name, text in named.items():
        if text.strip("\0"):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
    for number in range(cores):
        (root / f"sys/devices/system/cpu/cpu{number}").mkdir(parents=True)
    return root


@pytest.mark.parametrize(
    ("compatible", "expected"),
    [
        ("raspberrypi,model-zero-2-w brcm,bcm2837", "raspberry-pi-zero-2"),
        ("raspberrypi,3-model-b brcm,bcm2837", "raspberry-pi-3"),
        ("raspberrypi,3-model-b-plus brcm,bcm2837", "raspberry-pi-3"),
        ("raspberrypi,3-compute-module brcm,bcm2837", "raspberry-pi-cm3"),
        ("raspberrypi,4-model-b brcm,bcm2711", "raspberry-pi-4"),
        ("raspberrypi,400 brcm,bcm2711", "raspberry-pi-4"),
        ("raspberrypi,4-compute-module brcm,bcm2711", "raspberry-pi-cm4"),
        ("raspberrypi,5-model-b brcm,bcm2712", "raspberry-pi-5"),
        ("raspberrypi,5-compute-module brcm,bcm2712", "raspberry-pi-cm5"),
        ("raspberrypi,model-zero-w brcm,bcm2835", "raspberry-pi-1"),
        ("nvidia,p3450-0000 nvidia,tegra210", "jetson-nano"),
        ("nvidia,p3449-0000-b00+p3448-0000-b00 nvidia,jetson-nano nvidia,tegra210", "jetson-nano"),
        ("nvidia,p3509-0000+p3668-0000 nvidia,tegra194", "jetson-xavier-nx"),
        ("nvidia,p2972-0000 nvidia,tegra194", "jetson-agx-xavier"),
        ("nvidia,p3768-0000+p3767-0005 nvidia,p3767-0005 nvidia,tegra234", "jetson-orin-nano"),
        ("nvidia,p3768-0000+p3767-0003-super nvidia,p3767-0003 nvidia,tegra234", "jetson-orin-nano"),
        ("nvidia,p3768-0000+p3767-0000 nvidia,p3767-0000 nvidia,tegra234", "jetson-orin-nx"),
        ("nvidia,p3737-0000+p3701-0005 nvidia,p3701-0005 nvidia,tegra234", "jetson-agx-orin"),
        ("nvidia,p4071-0000+p3834-0008 nvidia,p3834-0008 nvidia,tegra264", "jetson-thor"),
        ("fsl,imx8mq-phanbell fsl,imx8mq", "coral-dev-board"),
        ("radxa,rock-5b rockchip,rk3588", "arm64"),
        ("", "arm64"),
    ],
)
def test_a_board_is_known_by_its_device_tree(tmp_path: Path, compatible: str, expected: str) -> None:
    assert board(tree(tmp_path, compatible=compatible)).profile.id == expected


def test_a_board_is_known_by_its_model_where_the_tree_names_no_other(tmp_path: Path) -> None:
    found = board(tree(tmp_path, compatible="mediatek,mt8167", model="Google Coral MT8167"))
    assert (found.profile.id, found.name) == ("coral-dev-board-mini", "Google Coral MT8167")


@pytest.mark.parametrize(
    ("features", "machine", "profile", "lse"),
    [
        (A76, "aarch64", "arm64", True), (A53, "aarch64", "arm64", False), (A7, "armv7l", "armv7", False),
        (XEON, "x86_64", "x86-64", False),
    ],
)
def test_an_unknown_machine_is_known_by_its_processor(
    tmp_path: Path, features: str, machine: str, profile: str, lse: bool
) -> None:
    found = board(tree(tmp_path, features=features))
    assert (found.machine, found.profile.id, found.lse) == (machine, profile, lse)


def test_what_a_machine_says_of_itself_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(tmp_path, compatible="raspberrypi,5-model-b", model="Raspberry Pi 5 Model B Rev 1.0", features=A76)
    monkeypatch.setenv(sysfs.ROOT_VARIABLE, str(tmp_path))
    found = board()
    assert (found.name, found.cores, found.memory) == ("Raspberry Pi 5 Model B Rev 1.0", 4, 4129764 * 1024)
    assert (found.system, found.release) == ("Debian GNU/Linux 12 (bookworm)", "")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic", "JetPack 6 (Jetson Linux 36.4.3)"),
        ("# R32 (release), REVISION: 7.1, GCID: 29818004", "JetPack 4 (Jetson Linux 32.7.1)"),
        ("# R99 (release), REVISION: 1.0, GCID: 1", "Jetson Linux 99.1.0"),
        ("something else", ""),
    ],
)
def test_the_software_of_a_jetson_is_told(tmp_path: Path, line: str, expected: str) -> None:
    tree(tmp_path, compatible="nvidia,p3767-0005")
    (tmp_path / "etc/nv_tegra_release").write_text(line)
    assert board(tmp_path).release == expected


def test_a_pc_is_called_as_its_firmware_says(tmp_path: Path) -> None:
    dmi = tree(tmp_path, features=XEON) / "sys/class/dmi/id"
    dmi.mkdir(parents=True)
    (dmi / "sys_vendor").write_text("Intel(R) Client Systems\n")
    (dmi / "product_name").write_text("NUC11TNKi5\n")
    assert board(tmp_path).name == "Intel(R) Client Systems NUC11TNKi5"
    for name in ("sys_vendor", "product_name"):
        (dmi / name).write_text("To Be Filled By O.E.M.\n")
    assert board(tmp_path).name == "x86-64 machine"


def test_this_machine_has_a_profile() -> None:
    found = board(Path("/"))
    assert found.cores >= 1
    assert found.machine == platform.machine() or "arm" in found.machine


def test_profiles_hold_what_they_should() -> None:
    known = profiles()
    assert len({profile.id for profile in known}) == len(known)
    for profile in known:
        assert not set(profile.runs) & set(profile.lacks), profile.id
        assert profile.runs or not profile.supported, profile.id
        assert {latency.device for latency in profile.latencies} <= {*profile.runs, "cuda"}, profile.id
        for latency in profile.latencies:
            assert latency.milliseconds > 0
            assert latency.source.startswith("https://"), profile.id
        if profile.lse is False and profile.supported:
            assert "gpu" in profile.lacks, f"{profile.id} would be told to load LiteRT's GPU library"


def test_the_document_says_what_the_profiles_say() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    written = re.search(rf"{re.escape(table.BEGIN)}\n(.*){re.escape(table.END)}", text, re.DOTALL)
    assert written, f"{DOCUMENT} lost the marks of its table"
    assert written[1] == table.markdown(), "run python -m edgekit_devices.boards.table docs/boards.md"
