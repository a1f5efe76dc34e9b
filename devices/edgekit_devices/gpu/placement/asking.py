"""Asks the accelerator for one model: it is opened in a child process, and what it logs meanwhile is its answer."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from edgekit.errors import DeviceError
from edgekit.tflite import read_model
from edgekit_devices import isolation
from edgekit_devices.gpu import answer, diagnosis
from edgekit_devices.gpu.agreement import check_agreement
from edgekit_devices.gpu.engine import GpuEngine, printing_to
from edgekit_devices.gpu.vulkan import enumerate_adapters
from edgekit_devices.isolation import Say

SECONDS = 180.0
"""Longest wait for one model: a software device compiles a large network within a minute."""
_INVALID = "Validation error"
"""The library's word for a program of its own that it cannot compile. It goes on, and computes nothing sensible."""


@dataclass(frozen=True, slots=True)
class Told:
    """What came of asking for one model.

    Attributes:
        answer: What the accelerator logged.
        whole: Whether it takes all of the model.
        refused: Why the model cannot be opened on it at all; empty where it can.
        wrong: How its results differ from the processor's; empty where they agree, or were not compared.
    """

    answer: answer.Answer
    whole: bool = False
    refused: str = ""
    wrong: str = ""


def ask(model: bytes, *, compared: bool) -> Told:
    """Open a model on the GPU, in a process of its own, and see what becomes of it.

    Args:
        model: A `.tflite` file's bytes.
        compared: Run it too, and compare with the processor.

    Raises:
        DeviceError: no adapter answers, or the driver hangs.
    """
    with tempfile.TemporaryDirectory(prefix="edgekit-") as name:
        path, log = Path(name) / "model.tflite", Path(name) / "log.txt"
        path.write_bytes(model)
        arguments = {"model": str(path), "log": str(log), "compared": compared}
        try:
            told = isolation.call(f"{__name__}:open_model", arguments, seconds=SECONDS)
        except isolation.CrashedError as error:
            doing = f" while {error.step}" if error.step else ""
            told = {"refused": f"LiteRT's GPU library {error.how}{doing}."}
        said = answer.read(log.read_text(encoding="utf-8", errors="replace") if log.exists() else "")
    found = Told(said, **told)
    invalid = next((fault for fault in said.faults if _INVALID in fault), "")
    if invalid and not found.refused:
        return replace(found, whole=False, refused=f"LiteRT's GPU library cannot compile its own program ({invalid}).")
    return found


def open_model(say: Say, *, model: str, log: str, compared: bool) -> dict[str, object]:
    """Called in the child process: open a model, and run it where it is to be compared.

    Returns:
        `whole`, `refused` and `wrong`, as `Told` has them.

    Raises:
        DeviceError: no adapter answers.
    """
    if not enumerate_adapters(say):
        raise diagnosis.no_adapter()
    file = read_model(model)
    with printing_to(log):
        say("it compiled the model")
        try:
            engine = GpuEngine(file, threads=1, exact=False)
        except DeviceError as error:
            return {"refused": f"{error.message[0].upper()}{error.message[1:]}."}
        try:
            if compared:
                say("it ran the model")
                check_agreement(file, engine.run, 1)
        except DeviceError as error:
            return {"whole": engine.whole, "wrong": error.message}
    return {"whole": engine.whole}
