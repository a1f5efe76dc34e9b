"""What a bare install costs before a model is opened: packages, disk, memory, and the time of `import edgekit`.

    python benchmarks/footprint.py [WHEEL] [--json]      installs it, or this checkout, in an environment of its own
    python benchmarks/footprint.py --environment FOLDER  measures one that is there, such as a device's

Exit code 1 where there are more packages or more memory than the limits allow; time is only told, as a ratio to what
every program that runs a model has to import anyway. Needs nothing but the standard library.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import venv
from dataclasses import asdict, dataclass
from pathlib import Path

MOST_PACKAGES = 15
MOST_MEMORY = 60.0
"""MB resident with all loaded that a run needs, before the model."""
RUNS = 11
NOT_OURS = ("pip", "setuptools", "wheel")
"""What environments are made with."""

RUNTIME = "from edgekit.interpreter import import_runtime; import_runtime()"
"""NumPy and the interpreter, which `edgekit.load` imports."""
STAGES = {
    "python": "pass",
    "import edgekit": "import edgekit",
    "NumPy and the runtime": f"import edgekit; {RUNTIME}",
    "all of edgekit run": f"import edgekit.cli.run; {RUNTIME}",
}
"""What is loaded when memory is looked at."""
IMPORTS = {
    "edgekit": "import edgekit",
    "NumPy": "import numpy",
    "NumPy and the runtime": RUNTIME,
}
RESIDENT = "; print([line.split()[1] for line in open('/proc/self/status') if line.startswith('VmRSS')][0])"
TIMED = "import time; start = time.perf_counter(); {}; print(time.perf_counter() - start)"
PACKAGES = """
import importlib.metadata, json
print(json.dumps({one.name: sum(one.locate_file(path).stat().st_size for path in one.files or ()
                                if one.locate_file(path).exists()) for one in importlib.metadata.distributions()}))
"""


@dataclass(frozen=True, slots=True)
class Footprint:
    """What was measured.

    Attributes:
        packages: Bytes on disk of each package, bytecode included.
        memory: MB (10^6 bytes) resident after each stage.
        times: Median seconds of each import, in a process of its own.
    """

    packages: dict[str, int]
    memory: dict[str, float]
    times: dict[str, float]

    @property
    def fits(self) -> bool:
        """Whether the limits are kept."""
        return len(self.packages) <= MOST_PACKAGES and max(self.memory.values()) < MOST_MEMORY


def measure(python: Path, runs: int = RUNS) -> Footprint:
    """Measure the environment of a Python; each figure comes from a new process."""
    packages = json.loads(_printed(python, PACKAGES))
    memory = {name: int(_printed(python, code + RESIDENT)) * 1024 / 1e6 for name, code in STAGES.items()}
    times: dict[str, list[float]] = {name: [] for name in IMPORTS}
    for _ in range(1 + runs):  # by turns, so that a busy machine slows all alike; the first round does not count
        for name, code in IMPORTS.items():
            times[name].append(float(_printed(python, TIMED.format(code))))
    return Footprint(
        {name: size for name, size in sorted(packages.items()) if name.lower() not in NOT_OURS},
        memory, {name: statistics.median(found[1:]) for name, found in times.items()},
    )


def install(wheel: str, folder: Path) -> Path:
    """Install a wheel, or the checkout, in a new environment; return its Python."""
    venv.create(folder, with_pip=True, symlinks=True)
    python = folder / "bin/python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel], check=True)
    return python


def show(found: Footprint) -> None:
    """Print it for people."""
    total = sum(found.packages.values()) / 1e6
    print(f"{len(found.packages)} packages (at most {MOST_PACKAGES}), {total:.0f} MB on disk")
    for name, size in sorted(found.packages.items(), key=lambda entry: -entry[1]):
        print(f"  {name:22} {size / 1e6:7.1f} MB")
    print(f"resident memory before a model is opened (under {MOST_MEMORY:.0f} MB)")
    for name, megabytes in found.memory.items():
        print(f"  {name:22} {megabytes:7.1f} MB")
    print("time of an import")
    for name, seconds in found.times.items():
        ratio = found.times["edgekit"] / seconds
        print(f"  {name:22} {seconds * 1000:7.1f} ms   edgekit takes {ratio:.2f} of it")


def main() -> int:
    """Measure and print; 1 where a limit is not kept."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("wheel", nargs="?", default=str(Path(__file__).resolve().parents[1]))
    parser.add_argument("--environment", type=Path, metavar="FOLDER", help="measure this one; nothing is installed")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        python = chosen.environment / "bin/python" if chosen.environment else install(chosen.wheel, Path(folder))
        found = measure(python)
    print(json.dumps({**asdict(found), "fits": found.fits}, indent=2)) if chosen.json else show(found)
    if not found.fits:
        print("the limits are not kept", file=sys.stderr)
    return 0 if found.fits else 1


def _printed(python: Path, code: str) -> str:
    done = subprocess.run([python, "-c", code], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
