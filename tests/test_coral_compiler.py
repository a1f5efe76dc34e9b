"""`edgekit compile` through a stand-in for Google's compiler, and what that prints, as published logs show it."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit import ConversionError, metadata
from edgekit.cli import main
from edgekit.metadata import Metadata, State
from edgekit.tflite import parse_model
from edgekit.tflite.builder import encode
from edgekit.tflite.schema import load_schema, parse_schema
from edgekit_devices import coral
from edgekit_devices.coral.compiler import CompilerNotFoundError, Options, compile_models
from edgekit_devices.coral.compiler.failures import explain, last_words
from edgekit_devices.coral.compiler.log import Row, parse
from edgekit_devices.coral.compiler.program import VARIABLE
from edgekit_devices.coral.placement import analyse
from edgekit_devices.coral.placement.phrases import DATA_TYPE, MAPPED, ONE_SUBGRAPH, UNSPECIFIED

flexbuffers: Any = pytest.importorskip("flatbuffers.flexbuffers")

STAND_IN = Path(__file__).with_name("edgetpu_compiler_stand_in.py")
COMMAND = Path(sys.executable).with_name("edgekit")
ALL = [["FULLY_CONNECTED", 1, MAPPED], ["SOFTMAX", 1, MAPPED]]
PART = [["FULLY_CONNECTED", 1, MAPPED], ["SOFTMAX", 1, UNSPECIFIED]]
CUSTOM = 32
DOCKER = """#!/bin/sh
echo "$@" >> {log}
[ "$1" = kill ] && exit 0
while [ "$1" != --volume ]; do shift; done
cd "${{2%:/work}}" || exit 125
while [ "$1" != --entrypoint ]; do shift; done
[ "$3" = image ] || {{ echo "docker: Error response from daemon: No such image: $3"; exit 125; }}
shift 3
exec {compiler} "$@"
"""


@dataclass
class Ran:
    code: int
    out: str
    err: str


@dataclass
class Bench:
    """A stand-in compiler, and a folder for what it is to give."""

    folder: Path
    program: Path
    environment: pytest.MonkeyPatch

    def says(self, **settings: object) -> None:
        for name, value in settings.items():
            said = value if isinstance(value, str) else json.dumps(value)
            self.environment.setenv(f"STAND_IN_{name.upper()}", said)

    def gives(self, name: str, content: bytes) -> None:
        (self.folder / name).write_bytes(content)

    @property
    def arguments(self) -> list[str]:
        seen: list[str] = json.loads((self.folder / "seen").read_text())["arguments"]
        return seen


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    folder = tmp_path / "bench"
    folder.mkdir()
    program = folder / "edgetpu_compiler"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{STAND_IN}" "$@"\n')
    program.chmod(0o755)
    made = Bench(folder, program, monkeypatch)
    made.says(compiled=str(folder), seen=str(folder / "seen"), pid=str(folder / "pid"))
    monkeypatch.setenv(VARIABLE, str(program))
    return made


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., Ran]:
    place = tmp_path / "out"
    place.mkdir()
    monkeypatch.chdir(place)

    def command(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["edgekit", "compile", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        said = capsys.readouterr()
        return Ran(int(str(caught.value.code)), said.out, said.err)

    return command


@pytest.fixture(scope="session")
def package() -> bytes:
    schema = load_schema(Path(str(coral.__file__)).with_name("darwinn.fbs"))
    program = encode(schema, "Executable", {"type": 1, "parameters": bytes(640)}, b"none")
    holder = parse_schema("table MultiExecutable { serialized_executables:[string]; }")
    several = encode(holder, "MultiExecutable", {"serialized_executables": [program]}, b"none")
    known = {"serialized_multi_executable": several, "min_runtime_version": 14}
    return encode(schema, "Package", known, b"DWN1")


@pytest.fixture
def compiled(package: bytes, pack_model: Any, tiny_parts: Any) -> Callable[..., bytes]:
    """The tiny classifier as the compiler gives it: its operations `first` to `last` as one; no names, no metadata."""

    def make(first: int = 0, last: int = 1, *, keep: bool = True) -> bytes:
        graph = tiny_parts.subgraphs[0]
        dense, softmax = graph.operators
        before, after = [softmax.inputs[0], dense.inputs[0]], [dense.outputs[0], softmax.outputs[0]]
        code = type(tiny_parts.operatorCodes[0])()
        code.builtinCode = code.deprecatedBuiltinCode = CUSTOM
        code.customCode, code.version = b"edgetpu-custom-op", 1
        tpu = type(dense)()
        tpu.opcodeIndex, tpu.inputs, tpu.outputs = 2, [before[1 - first]], [after[last]]
        tpu.customOptions = list(flexbuffers.Dumps({"1": 0, "4": package}))
        rest = [softmax] if last == 0 and keep else []
        tiny_parts.operatorCodes.append(code)
        graph.operators = [tpu, *rest]
        graph.inputs, graph.outputs = [before[1 - first]], [(rest or [tpu])[-1].outputs[0]]
        tiny_parts.signatureDefs, tiny_parts.metadata = [], []
        content: bytes = pack_model(tiny_parts)
        tiny_parts.operatorCodes.pop()
        graph.operators = [dense, softmax]
        return content

    return make


@pytest.fixture
def model(tiny_classifier: Path, said: Metadata, describe: Any) -> Path:
    """The tiny classifier with metadata, under another name."""
    path = tiny_classifier.with_name("digits.tflite")
    path.write_bytes(tiny_classifier.read_bytes())
    describe(path, said)
    return path


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_model_is_compiled_and_keeps_what_it_says(
    bench: Bench, run: Callable[..., Ran], model: Path, compiled: Any, said: Metadata
) -> None:
    bench.gives("digits_edgetpu.tflite", compiled())
    bench.says(table={"digits_edgetpu.tflite": ALL})
    source = model.read_bytes()
    ran = run(model)
    assert (ran.code, ran.err) == (0, "")
    assert left(Path()) == ["digits_edgetpu.log", "digits_edgetpu.tflite"]
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
    assert left(Path("a/b")) == ["digits_edgetpu.log", "digits_edgetpu.tflite"]
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
    assert (ran.code, left(Path())) == (1, [])
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


def test_a_file_of_another_model_is_not_taken(
    bench: Bench, run: Callable[..., Ran], numbers: Path, model: Path, compiled: Any
) -> None:
    bench.gives("digits_edgetpu.tflite", compiled(0, 0, keep=False))
    ran = run(model)
    assert (ran.code, left(Path())) == (1, [])
    assert "digits_edgetpu.tflite was not compiled from digits.tflite: its outputs differ" in ran.err


def test_without_a_compiler_the_way_is_told(
    run: Callable[..., Ran], model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    ran = run(model, "--min-runtime", 13)
    assert (ran.code, left(Path())) == (1, [])
    assert f"no edgetpu_compiler on PATH; {model} is ready to be compiled" in ran.err
    assert "\n  edgetpu_compiler -s -m 13 digits.tflite\n" in ran.err
    assert f"docker run --rm --platform linux/amd64 -v {model.parent}:/work" in ran.err
    assert "--made FOLDER" in ran.err
    assert "2 of 2 on coral" in ran.out
    assert json.loads(run(model, "--json").out)["models"][0]["foretold"]["operations"]["coral"] == 2
    with pytest.raises(CompilerNotFoundError):
        compile_models([model])
    for engine in ("docker", "podman"):
        ran = run(model, "--compiler", f"{engine}:image")
        assert (ran.code, f"there is no {engine} on PATH" in ran.err) == (1, True)


def test_what_the_compiler_would_refuse_does_not_reach_it(bench: Bench, run: Callable[..., Ran], numbers: Path) -> None:
    ran = run(numbers)
    assert ran.code == 1
    assert "would refuse it, and was not started: abs.tflite: No operation gives a quantized tensor" in ran.err
    assert "edgekit convert --target coral" in ran.err
    assert not (bench.folder / "seen").exists()


@pytest.mark.parametrize(
    ("mode", "words", "cure"),
    [
        ("not-quantized", "Model not quantized", "full integer quantization"),
        ("too-new", "newer than the compiler: CONV_2D version 6", ""),
        ("ice", "Internal compiler error", "run it again"),
        ("large", "more room than the Edge TPU has", "--search-delegate"),
        ("silent", "it made no file", "own words"),
        ("bare", "it gives no reason", "wider than 900"),
        ("crash", "it crashed (SIGSEGV)", "another size"),
        ("wrapper-crash", "it crashed (SIGSEGV)", "another size"),
        ("option", "does not know one of the options", "version 16.0"),
        ("strange", "ended with exit code 3", "Something that no version is known to say."),
        ("flood", "printed without end", "smaller model"),
        ("damaged", "is no sound model", ""),
        ("other-program", "tells no version", "I sort photographs"),
    ],
)
def test_failures_are_explained_and_leave_nothing(
    mode: str, words: str, cure: str, bench: Bench, run: Callable[..., Ran], model: Path, compiled: Any
) -> None:
    bench.gives("digits_edgetpu.tflite", compiled())
    bench.says(mode=mode)
    ran = run(model)
    assert (ran.code, left(Path()), ran.out) == (1, [], "")
    assert words in ran.err
    assert cure in ran.err


def alive(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def test_a_hanging_compiler_is_ended_with_its_children(bench: Bench, run: Callable[..., Ran], model: Path) -> None:
    bench.says(mode="hang")
    ran = run(model, "--timeout", 3)
    assert (ran.code, left(Path())) == (1, [])
    assert "did not end within 3 s with digits.tflite, and was stopped" in ran.err
    assert not any(map(alive, (bench.folder / "pid").read_text().split()))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_compilation_leaves_nothing(
    number: signal.Signals, bench: Bench, run: Callable[..., Ran], model: Path
) -> None:
    bench.says(mode="hang")
    with subprocess.Popen([COMMAND, "compile", model], stderr=subprocess.PIPE, text=True) as command:
        try:
            while not (bench.folder / "pid").exists() or not (bench.folder / "pid").read_text():
                assert command.poll() is None
                time.sleep(0.02)
            command.send_signal(number)
            _, err = command.communicate(timeout=60)
        finally:
            command.kill()
    assert (command.returncode, "Traceback" in err) == (128 + number, False)
    assert left(Path()) == []
    assert not any(map(alive, (bench.folder / "pid").read_text().split()))


@pytest.fixture
def docker(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for the container engine, which enters the folder that it is to mount; returns its log."""
    engine, log = bench.folder / "docker", bench.folder / "docker.log"
    engine.write_text(DOCKER.format(log=log, compiler=bench.program))
    engine.chmod(0o755)
    monkeypatch.setenv("PATH", f"{bench.folder}:{os.environ['PATH']}")
    return log


