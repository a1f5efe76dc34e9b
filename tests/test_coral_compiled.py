"""What is inside files that the Edge TPU's compiler made, and files that only look like it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from edgekit.errors import ModelFileError
from edgekit.placement import Package
from edgekit.tflite import read_model
from edgekit.tflite.builder import encode
from edgekit.tflite.schema import Schema, parse_schema
from edgekit_devices.coral.placement import analyse

flexbuffers: Any = pytest.importorskip("flatbuffers.flexbuffers")

SCHEMA = """
table Executable {
  version:int; name:string; serialized_model:[ubyte]; batch_size:int; scratch_size_bytes:int; bitstreams:uint;
  parameters:[ubyte]; hints:uint; inputs:uint; outputs:uint; chip:string; estimated_cycles:int;
  used_narrow_memory_bytes_per_tile:int; type:short; parameter_caching_token:ulong;
}
table MultiExecutable { serialized_executables:[string]; }
table SerializedPackage { serialized_package:[ubyte]; }
table Package {
  min_runtime_version:int; serialized_multi_executable:[ubyte]; signature:[ubyte]; keypair_version:int;
  compiler_version:string; virtual_chip_id:int; multi_chip_package:[SerializedPackage];
}
"""
CUSTOM, IDENTIFIER = 32, b"DWN1"


@pytest.fixture(scope="module")
def schema() -> Schema:
    return parse_schema(SCHEMA)


def package(schema: Schema, *executables: dict[str, Any], **known: Any) -> bytes:
    programs = [encode(schema, "Executable", executable, b"none") for executable in executables]
    several = encode(schema, "MultiExecutable", {"serialized_executables": programs}, b"none")
    return encode(schema, "Package", {"serialized_multi_executable": several, **known}, IDENTIFIER)


@pytest.fixture
def compiled(tiny_parts: Any, pack_model: Any) -> Any:
    """Makes a model of one custom operation that carries a package."""

    def make(content: bytes | None, options: bytes | None = None) -> bytes:
        code, (operator, *_) = tiny_parts.operatorCodes[0], tiny_parts.subgraphs[0].operators
        code.builtinCode = code.deprecatedBuiltinCode = CUSTOM
        code.customCode = b"edgetpu-custom-op"
        operator.builtinOptionsType, operator.builtinOptions, operator.inputs = 0, None, [0]
        tiny_parts.subgraphs[0].operators = [operator]
        operator.outputs = [4]
        held = flexbuffers.Dumps({"1": 0, "4": content}) if options is None else options
        operator.customOptions = list(held)
        data: bytes = pack_model(tiny_parts)
        return data

    return make


def of(data: bytes) -> Package:
    (found,) = analyse(data).packages
    return found


def test_real_files_hold_what_their_logs_say(shared: Path) -> None:
    path = shared / "edgetpu" / "placement_truth.json.gz"
    if not path.is_file():
        pytest.skip(f"what the compiler did is not here: {path}")
    with_files = [record for record in json.loads(gzip.decompress(path.read_bytes())) if record.get("compiled_file")]
    assert len(with_files) == 4
    for record in with_files:
        placed = analyse(shared / "edgetpu" / record["compiled_file"])
        (found,) = placed.packages
        assert found.min_runtime_version == record["min_runtime_version"]
        assert (found.cached_bytes, found.streamed_bytes) == (
            record["params_cached_bytes"], record["params_streamed_bytes"],
        )
        assert max(one.narrow_memory_bytes for one in found.executables) == record["narrow_memory_per_tile_bytes"]
        assert (placed.on_target, placed.on_cpu) == (1, record["n_cpu"])


def test_every_compiled_file_at_hand_can_be_read(shared: Path) -> None:
    paths = [path for path in shared.rglob("*_edgetpu.tflite") if read_model(path).is_edgetpu]
    assert len(paths) >= 4
    for path in paths:
        assert analyse(path).packages


def test_streamed_parameters_and_the_compilers_version(schema: Schema, compiled: Any) -> None:
    alone = {"parameters": bytes(100), "used_narrow_memory_bytes_per_tile": 192, "type": 0}
    found = of(compiled(package(schema, alone, min_runtime_version=14, compiler_version="cl/343520747")))
    assert (found.min_runtime_version, found.compiler_version, found.chips) == (14, "cl/343520747", 1)
    assert (found.cached_bytes, found.streamed_bytes) == (0, 100)
    (program,) = found.executables
    assert (program.type, program.narrow_memory_bytes, program.caching_token) == ("STAND_ALONE", 192, "0" * 16)


def test_a_version_that_was_left_out(schema: Schema, compiled: Any) -> None:
    assert of(compiled(package(schema, {}, compiler_version="cl/"))).compiler_version == ""


def test_a_package_for_several_chips(schema: Schema, compiled: Any) -> None:
    caching, running = {"parameters": bytes(64), "type": 1, "parameter_caching_token": 2**64 - 1}, {"type": 2}
    chips = [{"serialized_package": package(schema, caching, running)} for _ in range(2)]
    content = encode(schema, "Package", {"virtual_chip_id": -1, "multi_chip_package": chips}, IDENTIFIER)
    found = of(compiled(content))
    assert (found.chips, found.cached_bytes, len(found.executables)) == (2, 128, 4)
    assert found.executables[0].caching_token == "f" * 16


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (b"", "its options are no map"),
        (b"\xff" * 40, "its options are no map"),
        (flexbuffers.Dumps({"1": 0}), "its options are no map"),
        (flexbuffers.Dumps([1, 2]), "its options are no map"),
        (flexbuffers.Dumps({"4": b"DWN1"}), "lie outside"),
        (flexbuffers.Dumps({"4": bytes(64)}), "the identifier is"),
    ],
)
def test_what_is_no_package(options: bytes, why: str, compiled: Any) -> None:
    with pytest.raises(ModelFileError, match=f"package of operation 0 cannot be read: .*{why}"):
        analyse(compiled(None, options))


def test_a_package_without_programs_or_with_unknown_ones(schema: Schema, compiled: Any) -> None:
    empty = encode(schema, "Package", {"min_runtime_version": 14}, IDENTIFIER)
    with pytest.raises(ModelFileError, match="it has no serialized_multi_executable"):
        analyse(compiled(empty))
    with pytest.raises(ModelFileError, match="an executable of the unknown type 7"):
        analyse(compiled(package(schema, {"type": 7})))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 2**16), value=st.integers(0, 255), cut=st.integers(0, 400))
@example(at=0, value=0, cut=0)
def test_damage_is_refused_with_an_error_of_ours(
    at: int, value: int, cut: int, schema: Schema, compiled: Any
) -> None:
    alone = {"parameters": bytes(40), "type": 1}
    options = bytearray(flexbuffers.Dumps({"1": 0, "4": package(schema, alone, {"type": 2}, min_runtime_version=13)}))
    options[at % len(options)] = value
    try:
        analyse(compiled(None, bytes(options[: max(len(options) - cut, 3)])))
    except ModelFileError as error:
        assert "cannot be read" in str(error)
