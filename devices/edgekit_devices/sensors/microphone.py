"""Microphones, through PortAudio (sounddevice) or the program arecord."""

from __future__ import annotations

import errno
import os
import queue
import select
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.choices import one_of
from edgekit.clocks import SampleClock
from edgekit.errors import DeviceError, MissingDependencyError, UsageError
from edgekit.uris import number_of, parts_of, redacted
from edgekit.windows import Block
from edgekit_devices.sensors.live import Item, LiveStream

RATE = 16000.0
BACKENDS = ("auto", "sounddevice", "arecord")
FULL = 32768.0
PIECE_SECONDS = 0.02
STALL_SECONDS = 2.0
END_SECONDS = 1.0
INSTALL = (
    "Install PortAudio with its binding (apt install libportaudio2, pip install 'edgekit-sdk[audio]'), or arecord "
    "(apt install alsa-utils)."
)


class Microphone(LiveStream):
    """A microphone, which takes the rate that the model wants where the user asked for none."""

    def __init__(self, uri: str, link: MicrophoneLink, stall: float, asked: bool) -> None:
        super().__init__(uri, link, rate=link.rate, stall=stall)
        self._microphone, self._asked = link, asked

    def adopt_rate(self, rate: float) -> None:
        """Record at the model's rate, unless the user asked for another."""
        if not self._asked:
            self._microphone.rate = self.rate = rate


def open_microphone(uri: str, *, shape: tuple[int, ...] | None = None) -> LiveStream:
    """A microphone: `mic:0`, `mic:plughw:1,0?rate=16000&backend=arecord`, or `mic:` for the default one.

    Options: `rate` (the model's, else 16000), `channel` (from 0), `backend` (`auto`, `sounddevice` or `arecord`),
    `stall` (seconds). Samples are numbers from -1 to 1.

    Args:
        uri: As above: number or name of the device.
        shape: Not used: single samples of sound go to no model.

    Raises:
        UsageError: an option that does not exist or makes no sense.
    """
    device, given = parts_of(uri, frozenset({"rate", "channel", "backend", "stall"}))
    if not given.get("channel", "0").isdigit():
        raise UsageError(f"{redacted(uri)}: channel has to be a number from 0, not '{given['channel']}'")
    link = MicrophoneLink(
        redacted(uri), device, number_of(uri, given, "rate", RATE), int(given.get("channel", "0")),
        one_of("backend", given.get("backend", "auto"), BACKENDS),
    )
    return Microphone(uri, link, number_of(uri, given, "stall", STALL_SECONDS), "rate" in given)


@dataclass
class MicrophoneLink:
    """Which microphone, and through what."""

    source: str
    device: str
    rate: float
    channel: int
    backend: str

    def open(self) -> PortAudioSession | ArecordSession:
        """Begin to record.

        Raises:
            MissingDependencyError: nothing is there to record with.
            DeviceError: there is no such microphone.
        """
        if self.backend == "arecord":
            return ArecordSession(self)
        try:
            import sounddevice
        except (ImportError, OSError) as error:
            if self.backend == "auto" and shutil.which("arecord"):
                return ArecordSession(self)
            raise MissingDependencyError(f"{self.source} cannot be opened: {error}", hint=INSTALL) from None
        return PortAudioSession(self, sounddevice)

    def block(self, frames: NDArray[np.int16], clock: SampleClock, arrived: float, lost: int) -> Block:
        """Frames of shape (n, channels) as a block of the one channel."""
        values = (frames[:, self.channel].astype(np.float32) / np.float32(FULL))[:, None]
        return Block(clock.times(len(values), arrived), values, self.source, (), lost)


class PortAudioSession:
    """Records through PortAudio, whose thread leaves pieces in a queue."""

    about = "through PortAudio"

    def __init__(self, link: MicrophoneLink, library: Any) -> None:
        self._link, self._clock = link, SampleClock(link.rate)
        self._pieces: queue.Queue[tuple[Any, float]] = queue.Queue()
        self._lost = 0
        device = int(link.device) if link.device.isdigit() else link.device or None
        try:
            self._stream = library.InputStream(
                samplerate=link.rate, device=device, channels=link.channel + 1, dtype="int16",
                blocksize=int(link.rate * PIECE_SECONDS), callback=self._take,
            )
            self._stream.start()
        except (library.PortAudioError, ValueError) as error:
            raise DeviceError(f"{link.source} cannot be opened: {error}", hint="List them: arecord -L.") from error

    def _take(self, data: Any, frames: int, _time: Any, status: Any) -> None:
        if status.input_overflow:
            self._lost += frames  # how many it were, PortAudio does not say
        self._pieces.put((data.copy(), time.monotonic()))

    def read(self, seconds: float) -> Sequence[Item]:
        """A block of what came.

        Raises:
            OSError: the microphone is gone.
        """
        try:
            data, arrived = self._pieces.get(timeout=seconds)
        except queue.Empty:
            if not self._stream.active:
                raise OSError(errno.ENODEV, "the microphone is gone") from None
            return ()
        return (self._link.block(data, self._clock, arrived, self._lost),)

    def close(self) -> None:
        """Stop."""
        self._stream.close(ignore_errors=True)


class ArecordSession:
    """Records through a child process."""

    about = "through arecord"

    def __init__(self, link: MicrophoneLink) -> None:
        program = shutil.which("arecord")
        if program is None:
            raise MissingDependencyError(f"{link.source} cannot be opened: there is no program arecord", hint=INSTALL)
        self._link, self._clock, self._rest = link, SampleClock(link.rate), b""
        device = f"plughw:{link.device}" if link.device.isdigit() else link.device or "default"
        self._width = 2 * (link.channel + 1)
        self._child = subprocess.Popen(
            [program, "-q", "-D", device, "-t", "raw", "-f", "S16_LE", "-r", f"{link.rate:.0f}",
             "-c", str(link.channel + 1)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        self._check_started()

    def _check_started(self) -> None:
        """See the first sound, or hear why there is none.

        Raises:
            DeviceError: it ended at once, as without such a microphone.
        """
        assert self._child.stdout is not None
        ready, _, _ = select.select([self._child.stdout], [], [], END_SECONDS)
        if ready and not (first := os.read(self._child.stdout.fileno(), 1 << 16)):
            reason = self._reason()
            self.close()
            raise DeviceError(f"{self._link.source} cannot be opened: {reason}", hint="List them: arecord -L.")
        self._rest = first if ready else b""

    def _reason(self) -> str:
        assert self._child.stderr is not None
        self._child.wait(END_SECONDS)
        lines = self._child.stderr.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else f"arecord ended with exit code {self._child.returncode}"

    def read(self, seconds: float) -> Sequence[Item]:
        """A block of what came.

        Raises:
            OSError: arecord has ended.
        """
        assert self._child.stdout is not None
        ready, _, _ = select.select([self._child.stdout], [], [], seconds)
        if not ready:
            return ()
        data = os.read(self._child.stdout.fileno(), 1 << 16)
        if not data:
            raise OSError(errno.ENODEV, self._reason())
        data = self._rest + data
        whole = len(data) // self._width * self._width
        self._rest = data[whole:]
        frames = np.frombuffer(data[:whole], "<i2").reshape(-1, self._link.channel + 1)
        return (self._link.block(frames, self._clock, time.monotonic(), 0),) if whole else ()

    def close(self) -> None:
        """End the child."""
        self._child.terminate()
        try:
            self._child.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        for pipe in (self._child.stdout, self._child.stderr):
            if pipe is not None:
                pipe.close()
