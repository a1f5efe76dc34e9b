"""int8, float16 and float32 files of one network, on the GPU and on the processor, side by side in one run.

    VK_DRIVER_FILES=/usr/lib/chromium/vk_swiftshader_icd.json python -m benchmarks.gpu_precision MODEL.keras \
        --calibration DATA [--labelled DATA.npz] [--rounds N]

Every file is converted from the same model, opened once on each device, and run by turns on the same inputs, so that
what else the machine does falls on all alike. Told for each: bytes, median and least milliseconds, how close its
results are to those of the float32 file on the processor (SQNR), and, with labelled data (`x` and `y`), how many
classes are right. Whatever Vulkan adapter is there is used; a software device computes on the processor, and its times
say nothing of a GPU.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import edgekit
from edgekit.device import Request, Runner
from edgekit.errors import EdgeKitError
from edgekit.quantization import dequantize, quantize, scale_of
from edgekit.tflite import ModelFile, read_model

PRECISIONS = ("float32", "float16", "dynamic", "int8")
DEVICES = ("cpu", "gpu")


@dataclass(eq=False)
class Contender:
    """A file on a device, and what came of it."""

    precision: str
    device: str
    file: ModelFile
    runner: Runner
    times: list[float] = field(default_factory=list)
    results: list[NDArray[np.float64]] = field(default_factory=list)

    def run(self, sample: NDArray[np.float32]) -> None:
        """One inference, timed with what feeding a quantized file takes left out."""
        tensor = self.file.inputs[0]
        scale = scale_of(tensor)
        given = quantize(sample, scale, tensor.dtype) if scale else sample.astype(tensor.dtype)
        started = time.perf_counter()
        found = self.runner.run([given])[0]
        self.times.append((time.perf_counter() - started) * 1e3)
        known = scale_of(self.file.outputs[0])
        self.results.append(np.asarray(dequantize(found, known) if known else found, np.float64))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--calibration", required=True, help="as for edgekit convert")
    parser.add_argument("--labelled", type=Path, help=".npz with x, as the network takes it, and y")
    parser.add_argument("--rounds", type=int, default=20, help="inferences of each, without labelled data")
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        contenders = list(_contenders(asked, Path(folder)))
        samples, labels = _samples(asked, contenders[0].file)
        for sample in samples:
            for contender in contenders:
                contender.run(sample)
        print("\n".join(_table(contenders, labels)))


def _contenders(asked: argparse.Namespace, folder: Path) -> Any:
    for precision in PRECISIONS:
        path = folder / f"{precision}.tflite"
        # For the target, so that recurrent layers have the form that a GPU takes.
        given = {"calibration": asked.calibration} if precision == "int8" else {}
        edgekit.convert(asked.model, path, target="jetson", precision=precision, **given)
        for device in DEVICES:
            try:
                runner = _open(path, device, asked.threads)
            except EdgeKitError as error:
                print(f"{precision} on {device}: {error.message}")
                continue
            yield Contender(precision, device, read_model(path), runner)


def _open(path: Path, device: str, threads: int) -> Runner:
    file = read_model(path)
    if device == "cpu":
        from edgekit.interpreter import Engine

        return Engine(str(path), threads=threads)
    from edgekit_devices.gpu.device import GPU

    # Without the comparison at opening, which would refuse what is to be measured.
    [runner] = GPU.open(Request(file, device, options={"check": "off"}, threads=threads)).values()
    return runner


def _samples(asked: argparse.Namespace, file: ModelFile) -> tuple[Sequence[NDArray[np.float32]], NDArray[Any] | None]:
    if asked.labelled:
        with np.load(asked.labelled) as data:
            return [sample[None].astype(np.float32) for sample in data["x"]], data["y"]
    random, shape = np.random.default_rng(0), file.inputs[0].static_shape
    return [random.uniform(0, 255, shape).astype(np.float32) for _ in range(asked.rounds)], None


def _table(contenders: Sequence[Contender], labels: NDArray[Any] | None) -> Any:
    reference = next(one for one in contenders if (one.precision, one.device) == ("float32", "cpu"))
    fastest = statistics.median(reference.times)
    yield f"{'file':<9}{'device':<7}{'bytes':>11}{'median ms':>11}{'least':>9}{'ratio':>8}{'SQNR dB':>9}{'right':>8}"
    for one in contenders:
        median, right = statistics.median(one.times), ""
        if labels is not None:
            found = [int(np.argmax(result)) for result in one.results]
            right = f"{np.mean(np.array(found) == labels):.1%}"
        yield (
            f"{one.precision:<9}{one.device:<7}{one.file.size:>11,}{median:>11.3f}{min(one.times):>9.3f}"
            f"{median / fastest:>8.2f}{_sqnr(reference.results, one.results):>9}{right:>8}"
        )


def _sqnr(expected: Sequence[NDArray[np.float64]], found: Sequence[NDArray[np.float64]]) -> str:
    wanted = np.stack(expected)
    noise = float(np.square(wanted - np.stack(found)).sum())
    return f"{10 * np.log10(float(np.square(wanted).sum()) / noise):.1f}" if noise else "equal"


if __name__ == "__main__":
    main()
