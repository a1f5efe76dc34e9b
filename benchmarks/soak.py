"""What `edgekit run` holds and how late it is over a long time, on a stream that never ends.

    python -m benchmarks.soak MODEL.tflite [--minutes N]

FFmpeg sends a clip of 720p H.264 round and round, in real time, over UDP; the installed command reads it, serves its
page and appends its results to a file. Every few seconds the process is looked at as the kernel sees it. At the end:
how memory grew after the first fifth of the time (a line through all readings), the numbers of threads and descriptors,
and the latency of the last quarter against that of the first, which a busy machine changes too.
"""

from __future__ import annotations

import argparse
import json
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.pipelines import make_clip

COMMAND = Path(sys.executable).with_name("edgekit")
LOOK_SECONDS = 5.0
WARM_UP = 0.2
MINUTES = 10
"""Memory is told for so many."""


@dataclass(frozen=True, slots=True)
class Held:
    """What a process holds: megabytes of memory, threads and descriptors, so many seconds after its start."""

    seconds: float
    memory: float
    threads: int
    descriptors: int


def look(process: int, seconds: float) -> Held:
    """What a process holds now."""
    folder = Path(f"/proc/{process}")
    said = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
    descriptors = len(list((folder / "fd").iterdir()))
    return Held(seconds, int(said["VmRSS"].split()[0]) / 1024, int(said["Threads"]), descriptors)


def free_port(kind: socket.SocketKind) -> int:
    """A port that nobody has."""
    with socket.socket(socket.AF_INET, kind) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def soak(model: Path, folder: Path, minutes: float) -> list[Held]:
    """Run the command for so long."""
    clip, address = folder / "clip.mp4", f"udp://127.0.0.1:{free_port(socket.SOCK_DGRAM)}"
    make_clip(clip)
    sending: list[str | Path] = [
        "ffmpeg", "-loglevel", "error", "-re", "-stream_loop", "-1", "-i", clip, "-c", "copy", "-f", "mpegts",
    ]
    page = str(free_port(socket.SOCK_STREAM))
    running: list[str | Path] = [
        COMMAND, "run", model, address, "--normalize=-1..1", "--sink", folder / "results.jsonl", "--serve", page,
    ]
    found, started = [], time.monotonic()
    with (
        subprocess.Popen([*sending, f"{address}?pkt_size=1316"]) as sender,
        subprocess.Popen(running, stderr=subprocess.DEVNULL) as command,
    ):
        try:
            while (passed := time.monotonic() - started) < minutes * 60:
                time.sleep(LOOK_SECONDS)
                if command.poll() is not None:
                    raise SystemExit(f"the command ended with exit code {command.returncode}")
                found.append(look(command.pid, passed))
        finally:
            command.send_signal(signal.SIGTERM)
            code = command.wait()
            sender.terminate()
    print(f"{minutes:g} minutes; exit code {code} upon SIGTERM")
    return found


def tell(found: list[Held], results: Path) -> None:
    """Print what came of it."""
    warm = [one for one in found if one.seconds > WARM_UP * found[-1].seconds]
    growth = statistics.linear_regression([one.seconds for one in warm], [one.memory for one in warm]).slope
    print(f"memory: {warm[0].memory:.1f} MB, growing by {growth * 60 * MINUTES:.2f} MB in {MINUTES} minutes")
    print("threads:", *sorted({one.threads for one in warm}), "  descriptors:", *sorted({o.descriptors for o in warm}))
    lines = [json.loads(line) for line in results.read_text().splitlines()]
    ages = [line["age_ms"] for line in lines]
    quarter = len(ages) // 4
    for name, some in (("first quarter", ages[:quarter]), ("last quarter", ages[-quarter:])):
        cuts = statistics.quantiles(some, n=100)
        print(f"age of results, {name}: median {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms")
    print(f"{len(lines)} results; dropped {lines[-1]['dropped']}")


def main() -> None:
    """Soak, and tell."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("--minutes", type=float, default=30.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tell(soak(given.model, Path(folder), given.minutes), Path(folder) / "results.jsonl")


if __name__ == "__main__":
    main()
