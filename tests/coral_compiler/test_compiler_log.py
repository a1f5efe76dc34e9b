"""What Google's compiler for the Edge TPU prints, as published logs of several versions show it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from edgekit_devices.coral.compiler.failures import explain, last_words
from edgekit_devices.coral.compiler.log import Row, parse
from edgekit_devices.coral.placement.phrases import MAPPED, ONE_SUBGRAPH, UNSPECIFIED

V16 = f"""Edge TPU Compiler version 16.0.384591198
Started a compilation timeout timer of 180 seconds.

Models compiled successfully in 524 ms.

Input model: temp/1.tflite
Input size: 1.91MiB
Output model: out/1_edgetpu.tflite
On-chip memory used for caching model parameters: 2.27MiB
On-chip memory remaining for caching model parameters: 1.07MiB
Off-chip memory used for streaming uncached model parameters: 0.00B
Number of Edge TPU subgraphs: 1
Total number of operations: 57
See the operation log file for individual operation details.

Input model: temp/2.tflite
Output model: out/2_edgetpu.tflite
Off-chip memory used for streaming uncached model parameters: 787.12KiB

Operator                       Count      Status

QUANTIZE                       1          {MAPPED}
QUANTIZE                       2          {UNSPECIFIED}
Compilation child process completed within timeout period.
Compilation succeeded!
"""
V15 = f"""Edge TPU Compiler version 15.0.340273435

Model compiled successfully in 577 ms.

Input model: /home/yolo/yolov3-tiny_int8.tflite
Output model: /home/yolo/yolov3-tiny_int8_edgetpu.tflite
Number of operations that will run on Edge TPU: 2
Number of operations that will run on CPU: 34

Operator                       Count      Status

MAX_POOL_2D                    6          {ONE_SUBGRAPH}
RESIZE_NEAREST_NEIGHBOR        1          Operation version not supported
LEAKY_RELU                     11         Operation not supported
"""
V2 = """Edge TPU Compiler version 2.0.291256449
Model compiled successfully in 2356 ms.
Input model: resnet50.tflite
Output model: resnet50_edgetpu.tflite
On-chip memory available for caching model parameters: 6.25MiB
On-chip memory used for caching model parameters: 6.00MiB
"""


def test_forms_of_the_versions() -> None:
    log = parse(V16)
    assert (log.version, log.milliseconds, len(log.models), log.rest) == ("16.0.384591198", 524, 2, ())
    first, second = log.models
    assert (first.input_bytes, first.on_chip_used, first.remaining) == (2002780, 2380268, 1121976)
    assert (first.off_chip, first.subgraphs, first.operations, first.rows) == (0, 1, 57, ())
    assert (second.off_chip, log.about("2_edgetpu.tflite")) == (806011, second)
    assert second.rows == (Row("QUANTIZE", 1, MAPPED), Row("QUANTIZE", 2, UNSPECIFIED))
    (only,) = parse(V15).models
    assert (only.on_target, only.on_cpu, [row.count for row in only.rows]) == (2, 34, [6, 1, 11])
    (old,) = parse(V2).models
    assert old.remaining == 2**20 // 4


def test_published_logs(shared: Path) -> None:
    records = json.loads(gzip.decompress((shared / "edgetpu" / "placement_truth.json.gz").read_bytes()))
    logs = [(record, parse(record["compiler_log"])) for record in records if record["compiler_log"]]
    assert logs
    for record, log in logs:
        (only,) = log.models
        assert log.rest == ()
        assert sum(row.count for row in only.rows) == record["n_ops"]
        assert sum(row.count for row in only.rows if row.status == MAPPED) == record["n_mapped"]


LINES = st.sampled_from([line for log in (V16, V15, V2) for line in log.splitlines()])


@given(st.lists(st.one_of(LINES, st.text(), st.tuples(LINES, st.text()).map("".join))).map("\n".join))
def test_the_parser_takes_anything(text: str) -> None:
    log = parse(text)
    assert all(row.count >= 0 for model in log.models for row in model.rows)
    for model in log.models:
        assert model.remaining is None or model.remaining >= 0
    assert explain(text, 1).reason
    assert last_words(text).count("\n") < 12


def test_every_known_line_is_understood_or_shown() -> None:
    log = parse("| odd |\nERROR: Registration failed.\nInput size: plenty\nTotal number of operations: 9" + "9" * 5000)
    assert [line[:30] for line in log.rest] == [
        "| odd |", "ERROR: Registration failed.", "Input size: plenty", "Total number of operations: 99",
    ]
