"""Sensors of the kernel's Industrial I/O: accelerometers, gyroscopes, converters, ...

Where the device has a buffer, its samples come through `/dev/iio:deviceN` with the kernel's own time stamps; otherwise
its files are read at the rate asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgekit.choices import one_of
from edgekit.errors import DeviceError, UsageError
from edgekit.uris import number_of, parts_of, redacted
from edgekit_devices.sensors.iio_buffer import BufferSession, chosen, read_text, scale_of
from edgekit_devices.sensors.live import STALL_SECONDS, LiveStream
from edgekit_devices.sensors.polling import PolledSession

BASE, DEVICES = "/sys/bus/iio/devices", "/dev"
MODES = ("auto", "buffer", "poll")
RATE = 50.0


def open_iio(uri: str, *, shape: tuple[int, ...] | None = None) -> LiveStream:
    """An IIO device: `iio:device0?channels=accel_x,accel_y,accel_z&rate=100`, or by name: `iio:mpu6050`.

    Options: `channels` (all by default), `rate`, `mode` (`auto`, `buffer`, `poll`), `base` (folder in the place of
    /sys/bus/iio/devices), `dev` (in the place of /dev), `stall` (seconds).

    Args:
        uri: As above.
        shape: What single rows are brought to.

    Raises:
        UsageError: an option that does not exist or makes no sense.
    """
    name, given = parts_of(uri, frozenset({"channels", "rate", "mode", "base", "dev", "stall"}))
    if not name:
        raise UsageError(f"{redacted(uri)} names no device", hint="Write iio:device0, or its name.")
    mode = one_of("mode", given.get("mode", "auto"), MODES)
    channels = tuple(part.strip() for part in given.get("channels", "").split(",") if part.strip())
    rate = number_of(uri, given, "rate", 0.0) or None
    link = IioLink(redacted(uri), name, channels, rate, mode, Path(given.get("base", BASE)),
                   Path(given.get("dev", DEVICES)))
    return LiveStream(uri, link, rate=rate, stall=number_of(uri, given, "stall", STALL_SECONDS), shape=shape)


@dataclass(frozen=True)
class IioLink:
    """Which device, and how it is read."""

    source: str
    name: str
    channels: tuple[str, ...]
    rate: float | None
    mode: str
    base: Path
    dev: Path

    def open(self) -> BufferSession | PolledSession:
        """Find and configure the device.

        Raises:
            DeviceError: it is not there, has no such channels, or cannot be configured.
        """
        folder = self._folder()
        try:
            if self.mode == "buffer" or (self.mode == "auto" and self._has_buffer(folder)):
                device = self.dev / folder.name
                return BufferSession(self.source, folder, device, self.channels, self.rate)
            return self._polled(folder)
        except PermissionError as error:
            raise DeviceError(
                f"{self.source}: no permission for {error.filename}", hint="Run as root, or add a udev rule for IIO."
            ) from error

    def _folder(self) -> Path:
        folder = self.base / self.name.replace("iio_device", "iio:device")
        for found in (folder, self.base / f"iio:{self.name}"):
            if found.is_dir():
                return found
        names = {}
        for other in sorted(self.base.glob("iio:device*")):
            names[read_text(other / "name")] = other
        if self.name in names:
            return names[self.name]
        there = ", ".join(f"{path.name.removeprefix('iio:')} ({name})" for name, path in names.items())
        raise DeviceError(f"{self.source}: no such IIO device; there {'are ' + there if there else 'is none'}")

    def _has_buffer(self, folder: Path) -> bool:
        return (folder / "scan_elements").is_dir() and (self.dev / folder.name).exists()

    def _polled(self, folder: Path) -> PolledSession:
        all_of_them = sorted(
            path.name[3 : -len("_raw")] for path in folder.glob("in_*_raw")
        )
        channels = chosen(self.source, self.channels, all_of_them)
        factors = [scale_of(folder, channel) for channel in channels]

        def read() -> list[float]:
            raw = [float(read_text(folder / f"in_{channel}_raw")) for channel in channels]
            return [(value + offset) * scale for value, (scale, offset) in zip(raw, factors, strict=True)]

        return PolledSession(self.source, tuple(channels), read, self.rate or RATE)