def test_a_container_image(docker: Path, bench: Bench, run: Callable[..., Ran], model: Path, compiled: Any) -> None:
    bench.gives("digits_edgetpu.tflite", compiled())
    assert run(model, "--compiler", "docker:image").code == 0
    version, work = docker.read_text().splitlines()
    assert version.endswith("--entrypoint edgetpu_compiler image --version")
    assert work.endswith("--entrypoint edgetpu_compiler image -s -t 300 -o out in/digits.tflite")
    assert "--network none" in work
    assert f"--user {os.getuid()}:" in work
    ran = run(model, "--compiler", "docker:absent")
    assert (ran.code, "there is no such container image here" in ran.err) == (1, True)


def test_a_container_is_killed_at_the_limit(
    docker: Path, bench: Bench, run: Callable[..., Ran], model: Path, compiled: Any
) -> None:
    bench.says(mode="hang")
    assert run(model, "--compiler", "docker:image", "--timeout", 2).code == 1
    *_, work, killed = docker.read_text().splitlines()
    name = work.split("--name ")[1].split()[0]
    assert killed == f"kill {name}"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--min-runtime", "15"], "10 to 14"),
        (["--min-runtime", "11"], "int8 numbers, which runtimes before 12 do not know"),
        (["--segments", "0"], "--segments is 0"),
        (["--timeout", "0"], "--timeout is 0"),
        (["--timeout", "nan"], "--timeout is nan"),
        (["--compiler", "docker:"], "names no container image"),
        (["--compiler", "/absent/compiler"], "no program that can be run"),
        (["absent.tflite"], "no such file"),
    ],
)
def test_what_cannot_be_meant(
    arguments: list[str], words: str, bench: Bench, run: Callable[..., Ran], model: Path
) -> None:
    ran = run(model, *arguments)
    assert (ran.code, words in ran.err) == (2, True), ran.err
    assert left(Path()) == []


