"""Measures models on devices side by side: latency by stage and operation, memory, load time, heat.

::

    from edgekit_devices.bench import bench

    found = bench(["a.tflite", "b.tflite"], ["cpu"], seconds=10)
    for one in found.measured:
        print(one.name, found.ratio(one))

The method, and what it can and cannot tell: docs/bench.md.
"""

from __future__ import annotations

from edgekit_devices.bench.measuring import Plan, bench
from edgekit_devices.bench.types import Benchmark, Measured, Subject

__all__ = ["Benchmark", "Measured", "Plan", "Subject", "bench"]
