"""The processor: instructions that make inference fast, and what keeps the runtime from seeing them."""

from __future__ import annotations

from collections.abc import Iterator

from edgekit import processor
from edgekit_devices import sysfs
from edgekit_devices.doctor.finding import Check, Finding, blocked, note, ok, warning
from edgekit_devices.listing.accelerators import SHOWN_FEATURES, processor_name
from edgekit_devices.machine import Machine

GROUP = "Processor"
_ARM64 = ("aarch64", "arm64")
_CPUS = "sys/devices/system/cpu"


def features(machine: Machine) -> Iterator[Finding]:
    """NEON, LSE and dot products on ARM; AVX on x86."""
    known = processor.features(machine.root)
    kernel = machine.kernel[0]
    if not known:
        return  # processor-files tells
    shown = " ".join(feature for feature in SHOWN_FEATURES if feature in known)
    yield ok(f"{processor_name(machine)}{f': {shown}' if shown else ''}")
    if kernel.startswith("arm") and kernel not in _ARM64 and "neon" not in known:
        yield blocked("the processor has no NEON", "The runtimes for 32-bit ARM are built with it, and die without.",
                      "Take another board: a Raspberry Pi 2 or later has it.")
    if kernel in _ARM64 and "atomics" not in known:
        yield note(
            "the processor has no LSE atomics (ARMv8.1)",
            "LiteRT's GPU library dies without them, so that --device gpu is refused here. The processor itself and a "
            "Coral are not touched by that.",
        )
    if kernel in _ARM64 and "asimddp" not in known:
        yield note("the processor has no dot product instructions (ARMv8.2)",
                   "int8 models gain less over float ones than on a Cortex-A76.")
    # A tree of files may be that of another kind of processor: sse2 is what every x86-64 has.
    if kernel == "x86_64" and "sse2" in known and not known & {"avx2", "avx512f"}:
        yield warning("the processor has no AVX2, or a virtual machine hides it",
                      "Models run several times slower than they could.",
                      "Give the virtual machine the host's processor: qemu -cpu host.")


def files(machine: Machine) -> Iterator[Finding]:
    """What XNNPACK reads of the kernel before it agrees to run."""
    missing = [
        f"/{name}" for name in ("proc/cpuinfo", f"{_CPUS}/possible", f"{_CPUS}/present") if not machine.text(name)
    ]
    if missing:
        yield warning(
            f"{', '.join(missing)} cannot be read",
            "XNNPACK asks there what the processor can, and is left out in silence without: models run up to 20 times "
            "slower on several threads.",
            "sudo mount --bind /proc ROOT/proc && sudo mount --bind /sys ROOT/sys   # for a chroot in ROOT",
        )


def cores(machine: Machine) -> Iterator[Finding]:
    """A share of a processor is less than the count of processors suggests."""
    usable = processor.physical_cores(machine.root)
    seen = len(machine.entries(f"{_CPUS}/cpu[0-9]*"))
    quota = machine.text("sys/fs/cgroup/cpu.max").split()
    if quota and quota[0].isdigit() and len(quota) == 2 and int(quota[0]) < seen * int(quota[1]):
        share = int(quota[0]) / int(quota[1])
        yield note(f"this process may use {share:g} of {seen} processors",
                   "A container's limit (cpu.max) holds it: more threads than that slow each other down.",
                   f"docker run --cpus {seen} ...   # or --threads {max(1, int(share))}")
    elif usable == 1 and seen:
        yield note("there is one core", "Reading, decoding and the network share it.")


def governor(machine: Machine) -> Iterator[Finding]:
    """What sets the clock."""
    found = {sysfs.text(path) for path in machine.entries(f"{_CPUS}/cpu[0-9]*/cpufreq/scaling_governor")}
    if "powersave" in found:
        yield note(
            "the processor's clock is governed by powersave", "It may stay at its lowest clock under load.",
            "echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor",
        )


CHECKS = (
    Check("processor-features", GROUP, features),
    Check("processor-files", GROUP, files),
    Check("processor-share", GROUP, cores),
    Check("governor", GROUP, governor),
)
