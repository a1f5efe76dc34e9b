"""`edgekit compile` through a stand-in for Google's compiler."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from edgekit import ConversionError, metadata
from edgekit.metadata import Metadata
from edgekit.tflite import parse_model
from edgekit_devices.coral.compiler import Options, compile_models
from edgekit_devices.coral.placement import analyse
from edgekit_devices.coral.placement.phrases import MAPPED, UNSPECIFIED

if TYPE_CHECKING:
    from tests.coral_compiler.conftest import Bench, Ran

ALL = [["FULLY_CONNECTED", 1, MAPPED], ["SOFTMAX", 1, MAPPED]]
PART = [["FULLY_CONNECTED", 1, MAPPED], ["SOFTMAX", 1, UNSPECIFIED]]


def test_a_model_is_compiled_and_keeps_what_it_says(
    bench: Bench, run: Callable[..., Ran], model: Path, compiled: Any, said: Metadata
) -> None:
    bench.gives("digits_edgetpu.tflite", compiled())
    bench.says(table={"digits_edgetpu.tflite": ALL})
    source = model.read_bytes()
    ran = run(model)
    assert (ran.code, ran.err) == (0, "")
    assert bench.left() == ["digits_edgetpu.log", "digits_edgetpu.tflite"]
    assert model.read_bytes() == source
    about, content = metadata.read("digits_edgetpu.tflite"), Path("digits_edgetpu.tflite").read_bytes()
    assert about.inputs == said.inputs
    assert about.outputs == said.outputs
    assert (about.task, about.target, about.name, about.origin) == ("classification", "coral", "Digits", "edgekit")
    assert about.provenance["source"] == "digits.keras"
    assert about.provenance["compiler"] == {
        "name": "edgetpu_compiler", "version": "16.0.384591198", "flags": ["-s"],
        "model": {"name": "digits.tflite", "sha256": hashlib.sha256(source).hexdigest()},
    }
    file = parse_model(content)
    assert file.is_edgetpu
    assert hashlib.sha256(content[: file.flatbuffer_size]).hexdigest().encode() in content[file.flatbuffer_size :]
    assert "2 of 2 on coral, 0 on the cpu" in ran.out
    assert "The compiler decided all 2 operations as foretold, by type and status." in ran.out
    assert "carried over, 10 labels" in ran.out
    assert "On chip   640 B of parameters, 7.67 MiB left there" in ran.out


def test_flags_are_passed_on(bench: Bench, run: Callable[..., Ran], model: Path, compiled: Any) -> None:
    bench.gives("digits_edgetpu.tflite", compiled())
    options = ("--min-runtime", 13, "--all-subgraphs", "--search-delegate", "--timeout", 90)
    assert run(model, *options, "-o", "a/b").code == 0
    assert bench.arguments == ["-s", "-a", "-d", "-m", "13", "-t", "90", "-o", "out", "in/digits.tflite"]
    assert sorted(path.name for path in Path("a/b").iterdir()) == ["digits_edgetpu.log", "digits_edgetpu.tflite"]
    bench.says(version="15.0.340273435")
    ran = run(model)
    assert bench.arguments == ["-s", "-o", "out", "in/digits.tflite"]
    assert "Foretold is what version 16.0.384591198 does; this is version" in ran.out


def test_every_difference_is_pointed_out(bench: Bench, run: Callable[..., Ran], model: Path, compiled: Any) -> None:
    bench.gives("digits_edgetpu.tflite", compiled(last=0))
    bench.says(table={"digits_edgetpu.tflite": PART})
    ran = run(model)
    assert ran.code == 0
    assert "! SOFTMAX                 1         0  Mapped to Edge TPU" in ran.out
    assert "! SOFTMAX                 0         1  Operation is otherwise supported" in ran.out
    assert "  FULLY_CONNECTED         1         1  Mapped to Edge TPU" in ran.out
    assert "Operation 1, SOFTMAX (layer" in ran.out
    assert "foretold on coral; the compiler has it on cpu." in " ".join(ran.out.split())
    (shown,) = json.loads(run(model, "--json").out)["models"]
    assert shown["operations"] == {"total": 2, "coral": 1, "cpu": 1}
    (difference,) = shown["verdict"]["differences"]
    assert (difference["index"], difference["foretold"], difference["compiler"]) == (1, "coral", "cpu")
    assert not shown["verdict"]["agrees"]


def test_full_mapping_can_be_required(bench: Bench, run: Callable[..., Ran], model: Path, compiled: Any) -> None:
    bench.gives("digits_edgetpu.tflite", compiled(last=0))
    bench.says(table={"digits_edgetpu.tflite": PART})
    ran = run(model, "--require-full-mapping")
    assert (ran.code, bench.left()) == (1, [])
    assert "leaves 1 of 2 operations of digits.tflite on the CPU" in ran.err
    assert f"1 SOFTMAX: {UNSPECIFIED}" in ran.err


def test_a_table_that_contradicts_the_file_is_noted(
    bench: Bench, run: Callable[..., Ran], model: Path, compiled: Any
) -> None:
    bench.gives("digits_edgetpu.tflite", compiled(last=0))
    bench.says(table={"digits_edgetpu.tflite": [["SOFTMAX", 1, MAPPED]]})
    ran = run(model)
    assert "The compiler's table counts 1 operations, and the model has 2." in ran.out
    assert "The compiler's table has 0 operations on the CPU, and its file 1." in ran.out


def test_segments(bench: Bench, run: Callable[..., Ran], model: Path, compiled: Any, said: Metadata) -> None:
    first, last = "digits_segment_0_of_2_edgetpu.tflite", "digits_segment_1_of_2_edgetpu.tflite"
    bench.gives(first, compiled(0, 0, keep=False))
    bench.gives(last, compiled(1, 1))
    bench.says(table={first: ALL[:1], last: ALL[1:]})
    ran = run(model, "--segments", 2)
    assert (ran.code, ran.err) == (0, "")
    assert "-n 2" in " ".join(bench.arguments)
    assert "by type and status" in ran.out
    assert "The segments run one after the other" in ran.out
    begin, end = metadata.read(first), metadata.read(last)
    assert (begin.inputs, begin.outputs[0].labels, begin.task) == (said.inputs, (), None)
    assert (end.inputs[0].normalization, end.outputs, end.task) == (None, said.outputs, "classification")
    assert [about.provenance["compiler"]["segment"] for about in (begin, end)] == [0, 1]
    bench.says(mode="silent")
    ran = run(model, "--segments", 3)
    assert (ran.code, "it printed nothing but its version" in ran.err) == (1, True)
    assert "Compile without --segments" in ran.err


def test_several_models_go_through_one_run(
    bench: Bench, run: Callable[..., Ran], model: Path, tiny_classifier: Path, compiled: Any
) -> None:
    for name in ("digits_edgetpu.tflite", "tiny_edgetpu.tflite"):
        bench.gives(name, compiled())
    bench.says(table={"digits_edgetpu.tflite": ALL, "tiny_edgetpu.tflite": ALL})
    ran = run(model, tiny_classifier)
    assert ran.code == 0
    assert bench.arguments[-2:] == ["in/digits.tflite", "in/tiny.tflite"]
    assert ran.out.count("by type and status") == 2
    assert len(list(Path().glob("*_edgetpu.tflite"))) == 2
    assert metadata.read("digits_edgetpu.tflite").outputs[0].labels
    assert not metadata.read("tiny_edgetpu.tflite").outputs[0].labels


def test_what_was_compiled_elsewhere(
    bench: Bench, run: Callable[..., Ran], model: Path, compiled: Any, said: Metadata
) -> None:
    bench.gives("digits_edgetpu.tflite", compiled())
    bench.says(mode="ice")  # it is not started
    (bench.folder / "digits_edgetpu.log").write_text(
        f"Edge TPU Compiler version 14.1.317412892\nInput: digits.tflite\nOutput: digits_edgetpu.tflite\n\n"
        f"Operator                       Count      Status\n\nFULLY_CONNECTED  1  {MAPPED}\nSOFTMAX  1  {MAPPED}\n"
    )
    ran = run(model, "--made", bench.folder)
    assert (ran.code, ran.err) == (0, "")
    assert "edgetpu_compiler 14.1.317412892" in ran.out
    assert "by type and status" in ran.out
    about = metadata.read("digits_edgetpu.tflite")
    assert about.outputs == said.outputs
    assert (about.provenance["compiler"]["version"], about.provenance["compiler"]["flags"]) == ("14.1.317412892", None)
    (bench.folder / "digits_edgetpu.tflite").unlink()
    ran = run(model, "--made", bench.folder)
    assert (ran.code, "there is no digits_edgetpu.tflite in" in ran.err) == (2, True)


def test_what_is_not_understood_is_shown(bench: Bench, run: Callable[..., Ran], model: Path, compiled: Any) -> None:
    bench.gives("digits_edgetpu.tflite", compiled())
    bench.says(mode="chatty")
    assert "  | Warning: something to know" in run(model).out
    bench.says(mode="garbage", table={"digits_edgetpu.tflite": ALL})
    ran = run(model)
    assert (ran.code, "\x1b" in ran.out) == (0, False)
    assert "  | On-chip memory used for caching model parameters: plenty" in ran.out
    assert "by type and status" in ran.out  # from the log


@pytest.mark.parametrize("name", ["LibrEdgeTPU__dense_256", "test_data__split_concat", "LibrEdgeTPU__looming_64x64_3x3",
                                  "test_data__deeplabv3_mnv2_dm05_pascal_quant"])
def test_real_pairs(name: str, shared: Path, bench: Bench, run: Callable[..., Ran]) -> None:
    """Real models, and what the real compiler made of them; the stand-in hands that out."""
    pairs = shared / "edgetpu"
    made = (pairs / "compiled" / f"{name}_edgetpu.tflite").read_bytes()
    bench.gives(f"{name}_edgetpu.tflite", made)
    source = pairs / "models" / f"{name}.tflite"
    records = json.loads(gzip.decompress((pairs / "placement_truth.json.gz").read_bytes()))
    (record,) = (record for record in records if record.get("file", "").endswith(source.name))
    bench.says(table={f"{name}_edgetpu.tflite": [list(row) for row in analyse(source).summary()]})
    (shown,) = json.loads(run(source, "--json").out)["models"]
    assert shown["operations"] == {
        "total": record["n_ops"], "coral": record["n_mapped"], "cpu": record["n_cpu"],
    }
    assert (shown["verdict"]["agrees"], shown["verdict"]["notes"]) == (True, [])
    (output,) = shown["outputs"]
    assert output["cached_bytes"] == record["params_cached_bytes"]
    assert Path(f"{name}_edgetpu.tflite").read_bytes().find(made) > 0  # bit for bit, behind a new beginning


def test_python_raises_what_the_command_shows(bench: Bench, model: Path, compiled: Any, tmp_path: Path) -> None:
    bench.gives("digits_edgetpu.tflite", compiled())
    stages = []
    (one,) = compile_models([model], Options(output=tmp_path / "x"), progress=lambda stage, _: stages.append(stage))
    assert one.outputs[0].path == tmp_path / "x" / "digits_edgetpu.tflite"
    assert (one.version, one.verdict.on_cpu, one.outputs[0].runtime) == ("16.0.384591198", 0, 14)
    assert stages[0].startswith("asking")
    bench.says(mode="ice")
    with pytest.raises(ConversionError, match="Internal compiler error"):
        compile_models([str(model)])
