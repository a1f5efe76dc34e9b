"""The boards that are imitated: what their processor is to the emulator, and what their kernel tells programs.

`/proc/cpuinfo` matters: LiteRT reads it, and leaves XNNPACK out in silence where it cannot, so that other kernels would
be tried than the board runs. The figures are those that kernels of these boards print.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

CORES = 4
DEGREES = 48.3
"""Temperature of each board's processor, in degrees Celsius."""
ARMV8 = "fp asimd evtstrm crc32 cpuid"
ARMV8_2 = f"{ARMV8} aes pmull sha1 sha2 atomics fphp asimdhp asimdrdm lrcpc dcpop asimddp"
ARMV7 = "half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae evtstrm"


@dataclass(frozen=True, slots=True)
class Board:
    """A board.

    Attributes:
        name: As tests and the command line call it.
        model: What its device tree says.
        system: Debian's name of the architecture of its user space.
        processor: QEMU's name of the processor, which has no instruction more than the real one.
        part: Arm's number of the processor, in `/proc/cpuinfo`.
        revision: Variant and revision of it.
        features: What the kernel says that it can do.
        compatible: What its device tree says that it is compatible with.
        memory: In MiB.
        clock: Highest, in MHz.
    """

    name: str
    model: str
    system: str
    processor: str
    part: str
    revision: tuple[str, int]
    features: str
    compatible: tuple[str, str]
    memory: int
    clock: int

    @property
    def has_lse(self) -> bool:
        """Whether the processor has the atomic instructions of ARMv8.1, without which LiteRT's GPU library dies."""
        return "atomics" in self.features.split()


BOARDS = {
    board.name: board
    for board in (
        Board("pi4", "Raspberry Pi 4 Model B Rev 1.4", "arm64", "cortex-a72", "0xd08", ("0x0", 3), ARMV8,
              ("raspberrypi,4-model-b", "brcm,bcm2711"), 4096, 1800),
        Board("pi2", "Raspberry Pi 2 Model B Rev 1.1", "armhf", "cortex-a7", "0xc07", ("0x0", 5), ARMV7,
              ("raspberrypi,2-model-b", "brcm,bcm2836"), 1024, 900),
        Board("pi3", "Raspberry Pi 3 Model B Rev 1.2", "arm64", "cortex-a53", "0xd03", ("0x0", 4), ARMV8,
              ("raspberrypi,3-model-b", "brcm,bcm2837"), 1024, 1200),
        Board("pi5", "Raspberry Pi 5 Model B Rev 1.0", "arm64", "cortex-a76", "0xd0b", ("0x4", 1), ARMV8_2,
              ("raspberrypi,5-model-b", "brcm,bcm2712"), 8192, 2400),
    )
}
"""The two that run every command come first, since they take the longest."""

FULL = ("pi4", "pi2")
"""Boards that run every command; the others differ from the first in the processor alone, and run some."""


def write_tree(board: Board, folder: Path) -> None:
    """Write what the board's kernel shows: `cpuinfo` and `meminfo` of `/proc`, and all of `/sys`."""
    files = {
        "cpuinfo": _cpuinfo(board),
        "meminfo": "".join(f"{name}: {board.memory * 1024} kB\n" for name in ("MemTotal", "MemFree", "MemAvailable")),
        "sys/firmware/devicetree/base/model": f"{board.model}\0",
        "sys/firmware/devicetree/base/compatible": "".join(f"{name}\0" for name in board.compatible),
        "sys/devices/system/cpu/possible": f"0-{CORES - 1}\n",
        "sys/devices/system/cpu/present": f"0-{CORES - 1}\n",
        "sys/devices/system/cpu/online": f"0-{CORES - 1}\n",
        "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
        "sys/class/thermal/thermal_zone0/temp": f"{DEGREES * 1000:.0f}\n",
    }
    clock = "sys/devices/system/cpu/cpufreq/policy0"
    highest = board.clock * 1000
    limits = {"cpuinfo_min_freq": 600_000, "cpuinfo_max_freq": highest, "scaling_max_freq": highest}
    files |= {f"{clock}/{name}": f"{kilohertz}\n" for name, kilohertz in limits.items()}
    files |= {f"{clock}/scaling_cur_freq": "600000\n", f"{clock}/scaling_governor": "ondemand\n",
              f"{clock}/related_cpus": " ".join(map(str, range(CORES))) + "\n"}
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _cpuinfo(board: Board) -> str:
    variant, revision = board.revision
    architecture = 8 if board.system == "arm64" else 7
    cores = (
        f"processor\t: {core}\nBogoMIPS\t: 108.00\nFeatures\t: {board.features}\nCPU implementer\t: 0x41\n"
        f"CPU architecture: {architecture}\nCPU variant\t: {variant}\nCPU part\t: {board.part}\n"
        f"CPU revision\t: {revision}\n"
        for core in range(CORES)
    )
    return "\n".join(cores) + f"\nHardware\t: BCM2835\nModel\t\t: {board.model}\n"
