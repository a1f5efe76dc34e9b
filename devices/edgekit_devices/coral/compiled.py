"""What is inside a file that the Edge TPU's compiler made.

All that went to the Edge TPU is one custom operation. Its options are a FlexBuffer map, which holds under "4" a
FlatBuffer, the DarwiNN package: what libedgetpu loads.
"""

from __future__ import annotations

import struct
from pathlib import Path

from edgekit.errors import ModelFileError
from edgekit.placement import Executable, Package
from edgekit.tflite import ModelFile
from edgekit.tflite.flatbuffer import DamagedError, Data, Decoder, Record
from edgekit.tflite.opcodes import EDGETPU_CUSTOM_OP
from edgekit.tflite.schema import load_schema

IDENTIFIER = b"DWN1"
PACKAGE_KEY = "4"
TYPES = ("STAND_ALONE", "PARAMETER_CACHING", "EXECUTION_ONLY")
_MOST_CHIPS = 64


def read_packages(file: ModelFile, data: Data) -> tuple[Package, ...]:
    """The packages of a compiled model, in execution order; none where it is not compiled.

    Args:
        file: As `edgekit.tflite` read it from `data`.
        data: The whole file.

    Raises:
        ModelFileError: a package is damaged.
    """
    return tuple(
        _package_of(file, data, operator.index, *operator.custom_options)
        for operator in file.main.operators if operator.custom_code == EDGETPU_CUSTOM_OP
    )


def _package_of(file: ModelFile, data: Data, index: int, start: int, length: int) -> Package:
    try:
        return _package(index, _in_options(data[start : start + length]))
    except DamagedError as error:
        raise ModelFileError(
            f"{file.label}: the Edge TPU's package of operation {index} cannot be read: {error}",
            hint="Compile the model again, or copy the file again and compare the sizes.",
        ) from error


def _in_options(options: bytes) -> bytes:
    """The package among the custom operation's options."""
    from flatbuffers import flexbuffers  # 10 ms, for compiled files only

    try:
        value = flexbuffers.GetRoot(options).AsMap[PACKAGE_KEY]
        content = value.AsBlob if value.IsBlob else value.AsStringBytes
    # What its reader meets in bytes that are no FlexBuffer: widths, offsets and types that cannot be.
    except (struct.error, IndexError, KeyError, ValueError, TypeError, AssertionError) as error:
        raise DamagedError("its options are no map that holds one") from error
    return bytes(content)


def _package(index: int, content: bytes) -> Package:
    decoder = _decoder(content)
    root = decoder.root("Package", IDENTIFIER)
    chips = [_nested(decoder, chip, "serialized_package") for chip in root.records("multi_chip_package")[:_MOST_CHIPS]]
    if chips:
        of_chips = [_package(index, chip) for chip in chips]
        executables = tuple(one for package in of_chips for one in package.executables)
    else:
        executables = _executables(_nested(decoder, root, "serialized_multi_executable"))
    return Package(
        operation=index,
        min_runtime_version=root.number("min_runtime_version"),
        compiler_version=_version(root.text("compiler_version")),
        executables=executables,
        chips=len(chips) or 1,
    )


def _version(text: str) -> str:
    """The compiler's version; the number is left out of most published files, and then `cl/` says nothing."""
    return text if any(map(str.isdigit, text)) else ""


def _executables(content: bytes) -> tuple[Executable, ...]:
    decoder = _decoder(content)
    offsets = decoder.root("MultiExecutable", None).vector("serialized_executables")
    if offsets is None:
        raise DamagedError("it holds no executable")
    places = (offsets.start + 4 * place + int(offset) for place, offset in enumerate(decoder.numbers(offsets)))
    return tuple(_executable(decoder.content(place)) for place in places)


def _executable(content: bytes) -> Executable:
    root = _decoder(content).root("Executable", None)
    type_ = root.number("type")
    if not 0 <= type_ < len(TYPES):
        raise DamagedError(f"it has an executable of the unknown type {type_}")
    parameters = root.vector("parameters")
    return Executable(
        type=TYPES[type_],
        parameter_bytes=parameters.nbytes if parameters else 0,
        narrow_memory_bytes=root.number("used_narrow_memory_bytes_per_tile"),
        caching_token=f"{root.number('parameter_caching_token'):016x}",
    )


def _nested(decoder: Decoder, record: Record, name: str) -> bytes:
    """A FlatBuffer that lies as bytes within another one."""
    vector = record.vector(name)
    if vector is None:
        raise DamagedError(f"it has no {name}")
    return decoder.content(vector.start - 4)


def _decoder(content: bytes) -> Decoder:
    return Decoder(content, load_schema(Path(__file__).with_name("darwinn.fbs")))
