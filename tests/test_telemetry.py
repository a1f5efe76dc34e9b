"""How the device fares, on trees of the kernel's files that are made up here."""

from __future__ import annotations

from collections.abc import Mapping
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.pipeline import Stats
from edgekit.serving import Page
from edgekit.telemetry import Telemetry, Throttle
from edgekit_devices import sysfs, telemetry
from edgekit_devices.telemetry.throttling import FLAGS

FIRMWARE = "sys/devices/platform/soc/soc:firmware/get_throttled"
POLICY = "sys/devices/system/cpu/cpufreq/policy0"
PI: Mapping[str, object] = {
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal",
    "sys/class/thermal/thermal_zone0/temp": 82450,
    f"{POLICY}/related_cpus": "0 1 2 3",
    f"{POLICY}/scaling_cur_freq": 1500000,
    f"{POLICY}/cpuinfo_min_freq": 600000,
    f"{POLICY}/cpuinfo_max_freq": 1800000,
    f"{POLICY}/scaling_max_freq": 1500000,
    f"{POLICY}/scaling_governor": "ondemand",
    FIRMWARE: "50006",
    "proc/stat": "cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1 2 3",
    "proc/meminfo": "MemTotal: 4000000 kB\nMemFree: 100 kB\nMemAvailable: 3000000 kB",
}
INA = "sys/class/hwmon/hwmon3"
ORIN: Mapping[str, object] = {
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal",
    "sys/class/thermal/thermal_zone0/temp": 49000,
    "sys/class/thermal/thermal_zone1/type": "gpu-thermal",
    "sys/class/thermal/thermal_zone1/temp": 51000,
    "sys/class/thermal/thermal_zone2/type": "cv0-thermal",
    "sys/class/thermal/cooling_device0/type": "pwm-fan",
    "sys/class/thermal/cooling_device0/cur_state": 2,
    "sys/class/thermal/cooling_device1/type": "cpu-throttle-alert",
    "sys/class/thermal/cooling_device1/cur_state": 0,
    f"{INA}/name": "ina3221",
    f"{INA}/in1_label": "VDD_IN", f"{INA}/in1_input": 5000, f"{INA}/curr1_input": 1200,
    f"{INA}/in2_label": "VDD_CPU_GPU_CV", f"{INA}/in2_input": 5000, f"{INA}/curr2_input": 300,
    f"{INA}/in3_label": "NC", f"{INA}/in3_input": 0, f"{INA}/curr3_input": 0,
    f"{INA}/in4_input": 12,
    "sys/class/hwmon/hwmon4/name": "soctherm_oc",
    "sys/class/hwmon/hwmon4/oc1_event_cnt": 0,
    "sys/class/hwmon/hwmon4/oc3_event_cnt": 7,
    "sys/class/devfreq/17000000.gpu/cur_freq": 306000000,
    "sys/class/devfreq/17000000.gpu/max_freq": 624750000,
    "sys/class/devfreq/17000000.gpu/available_frequencies": "306000000 408000000 624750000",
    "sys/class/devfreq/17000000.gpu/governor": "nvhost_podgov",
    "sys/class/devfreq/17000000.gpu/device/load": 457,
    "var/lib/nvpmodel/status": "pmode:0001 fmode:quiet",
    "etc/nvpmodel.conf": "< POWER_MODEL ID=0 NAME=15W >\nCPU_ONLINE CORE_0 1\n< POWER_MODEL ID=1 NAME=7W >\n",
}
NANO = "sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0"


