"""What the doctor finds on machines that are made up: for each finding, a machine that has it and one that has not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgekit_devices.doctor.finding import Finding
from edgekit_devices.doctor.register import machine_checks
from edgekit_devices.machine import Machine, Package, User

Make = Callable[..., Machine]
Ask = Callable[[Machine, str], list[Finding]]
Worst = Callable[[Machine, str], Finding]
Packages = Callable[..., dict[str, Package]]
ROOT = User("root", 0)


def test_on_a_machine_with_nothing_wrong_all_is_ok_or_a_note(pi: Make) -> None:
    machine = pi()
    grave = [
        (check.name, finding)
        for check in machine_checks() if not check.name.startswith("import-")
        for finding in check.look(machine) if finding.level in ("warning", "blocked")
    ]
    assert grave == []


def test_every_check_has_a_name_of_its_own() -> None:
    names = [check.name for check in machine_checks()]
    assert len(names) == len(set(names)) > 40


# Python


@pytest.mark.parametrize(
    ("python", "level", "words", "mend"),
    [
        ({"version": (3, 9, 2)}, "blocked", "too old", "python3.11 -m venv"),
        ({"version": (3, 15, 0)}, "warning", "newer than what ai-edge-litert has wheels for (3.14)", "python3.14"),
        ({"version": (3, 13, 1), "bits": 32}, "warning", "for 32-bit systems has wheels for (3.11)", "python3.11"),
        ({"version": (3, 13, 1), "free_threaded": True}, "warning", "without the global lock", "ordinary build"),
        ({"version": (3, 13, 1)}, "ok", "Python 3.13.1, 64 bits", ""),
    ],
)
def test_versions_of_python(
    pi: Make, worst: Worst, python: dict[str, Any], level: str, words: str, mend: str
) -> None:
    found = worst(pi(python=python), "python-version")
    assert found.level == level
    assert words in found.what
    assert mend in found.mend


def test_a_32_bit_system_on_a_64_bit_kernel(pi: Make, worst: Worst) -> None:
    found = worst(pi(python={"bits": 32}), "python-architecture")
    assert found.level == "warning"
    assert "pip takes the machine for a 64-bit one" in found.why
    assert "arm_64bit=0" in found.mend


def test_32_bit_systems(pi: Make, worst: Worst) -> None:
    assert worst(pi(python={"bits": 32}, kernel=("armv7l", "6.1")), "python-architecture").level == "note"
    assert worst(pi(python={"bits": 32}, kernel=("armv6l", "6.1")), "python-architecture").level == "blocked"
    assert worst(pi(), "python-architecture").what == "a 64-bit system on aarch64"


def test_c_libraries(pi: Make, worst: Worst) -> None:
    assert worst(pi(), "c-library").level == "ok"
    assert "musl" in worst(pi(python={"libc": ("", "")}), "c-library").why
    old = pi(python={"bits": 32, "libc": ("glibc", "2.31")})
    assert worst(old, "c-library").what == "glibc 2.31 is too old for tflite-runtime, which needs 2.34"


def test_the_system_s_python(pi: Make, findings: Ask) -> None:
    assert "-m venv" in findings(pi(python={"is_venv": False}), "python-environment")[0].mend
    assert findings(pi(), "python-environment") == []


# Packages


def test_no_runtime(pi: Make, worst: Worst, installed: Packages) -> None:
    found = worst(pi(installed=installed(numpy="2.3.5")), "runtime")
    assert (found.level, found.mend) == ("blocked", "pip install ai-edge-litert")
    narrow = worst(pi(installed=installed(numpy="1.26.4"), python={"bits": 32}), "runtime")
    assert narrow.mend == "pip install tflite-runtime==2.14.0 'numpy<2'"


def test_an_old_runtime_where_a_new_one_could_be(pi: Make, worst: Worst, installed: Packages) -> None:
    found = worst(pi(installed=installed(tflite_runtime="2.14.0")), "runtime")
    assert found.level == "warning"
    assert "5 to 12 times slower" in found.why
    assert "2.0.0" in worst(pi(installed=installed(ai_edge_litert="2.0.0")), "runtime").what
    both = worst(pi(installed=installed(ai_edge_litert="2.3.0", tflite_runtime="2.14.0")), "runtime")
    assert both.what == "tflite-runtime is installed besides"


def test_numpy_2_under_tflite_runtime(pi: Make, findings: Ask, installed: Packages) -> None:
    found = findings(pi(installed=installed(tflite_runtime="2.14.0", numpy="2.2.0")), "numpy-and-runtime")
    assert (found[0].level, found[0].mend) == ("blocked", "pip install 'numpy<2'")
    assert findings(pi(installed=installed(tflite_runtime="2.14.0", numpy="1.26.4")), "numpy-and-runtime") == []


def test_a_package_that_edgekit_needs_is_missing(pi: Make, findings: Ask, installed: Packages) -> None:
    machine = pi(installed=installed(click="8.3", numpy="2.3.5"))
    assert findings(machine, "needed-packages")[0].mend == "pip install flatbuffers"
    older = pi(installed=installed(click="8", numpy="2", flatbuffers="25"), python={"version": (3, 10, 12)})
    assert findings(older, "needed-packages")[0].mend == "pip install tomli"


def test_several_opencvs(pi: Make, worst: Worst, installed: Packages) -> None:
    two = installed(opencv_python="4.12.0", opencv_python_headless="4.12.0")
    found = worst(pi(installed=two), "opencv")
    assert found.level == "warning"
    assert found.mend.startswith("pip uninstall -y opencv-python opencv-python-headless && pip install")
    assert worst(pi(installed=installed(opencv_python="4.12.0")), "opencv").level == "note"


def test_both_onnxruntimes(pi: Make, worst: Worst, installed: Packages) -> None:
    both = installed(onnxruntime="1.23", onnxruntime_gpu="1.23")
    assert worst(pi(installed=both), "onnxruntime").mend.endswith("pip install onnxruntime-gpu")


def test_the_pycoral_that_is_not_google_s(pi: Make, worst: Worst, tmp_path: Path) -> None:
    machine = pi(installed={"pycoral": Package("0.2.0", tmp_path / "site")})
    assert worst(machine, "pycoral").mend == "pip uninstall -y pycoral"
    module = tmp_path / "site" / "pycoral" / "utils" / "edgetpu.py"
    module.parent.mkdir(parents=True)
    module.touch()
    assert worst(machine, "pycoral").level == "note"


def test_extras_that_are_not_installed(pi: Make, findings: Ask, installed: Packages) -> None:
    machine = pi(installed=installed(pyserial="3.5", opencv_contrib_python="4.12.0"))
    assert findings(machine, "extras")[0].mend == "pip install 'edgekit-sdk[mqtt,audio]'"


def test_opencv_of_a_32_bit_board_is_debian_s(pi: Make, findings: Ask, installed: Packages) -> None:
    narrow = {"bits": 32}
    machine = pi(installed=installed(pyserial="3.5", paho_mqtt="2.1", sounddevice="0.5"), python=narrow)
    assert findings(machine, "extras")[0].mend == "sudo apt install python3-opencv"
    there = installed(pyserial="3.5", paho_mqtt="2.1", sounddevice="0.5", python3_opencv="")
    assert findings(pi(installed=there, python=narrow), "extras") == []


# Processor


def test_arm_without_lse_and_dot_products(pi: Make, findings: Ask) -> None:
    machine = pi({"proc/cpuinfo": "processor: 0\nFeatures: fp asimd crc32\n"})
    assert [finding.what for finding in findings(machine, "processor-features")[1:]] == [
        "the processor has no LSE atomics (ARMv8.1)", "the processor has no dot product instructions (ARMv8.2)",
    ]


def test_arm_without_neon(pi: Make, worst: Worst) -> None:
    machine = pi({"proc/cpuinfo": "processor: 0\nFeatures: half thumb vfp\n"}, kernel=("armv7l", "6.1"))
    assert worst(machine, "processor-features").level == "blocked"


def test_x86_without_avx2(pi: Make, worst: Worst) -> None:
    machine = pi({"proc/cpuinfo": "processor: 0\nmodel name: QEMU\nflags: sse2 sse4_2\n"}, kernel=("x86_64", "6.1"))
    assert worst(machine, "processor-features").mend.endswith("qemu -cpu host.")
    of_another_machine = pi(kernel=("x86_64", "6.1"))
    assert worst(of_another_machine, "processor-features").level == "ok"


def test_files_without_which_xnnpack_is_left_out(pi: Make, findings: Ask) -> None:
    machine = pi()
    assert findings(machine, "processor-files") == []
    machine.path("sys/devices/system/cpu/possible").unlink()
    found = findings(machine, "processor-files")[0]
    assert found.what == "/sys/devices/system/cpu/possible cannot be read"
    assert "20 times slower" in found.why


def test_a_container_s_share_of_the_processors(pi: Make, findings: Ask) -> None:
    machine = pi({"sys/fs/cgroup/cpu.max": "150000 100000"})
    assert findings(machine, "processor-share")[0].what == "this process may use 1.5 of 2 processors"
    assert findings(pi({"sys/fs/cgroup/cpu.max": "max 100000"}), "processor-share") == []


def test_a_clock_that_stays_low(pi: Make, findings: Ask) -> None:
    governor = "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"
    assert "tee" in findings(pi({governor: "powersave"}), "governor")[0].mend
    assert findings(pi({governor: "ondemand"}), "governor") == []


# Graphics


def test_a_gpu_without_vulkan(pi: Make, worst: Worst) -> None:
    assert worst(pi(), "vulkan").what == "no GPU is seen, and no Vulkan is installed"
    assert worst(pi({"dev/dri/renderD128": ""}), "vulkan").what == "there is a GPU, and no Vulkan loader"


def test_a_jetson_whose_gpu_is_not_passed_on(pi: Make, worst: Worst) -> None:
    found = worst(pi({"etc/nv_tegra_release": "# R36 (release), REVISION: 4.3, GCID: 1"}), "vulkan")
    assert found.level == "warning"
    assert "--runtime nvidia" in found.mend


def test_a_gpu_that_the_user_may_not_open(pi: Make, worst: Worst) -> None:
    machine = pi({"dev/dri/renderD128": "", "usr/lib/libvulkan.so.1": ""}, barred="renderD")
    found = worst(machine, "vulkan")
    assert (found.level, "render" in found.mend) == ("warning", True)


def test_a_processor_on_which_the_gpu_library_dies(pi: Make, worst: Worst) -> None:
    files = {"usr/lib/libvulkan.so.1": "", "proc/cpuinfo": "processor: 0\nFeatures: fp asimd\n"}
    assert "no LSE atomics" in worst(pi(files), "vulkan").what


@pytest.mark.parametrize(("release", "level"), [("R32", "warning"), ("R35", "warning"), ("R36", "ok")])
def test_jetpacks(pi: Make, worst: Worst, release: str, level: str) -> None:
    machine = pi({"etc/nv_tegra_release": f"# {release} (release), REVISION: 4.3, GCID: 1"})
    assert worst(machine, "jetpack").level == level


def test_a_jetson_without_its_camera_element(pi: Make, findings: Ask) -> None:
    assert findings(pi(), "jetson-camera") == []
    files = {"etc/nv_tegra_release": "# R36 (release), REVISION: 4.3, GCID: 1"}
    assert len(findings(pi(files), "jetson-camera")) == 2
    there = {**files, "usr/lib/aarch64-linux-gnu/gstreamer-1.0/libgstnvarguscamerasrc.so": ""}
    assert findings(pi(there, programs={"gst-launch-1.0": ""}), "jetson-camera") == []


# Programs, libraries, rights


def test_programs_and_their_versions(pi: Make, findings: Ask) -> None:
    machine = pi(programs={"ffmpeg": "ffmpeg version 7.1.2 Copyright", "libcamera-vid": "rpicam-apps build: v1.5.0"})
    assert [finding.what for finding in findings(machine, "programs")] == ["FFmpeg 7.1.2", "rpicam-apps 1.5.0"]


def test_a_raspberry_pi_without_the_program_of_its_camera(pi: Make, findings: Ask) -> None:
    found = findings(pi(), "programs")
    assert [(finding.level, finding.mend) for finding in found] == [("note", "sudo apt install rpicam-apps-lite")]


def test_libraries_and_their_versions(pi: Make, findings: Ask, tmp_path: Path) -> None:
    machine = pi({"usr/lib/aarch64-linux-gnu/libusb-1.0.so.0.3.0": ""})
    folder = tmp_path / "usr/lib/aarch64-linux-gnu"
    (folder / "libusb-1.0.so.0").symlink_to(folder / "libusb-1.0.so.0.3.0")
    assert findings(machine, "libraries")[0].what == "libusb-1.0 0.3.0"


def test_a_user_who_is_not_in_the_group(pi: Make, worst: Worst) -> None:
    files = {"dev/video0": "", "dev/video1": ""}
    machine = pi(files, barred="video", user=User("pi", 1000, known=frozenset({"video"})))
    found = worst(machine, "groups")
    assert found.what == "pi may not open /dev/video0, /dev/video1: cameras"
    assert found.mend == "sudo usermod -aG video pi   # then log out and in again"


def test_a_group_that_the_session_does_not_have_yet(pi: Make, worst: Worst) -> None:
    user = User("pi", 1000, frozenset({"pi"}), frozenset({"dialout"}), frozenset({"dialout"}))
    found = worst(pi({"dev/ttyUSB0": ""}, barred="ttyUSB", user=user), "groups")
    assert "this login session began before that" in found.why
    assert found.mend.startswith("newgrp dialout")


def test_a_group_that_is_not_there_is_made(pi: Make, worst: Worst) -> None:
    found = worst(pi({"dev/i2c-1": ""}, barred="i2c"), "groups")
    assert found.mend.startswith("sudo groupadd i2c && sudo usermod -aG i2c pi")


def test_a_group_that_does_not_help(pi: Make, worst: Worst) -> None:
    user = User("pi", 1000, frozenset({"audio"}), frozenset({"audio"}), frozenset({"audio"}))
    found = worst(pi({"dev/snd/pcmC1D0c": ""}, barred="snd", user=user), "groups")
    assert found.mend.startswith("ls -l /dev/snd/pcmC1D0c")


def test_root_may_do_all(pi: Make, worst: Worst) -> None:
    assert worst(pi({"dev/video0": ""}, user=ROOT), "groups").level == "ok"


def test_a_container(pi: Make, worst: Worst) -> None:
    assert "--device" in worst(pi({".dockerenv": ""}), "container").mend


# Power


def test_too_little_voltage(pi: Make, findings: Ask) -> None:
    flags = "sys/devices/platform/soc/soc:firmware/get_throttled"
    now = findings(pi({flags: "50005"}), "throttling")
    assert now[0].what == "slowed down now: under-voltage"
    assert "own supply" in now[0].mend
    once = findings(pi({flags: "50000"}), "throttling")
    assert (once[0].level, once[0].what) == ("note", "slowed down since it was started: under-voltage")


def test_too_hot(pi: Make, worst: Worst) -> None:
    zone = {"sys/class/thermal/thermal_zone0/type": "cpu-thermal"}
    assert worst(pi({**zone, "sys/class/thermal/thermal_zone0/temp": "84000"}), "throttling").level == "warning"
    assert worst(pi({**zone, "sys/class/thermal/thermal_zone0/temp": "50000"}), "throttling").level == "ok"


def test_a_jetson_s_power_mode(pi: Make, worst: Worst) -> None:
    conf = "< POWER_MODEL ID=0 NAME=MAXN >\n< POWER_MODEL ID=1 NAME=15W >\n"
    files = {"etc/nvpmodel.conf": conf, "var/lib/nvpmodel/status": "pmode:0001"}
    assert "nvpmodel -m 0" in worst(pi(files), "power-mode").mend
    assert worst(pi({**files, "var/lib/nvpmodel/status": "pmode:0000"}), "power-mode").level == "ok"
    conf = "< POWER_MODEL ID=0 NAME=15W >\n< POWER_MODEL ID=1 NAME=25W >\n< POWER_MODEL ID=2 NAME=MAXN_SUPER >\n"
    assert "nvpmodel -m 2" in worst(pi({**files, "etc/nvpmodel.conf": conf}), "power-mode").mend
    conf = "< POWER_MODEL ID=7 NAME=MODE_20W_4CORE >\n< POWER_MODEL ID=8 NAME=MODE_20W_6CORE >\n"
    files = {"etc/nvpmodel.conf": conf, "var/lib/nvpmodel/status": "pmode:0007"}
    assert "nvpmodel -m 8" in worst(pi(files), "power-mode").mend
    assert worst(pi({**files, "var/lib/nvpmodel/status": "pmode:0008"}), "power-mode").level == "ok"


# Disk, memory, clock


@pytest.mark.parametrize(("mebibytes", "level"), [(5, "blocked"), (200, "warning"), (2000, "ok")])
def test_room_on_the_disk(pi: Make, worst: Worst, mebibytes: int, level: str) -> None:
    assert worst(pi(free=mebibytes * 2**20), "disk-space").level == level


def test_a_disk_without_inodes(pi: Make, worst: Worst, space_of: Callable[..., Any]) -> None:
    assert "inodes" in worst(pi(space=lambda path: space_of(2**34, 0)), "disk-space").why


def test_file_systems_that_keep_nothing(pi: Make, findings: Ask) -> None:
    only_read = pi({"proc/mounts": "/dev/mmcblk0p2 / ext4 ro 0 0"})
    assert "remount,rw /" in findings(only_read, "disk-writable")[0].mend
    overlay = findings(pi({"proc/mounts": "overlay / overlay rw 0 0"}), "disk-writable")
    assert [finding.level for finding in overlay] == ["note"]
    assert "forgets everything" in overlay[0].what


def test_temporary_files_that_cannot_be_run(pi: Make, findings: Ask) -> None:
    mounts = "/dev/mmcblk0p2 / ext4 rw 0 0\ntmpfs /tmp tmpfs rw,noexec 0 0"
    assert findings(pi({"proc/mounts": mounts}), "temporary-files")[0].what == "/tmp is mounted noexec"


def test_shared_memory(pi: Make, worst: Worst, space_of: Callable[..., Any], tmp_path: Path) -> None:
    assert "SIGBUS" in worst(pi(free=2**20), "shared-memory").why
    small = space_of(2**26)
    small.f_blocks = 2**26
    docker = pi({".dockerenv": ""}, space=lambda path: small)
    assert worst(docker, "shared-memory").mend == "docker run --shm-size=256m ..."
    (tmp_path / "dev/shm/.keep").unlink()
    (tmp_path / "dev/shm").rmdir()
    assert worst(docker, "shared-memory").what == "there is no /dev/shm"


def test_memory(pi: Make, findings: Ask) -> None:
    machine = pi({"proc/meminfo": "MemTotal: 440000 kB\nMemAvailable: 60000 kB\nSwapTotal: 0 kB\n"})
    few, none = findings(machine, "memory")
    assert few.level == "warning"
    assert "swapon" in none.mend


def test_limits_and_deaths_for_want_of_memory(pi: Make, findings: Ask) -> None:
    limited = pi({"sys/fs/cgroup/memory.max": str(128 * 2**20), "proc/vmstat": "pgfault 5\noom_kill 3\n"})
    assert findings(limited, "memory-limit")[0].what == "this process may take 128 MiB of memory"
    assert findings(limited, "killed-processes")[0].what.endswith("3 times")
    assert findings(pi({"sys/fs/cgroup/memory.max": "max", "proc/vmstat": "oom_kill 0\n"}), "killed-processes") == []


def test_clocks(pi: Make, worst: Worst) -> None:
    assert "TLS" in worst(pi(now=lambda: 0.0), "clock").why
    assert worst(pi(synchronized=lambda: False), "clock").level == "note"
    assert worst(pi(synchronized=lambda: None), "clock").level == "ok"


def test_a_board_without_a_clock_that_runs_on(pi: Make, findings: Ask, tmp_path: Path) -> None:
    machine = pi()
    assert findings(machine, "real-time-clock") == []
    (tmp_path / "sys/class/rtc/rtc0/name").unlink()
    (tmp_path / "sys/class/rtc/rtc0").rmdir()
    assert "network" in findings(machine, "real-time-clock")[0].why
