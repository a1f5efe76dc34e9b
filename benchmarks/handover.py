"""What it costs to keep a device that hangs from hanging the program: a thread that is waited for, or a process.

    python -m benchmarks.handover [MODEL ...]

Runs a model here, in a watched thread (`edgekit.failover.watching`) and in a process of its own
(`edgekit_devices.remote`), in blocks by turns, and prints what an inference takes in each. Without a model: one
operation on small and large tensors.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from numpy.typing import NDArray

from edgekit.device import Runner
from edgekit.failover.watching import Watched
from edgekit.interpreter import Engine
from edgekit_devices.isolation import Say
from edgekit_devices.remote.runner import RemoteRunner

BLOCK, SECONDS = 100, 10.0
OPEN = "benchmarks.handover:open_engine"
SIZES = {"1 number": (1, 1), "224 x 224 x 3 float32, 602 kB": (1, 224, 224, 3)}


def open_engine(say: Say, *, model: str) -> tuple[Engine, None]:
    """In the child."""
    say("opening")
    return Engine(model, threads=1), None


def measure(model: Path, blocks: int) -> dict[str, float]:
    """Milliseconds an inference, the median, by where it runs."""
    engine = Engine(model, threads=1)
    remote = RemoteRunner("remote", OPEN, {"model": str(model)}, open_seconds=30, seconds=SECONDS)
    runners: dict[str, Runner] = {"here": engine, "thread": Watched("thread", engine, SECONDS), "process": remote}
    tensors = engine.zeros()
    times: dict[str, list[float]] = {name: [] for name in runners}
    for _ in range(blocks):
        for name, runner in runners.items():
            times[name] += _block(runner.run, tensors)
    remote.close()
    return {name: median(found) for name, found in times.items()}


def _block(run: Callable[[Sequence[NDArray[Any]]], object], tensors: Sequence[NDArray[Any]]) -> list[float]:
    found = []
    for _ in range(BLOCK):
        started = time.perf_counter()
        run(tensors)
        found.append((time.perf_counter() - started) * 1000)
    return found[BLOCK // 10 :]  # caches are cold at first


def one_operation(shape: Sequence[int], path: Path) -> Path:
    """A model file that takes absolute values."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    graph, model, code, step = schema.SubGraphT(), schema.ModelT(), schema.OperatorCodeT(), schema.OperatorT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.ABS
    step.opcodeIndex, step.inputs, step.outputs = 0, [0], [1]
    graph.tensors = [schema.TensorT(), schema.TensorT()]
    for tensor, name in zip(graph.tensors, (b"x", b"y"), strict=True):
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name, list(shape), schema.TensorType.FLOAT32, 0
    graph.inputs, graph.outputs, graph.operators = [0], [1], [step]
    model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], [schema.BufferT()]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    path.write_bytes(builder.Output())
    return path


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", type=Path, metavar="MODEL")
    parser.add_argument("--blocks", type=int, default=10, help="of 100 inferences each")
    arguments = parser.parse_args()
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[1])  # the child leaves the working folder alone
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}; ms an inference, median")
    print(f"{'model':32} {'here':>8} {'thread':>8} {'process':>8}")
    with TemporaryDirectory() as folder:
        made = {name: one_operation(shape, Path(folder) / f"{len(shape)}.tflite") for name, shape in SIZES.items()}
        for name, path in ({path.name: path for path in arguments.models} or made).items():
            print(f"{name:32}", *(f"{found:8.3f}" for found in measure(path, arguments.blocks).values()), flush=True)


if __name__ == "__main__":
    main()