def tree(root: Path, files: Mapping[str, object]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{content}\n", encoding="utf-8", errors="replace")
    return root


def test_a_raspberry_pi(tmp_path: Path) -> None:
    found = telemetry.read(tree(tmp_path, PI))
    assert found.temperatures == {"cpu-thermal": 82.45}
    [clock] = found.clocks
    assert (clock.name, clock.now, clock.lowest, clock.highest) == ("cpu0-3", 1500, 600, 1800)
    assert (clock.limit, clock.governor) == (1500, "ondemand")
    assert found.throttled == ("frequency-capped", "throttled")
    assert found.throttling["under-voltage"] == Throttle(now=False, since_boot=True)
    assert found.throttling["soft-temperature-limit"] == Throttle(now=False, since_boot=False)
    assert (found.memory_total, found.memory_available) == (4000000 * 1024, 3000000 * 1024)
    assert found.watts is None


def test_a_jetson(tmp_path: Path) -> None:
    found = telemetry.read(tree(tmp_path, ORIN))
    assert found.hottest == 51.0
    assert found.power == {"VDD_IN": pytest.approx(6.0), "VDD_CPU_GPU_CV": pytest.approx(1.5)}
    assert found.watts == pytest.approx(6.0), "the input rail, not the sum of it and what it feeds"
    assert found.power_mode == "7W"
    assert found.gpu_load == pytest.approx(0.457)
    [gpu] = found.clocks
    assert (gpu.name, gpu.now, gpu.lowest, gpu.highest) == ("gpu", 306, 306, 624.75)
    assert found.throttling == {"over-current": Throttle(None, True), "temperature": Throttle(False, None)}


def test_a_jetson_nano_with_the_older_driver(tmp_path: Path) -> None:
    rails = {f"{NANO}/rail_name_0": "POM_5V_IN", f"{NANO}/in_power0_input": 2515, f"{NANO}/rail_name_1": "POM_5V_GPU",
             f"{NANO}/in_power1_input": 80, f"{NANO}/rail_name_2": "POM_5V_CPU", f"{NANO}/in_power2_input": "off"}
    found = telemetry.read(tree(tmp_path, rails))
    assert found.power == {"POM_5V_IN": pytest.approx(2.515), "POM_5V_GPU": pytest.approx(0.08)}


def test_a_power_mode_without_a_name(tmp_path: Path) -> None:
    assert telemetry.read(tree(tmp_path, {"var/lib/nvpmodel/status": "pmode:0008"})).power_mode == "mode 8"


def test_a_machine_that_tells_nothing(tmp_path: Path) -> None:
    found = telemetry.read(tmp_path)
    assert (found.temperatures, found.clocks, found.throttling, found.power) == ({}, (), {}, {})
    assert (found.hottest, found.watts, found.processor_clock, found.throttled) == (None, None, None, ())


def test_files_that_hold_no_numbers_count_as_not_there(tmp_path: Path) -> None:
    found = telemetry.read(tree(tmp_path, dict.fromkeys({**PI, **ORIN}, "nothing")))
    assert (found.temperatures, found.clocks, found.power, found.throttled) == ({}, (), {}, ())


def test_the_firmware_is_asked_by_its_program_where_there_is_no_file_and_not_at_each_reading(tmp_path: Path) -> None:
    asked, now = tmp_path / "asked", [0.0]
    program = tree(tmp_path, {"usr/bin/vcgencmd": f"#!/bin/sh\necho $1 >> {asked}\necho throttled=0x1"})
    (program / "usr/bin/vcgencmd").chmod(0o755)
    sampler = telemetry.Sampler(tmp_path, clock=lambda: now[0])
    assert [sampler().throttled for _ in range(3)] == [("under-voltage",)] * 3
    now[0] = 5.0
    sampler()
    assert asked.read_text().split() == ["get_throttled"] * 2


def test_a_raspberry_pi_5_tells_what_it_takes(tmp_path: Path) -> None:
    answer = "\n".join((
        "   VDD_CORE_A current(7)=2.00000000A", "   3V3_SYS_A current(1)=0.10000000A",
        "   VDD_CORE_V volt(15)=0.90000000V", "   3V3_SYS_V volt(9)=3.30000000V", "   EXT5V_V volt(24)=5.10000000V",
    ))
    tree(tmp_path, {"usr/bin/vcgencmd": f"#!/bin/sh\n[ $1 = pmic_read_adc ] && echo '{answer}'",
                    "proc/device-tree/compatible": "raspberrypi,5-model-b\0brcm,bcm2712"})
    (tmp_path / "usr/bin/vcgencmd").chmod(0o755)
    found = telemetry.read(tmp_path)
    assert found.power == {"VDD_CORE": pytest.approx(1.8), "3V3_SYS": pytest.approx(0.33)}
    assert found.watts == pytest.approx(2.13)


@pytest.mark.parametrize("script", ["exit 1", "echo VCHI initialization failed", "exit 0"])
def test_a_firmware_that_may_not_be_asked_is_no_failure(tmp_path: Path, script: str) -> None:
    program = tree(tmp_path, {"usr/bin/vcgencmd": f"#!/bin/sh\n{script}"}) / "usr/bin/vcgencmd"
    program.chmod(0o755)
    assert telemetry.read(tmp_path).throttling == {}


def test_the_kernel_s_alarm_tells_of_under_voltage_where_nothing_else_does(tmp_path: Path) -> None:
    alarm = {"sys/class/hwmon/hwmon0/name": "rpi_volt", "sys/class/hwmon/hwmon0/in0_lcrit_alarm": 1}
    assert telemetry.read(tree(tmp_path, alarm)).throttling == {"under-voltage": Throttle(True, None)}


def test_counters_that_count_on_between_two_readings_tell_of_now(tmp_path: Path) -> None:
    counter = "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count"
    sampler = telemetry.Sampler(tree(tmp_path, {counter: 3}))
    seen = [sampler().throttling["temperature"]]
    tree(tmp_path, {counter: 4})
    seen += [sampler().throttling["temperature"], sampler().throttling["temperature"]]
    assert seen == [Throttle(None, True), Throttle(True, True), Throttle(False, True)]


def test_a_cooling_device_at_work_tells_of_heat_and_a_fan_does_not(tmp_path: Path) -> None:
    tree(tmp_path, {**ORIN, "sys/class/thermal/cooling_device1/cur_state": 1})
    assert telemetry.read(tmp_path).throttled == ("temperature",)


def test_the_processor_s_load_is_that_between_two_readings(tmp_path: Path) -> None:
    sampler = telemetry.Sampler(tree(tmp_path, PI))
    assert sampler().processor_load is None
    tree(tmp_path, {"proc/stat": "cpu  130 0 130 720 120 0 0 0 0 0"})
    assert sampler().processor_load == pytest.approx(0.6)
    assert sampler().processor_load is None, "no time has passed"


@given(said=st.text(max_size=20))
def test_whatever_the_firmware_says_is_read_or_left(said: str) -> None:
    with TemporaryDirectory() as folder:
        found = telemetry.read(tree(Path(folder), {FIRMWARE: said}))
    assert set(found.throttling) in (set(), set(FLAGS))


def test_metrics_tell_of_the_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_STATE", str(tmp_path / "state"))
    monkeypatch.setenv(sysfs.ROOT_VARIABLE, str(tree(tmp_path / "root", {**PI, **ORIN})))
    with Page("0", Stats(["camera:0"]).snapshot) as page:
        text = metrics(page)
    for line in (
        'edgekit_temperature_celsius{zone="gpu-thermal"} 51', 'edgekit_clock_hertz{clock="cpu0-3"} 1500000000',
        'edgekit_clock_limit_hertz{clock="gpu"} 624750000', 'edgekit_throttled{cause="throttled"} 1',
        'edgekit_throttled{cause="under-voltage"} 0', 'edgekit_throttled_since_boot{cause="under-voltage"} 1',
        'edgekit_power_watts{rail="VDD_IN"} 6', 'edgekit_power_mode_info{mode="7W"} 1',
        "edgekit_gpu_load_ratio 0.457", "edgekit_memory_available_bytes 3072000000",
    ):
        assert f"{line}\n" in text


def test_the_page_tells_when_the_device_begins_to_run_slower(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_STATE", str(tmp_path / "state"))
    slow, fast = Telemetry(throttling={"temperature": Throttle(True)}), Telemetry()
    readings = iter([fast, slow, slow, fast])
    with Page("0", Stats(["camera:0"]).snapshot) as page:
        page._stopping.set()  # only the readings below
        page._threads[1].join()
        page._hub.events.clear()
        for reading in readings:
            page._look(reading)
        assert [(event.kind, event.source, event.detail) for _, event in page._hub.events] == [
            ("throttled", "device", "temperature"), ("recovered", "device", "")
        ]


def metrics(page: Page) -> str:
    """What /metrics says, once the first reading is there."""
    for _ in range(200):
        connection = HTTPConnection("127.0.0.1", page.port, timeout=5)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        if "edgekit_temperature_celsius" in text:
            break
    return text
