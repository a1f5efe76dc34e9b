"""Fixtures for the tests of `edgekit compile`: a stand-in for Google's compiler, and what it gives."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from edgekit.cli import main
from edgekit.metadata import Metadata
from edgekit.tflite.builder import encode
from edgekit.tflite.schema import load_schema, parse_schema
from edgekit_devices import coral
from edgekit_devices.coral.compiler.program import VARIABLE

flexbuffers: Any = pytest.importorskip("flatbuffers.flexbuffers")

STAND_IN = Path(__file__).with_name("edgetpu_compiler_stand_in.py")
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

    @staticmethod
    def left() -> list[str]:
        """Names in the folder where the results go."""
        return sorted(path.name for path in Path().iterdir())

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


@pytest.fixture
def docker(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for the container engine, which enters the folder that it is to mount; returns its log."""
    engine, log = bench.folder / "docker", bench.folder / "docker.log"
    engine.write_text(DOCKER.format(log=log, compiler=bench.program))
    engine.chmod(0o755)
    monkeypatch.setenv("PATH", f"{bench.folder}:{os.environ['PATH']}")
    return log
