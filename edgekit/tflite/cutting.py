"""Leaves Coral's decoder of poses out of a model, since no runtime that can be installed has it.

The PoseNet models of google-coral/project-posenet end in the custom operation PosenetDecoderOp, which turns heat maps
and offsets into poses. Without it the heat maps and offsets are the outputs, and the head `posenet` reads them. Nothing
moves in the file: the graph's outputs become two of the operation's inputs, and its operators one less.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from struct import pack_into, unpack_from

from edgekit.tflite.flatbuffer import Decoder
from edgekit.tflite.model_file import ModelFile
from edgekit.tflite.reader import IDENTIFIER, parse_model
from edgekit.tflite.schema import model_schema

POSE_DECODER = "PosenetDecoderOp"
KEPT = 2
"""Of the decoder's inputs: heat maps and short offsets; the others are for several bodies."""


def cut_pose_decoder(file: ModelFile) -> tuple[ModelFile, bytes | None]:
    """The model without a decoder of poses at its end, and the bytes of it; None where it has none.

    A model that is compiled for the Edge TPU is left as it is: libedgetpu's runtime may have the operation.
    """
    graph = file.main
    last = graph.operators[-1] if graph.operators else None
    fits = last is not None and last.label == POSE_DECODER and len(last.inputs) >= KEPT
    if last is None or not fits or file.is_edgetpu or len(graph.outputs) < KEPT or file.signatures or not file.path:
        return file, None
    data = bytearray(Path(file.path).read_bytes())
    decoder = Decoder(bytes(data), model_schema())
    main = decoder.root("Model", IDENTIFIER).records("subgraphs")[0]
    outputs = _vector(decoder, data, main.position, "outputs")
    pack_into(f"<I{KEPT}i", data, outputs, KEPT, *last.inputs[:KEPT])
    pack_into("<I", data, _vector(decoder, data, main.position, "operators"), len(graph.operators) - 1)
    content = bytes(data)
    return replace(parse_model(content), path=file.path), content


def as_file(file: ModelFile, content: bytes | None) -> tuple[ModelFile, tempfile.TemporaryDirectory[str] | None]:
    """The model as a file that a runtime can open: itself, or a copy with that content.

    Returns:
        The file, and the folder of the copy, which goes when nobody holds it any more.
    """
    if content is None:
        return file, None
    folder = tempfile.TemporaryDirectory(prefix="edgekit-")
    copy = Path(folder.name) / Path(file.path).name
    copy.write_bytes(content)
    return replace(file, path=str(copy)), folder


def _vector(decoder: Decoder, data: bytearray, table: int, field: str) -> int:
    """Where a vector of the graph's table begins, with its number of elements."""
    number = [known.name for known in model_schema().tables["SubGraph"]].index(field)
    at = table + decoder.slots(table)[number]
    return at + int(unpack_from("<I", data, at)[0])
