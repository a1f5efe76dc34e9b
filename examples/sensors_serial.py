"""A sensor on a serial port, and what becomes of it when the cable is pulled.

    python examples/sensors_serial.py activity/conv.tflite                  # a pretended sensor on a pseudo-terminal
    python examples/sensors_serial.py activity/conv.tflite /dev/ttyUSB0     # yours: lines of t_ms,ax,ay,az,gx,gy,gz

The model is that of sensors_activity.py. The pretended sensor plays noise at 1 kHz and is unplugged for a moment, so
that a window of 100 samples takes a tenth of a second.
"""

from __future__ import annotations

import fcntl
import os
import pty
import sys
import tempfile
import termios
import threading
import time
import tty
from collections.abc import Callable
from pathlib import Path

import numpy as np

import edgekit
from edgekit.sources import Event
from edgekit.windows import WindowOptions

COLUMNS = "t_ms,ax,ay,az,gx,gy,gz"
RATE = 1000
PIECE = 20


class PretendedSensor:
    """A microcontroller behind a pseudo-terminal under a name of its own, as a USB port has one."""

    def __init__(self, port: Path, series: np.ndarray) -> None:
        self.port, self.series, self.done = port, series, False
        self.plug()

    def plug(self) -> None:
        self.master, self.slave = pty.openpty()
        tty.setraw(self.slave)
        self.port.symlink_to(os.ttyname(self.slave))

    def unplug(self) -> None:
        while self.unread():
            time.sleep(0.001)
        self.port.unlink()
        os.close(self.slave)
        os.close(self.master)

    def unread(self) -> int:
        """Bytes that wait at the other end."""
        return int.from_bytes(fcntl.ioctl(self.slave, termios.FIONREAD, bytes(4)), sys.byteorder)

    def play(self, seconds_away: float = 0.3) -> None:
        """Send all of it at the sensor's rate; the cable is out for a moment in the middle."""
        started, half = time.monotonic(), len(self.series) // 2 // PIECE * PIECE
        os.write(self.master, b"half a line\n")
        for at in range(0, len(self.series), PIECE):
            if at == half and seconds_away:
                self.unplug()
                time.sleep(seconds_away)
                self.plug()
                time.sleep(seconds_away)
                started += 2 * seconds_away
                os.write(self.master, b"half a line\n")
            rows = self.series[at : at + PIECE]
            lines = [f"{at + number}," + ",".join(f"{value:.5g}" for value in row) for number, row in enumerate(rows)]
            os.write(self.master, ("\n".join(lines) + "\n").encode())
            time.sleep(max(0.0, started + (at + PIECE) / RATE - time.monotonic()))
        self.done = True


def main(
    model: Path, port: str, limit: int | None = None, when_event: Callable[[str], object] = print
) -> tuple[list[str], list[str]]:
    """The classes of the windows, and the kinds of events."""
    labels: list[str] = []
    events: list[str] = []

    def on_event(event: Event) -> None:
        events.append(event.kind)
        when_event(event.kind)

    windows = WindowOptions(rate=RATE, window="100")  # in place of the 10 Hz that the file says
    results = edgekit.run(
        model, f"serial:{port}?columns={COLUMNS}", windows=windows, on_event=on_event
    )
    for result in results:
        best = result.best()
        labels.append(best.label if best else "")
        if limit and len(labels) >= limit:
            break
    results.close()
    return labels, events


def pretend(model: Path, series: np.ndarray) -> tuple[list[str], list[str]]:
    """Run on a pretended sensor that is unplugged halfway."""
    with tempfile.TemporaryDirectory() as folder:
        sensor = PretendedSensor(Path(folder) / "ttyUSB0", series)
        player = threading.Thread(target=sensor.play, daemon=True)

        def start(kind: str) -> None:
            if kind == "connected" and not player.ident:  # what is sent before the port is open is lost
                player.start()

        return main(model, str(sensor.port), len(series) // 100 - 4, start)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        main(Path(sys.argv[1]), sys.argv[2])
    else:
        noise = np.random.default_rng(0).normal(size=(2000, 6))
        print(*pretend(Path(sys.argv[1]), noise), sep="\n")