def test_models_that_cannot_be_meant(
    bench: Bench, run: Callable[..., Ran], model: Path, compiled: Any, tmp_path: Path, describe: Any, said: Metadata
) -> None:
    again = tmp_path / "again" / "digits.tflite"
    again.parent.mkdir()
    shutil.copy(model, again)
    assert "two models are called digits" in run(model, again).err
    made = tmp_path / "digits_edgetpu.tflite"
    made.write_bytes(compiled())
    assert "is compiled already" in run(made).err
    shutil.copy(model, made)  # not compiled, whatever it is called
    assert "would replace a model" in run(model, made, "-o", tmp_path).err
    assert "Compile one model at a time" in run(model, made, "--segments", 2).err
    describe(model, replace(said, states=(State(0, 0),)))
    assert "carries states" in run(model, "--segments", 2).err
    Path("digits_edgetpu.tflite").mkdir()
    assert "it is a folder" in run(model).err
    ran = run(model, "-o", model)
    assert (ran.code, "it is no folder" in ran.err) == (1, True)


def test_a_file_without_anything_for_the_edge_tpu_is_no_success(
    bench: Bench, run: Callable[..., Ran], model: Path, tiny_bytes: bytes
) -> None:
    bench.gives("digits_edgetpu.tflite", tiny_bytes)
    bench.says(table={"digits_edgetpu.tflite": [["SOFTMAX", 1, DATA_TYPE], ["FULLY_CONNECTED", 1, DATA_TYPE]]})
    ran = run(model)
    assert (ran.code, left(Path())) == (1, [])
    assert "put no operation of digits.tflite on the Edge TPU" in ran.err
    assert DATA_TYPE in ran.err


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
