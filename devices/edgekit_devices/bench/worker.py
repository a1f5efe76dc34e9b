"""The process in which one model is measured on one device: it takes orders as lines of JSON, and answers likewise.

So what the model takes of memory can be told, a library that crashes takes nobody along, and models stand in each
other's way as little as they can.
"""

from __future__ import annotations

import json
import os
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict
from itertools import cycle
from typing import Any, NoReturn

from edgekit.errors import EdgeKitError

STDOUT, STDERR = 1, 2
KIB = 1024
MILLISECONDS = 1000.0
WARM_UP_SHARE, FEWEST_WARM_UPS = 0.1, 2


class Worker:
    """One model on one device.

    Args:
        subject: A `Subject` as a mapping.
        started: When the process began to import, on the performance counter.
    """

    def __init__(self, subject: Mapping[str, Any], started: float) -> None:
        from edgekit_devices.bench.types import Subject

        self._subject, self._started = Subject(**subject), started

    def open(self) -> dict[str, Any]:
        """Load the model and run it once; an `Opening` as a mapping."""
        import edgekit
        from edgekit.interpreter import import_runtime
        from edgekit_devices.bench.samples import samples_for
        from edgekit_devices.bench.types import Opening

        subject = self._subject
        import_runtime()
        ready, before = time.perf_counter(), _resident()
        self._model = edgekit.load(
            subject.model, device=subject.device, threads=subject.threads, device_options=subject.device_options,
            normalize=subject.normalize,
        )
        loaded = time.perf_counter()
        samples = samples_for(self._model, subject.source)
        self._samples, self._channels = cycle(samples.data), samples.channels
        first = self._once()["total"]
        return asdict(Opening(
            self._model.device, getattr(self._model, "device_reason", ""), self._model.threads,
            (ready - self._started) * MILLISECONDS, (loaded - ready) * MILLISECONDS, first, before, samples.shown,
        ))

    def warm_up(self, seconds: float, runs: int) -> dict[str, Any]:
        """Run for a tenth of the time, or of the runs, that are going to be measured; without figures."""
        most = max(FEWEST_WARM_UPS, int(runs * WARM_UP_SHARE))
        self._repeat(seconds * WARM_UP_SHARE, most if runs else sys.maxsize, FEWEST_WARM_UPS)
        return {}

    def run(self, seconds: float, runs: int) -> dict[str, Any]:
        """Run so many times, or for so long where that is 0: milliseconds by stage, and the device at the end."""
        times = self._repeat(seconds, runs or sys.maxsize, runs or 1)
        return {"times": times, "device": self._model.device}

    def operations(self, seconds: float, runs: int) -> dict[str, Any]:
        """Time each operation alone; `Operations` as a mapping, or why not."""
        from edgekit.onnx import is_onnx
        from edgekit.tflite import read_model
        from edgekit_devices.bench.operations import MOST, measure_operations

        device = self._model.device
        if device.partition(":")[0] != "cpu" or is_onnx(self._model.path):
            return {"why": f"{device} takes the network as a whole, and the runtime tells no times of its parts"}
        file = read_model(self._model.path, details=True)
        if file.is_edgetpu:
            return {"why": "the file is compiled for the Edge TPU: give the one that it was compiled from"}
        try:
            found = measure_operations(
                file, threads=self._model.threads, reference=device == "cpu:reference", seconds=seconds,
                most=runs or MOST,
            )
        except EdgeKitError as error:
            return {"why": error.message}
        return {"operations": asdict(found)}

    def _repeat(self, seconds: float, most: int, fewest: int) -> dict[str, list[float]]:
        times: dict[str, list[float]] = {}
        begun = time.perf_counter()
        for count in range(most):
            if count >= fewest and time.perf_counter() - begun >= seconds > 0:
                break
            for stage, spent in self._once().items():
                times.setdefault(stage, []).append(spent)
        return times

    def _once(self) -> dict[str, float]:
        """One sample to its result, in milliseconds."""
        data = next(self._samples)
        started = time.perf_counter()
        latency = self._model(data, channels=self._channels).latency
        total = (time.perf_counter() - started) * MILLISECONDS
        return {
            "preprocess": latency.preprocess, "inference": latency.inference, "postprocess": latency.postprocess,
            "total": total,
        }


def _resident() -> int:
    """Bytes of memory that this process takes now."""
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - no import before the measuring
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _answer(act: Callable[..., dict[str, Any]], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What an order gave, its error, and what was warned of meanwhile."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        try:
            said: dict[str, Any] = {"value": act(**arguments)}
        except EdgeKitError as error:
            said = {"error": [type(error).__name__, error.message, error.hint]}
    return {**said, "notes": [str(one.message) for one in caught if issubclass(one.category, UserWarning)]}


def main() -> NoReturn:
    """Serve until the parent closes the pipe."""
    started = time.perf_counter()
    answers = os.fdopen(os.dup(STDOUT), "w", encoding="utf-8", buffering=1)
    os.dup2(STDERR, STDOUT)  # what native code prints must not mix with the answers
    worker = Worker(json.loads(sys.argv[1]), started)
    for line in sys.stdin:
        order = json.loads(line)
        print(json.dumps(_answer(getattr(worker, order.pop("do")), order)), file=answers)
    os._exit(0)  # what libraries do at the end of a process is not what is measured


if __name__ == "__main__":
    main()
