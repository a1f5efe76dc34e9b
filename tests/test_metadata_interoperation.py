"""Other tools read what EdgeKit writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from edgekit.metadata import Metadata, write

Pack = Callable[[Any], bytes]
quick = settings(max_examples=150, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture])

DIGITS = tuple(f"digit {number}" for number in range(10))


@pytest.fixture
def tflite_support() -> Path:
    folder = os.environ.get("EDGEKIT_TFLITE_SUPPORT", "")
    if not folder or not Path(folder, "tensorflow_lite_support").is_dir():
        pytest.skip("EDGEKIT_TFLITE_SUPPORT names no folder with tflite-support unpacked in it")
    return Path(folder)


def support(folder: Path, program: str, *arguments: str) -> str:
    """Run a program with tflite-support, which cannot live beside TensorFlow."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True, text=True, check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


SCHEMA_READER = """
import json, sys
from ai_edge_litert import schema_py_generated as model_schema
from tensorflow_lite_support.metadata import metadata_schema_py_generated as schema
data = open(sys.argv[1], "rb").read()
model = model_schema.Model.GetRootAs(data)
entries = [model.Metadata(index) for index in range(model.MetadataLength())]
(entry,) = [entry for entry in entries if entry.Name() == b"TFLITE_METADATA"]
content = model.Buffers(entry.Buffer()).DataAsNumpy().tobytes()
assert schema.ModelMetadata.ModelMetadataBufferHasIdentifier(content, 0)
metadata = schema.ModelMetadataT.InitFromObj(schema.ModelMetadata.GetRootAs(content, 0))
graph = metadata.subgraphMetadata[0]
image, scores = graph.inputTensorMetadata[0], graph.outputTensorMetadata[0]
unit = image.processUnits[0]
print(json.dumps({
    "texts": [t.decode() for t in (metadata.name, metadata.description, metadata.version, metadata.author,
                                   metadata.license, image.name, image.description, scores.name)],
    "content": [image.content.contentPropertiesType, image.content.contentProperties.colorSpace],
    "unit": [unit.optionsType, round(float(unit.options.mean[0]), 3), float(unit.options.std[0])],
    "stats": [[float(v) for v in values] for values in (image.stats.min, image.stats.max)],
    "labels": [[f.name.decode(), f.type] for f in scores.associatedFiles],
    "files": [f.name.decode() for f in metadata.associatedFiles],
}))
"""


def test_the_schema_s_own_reader(said: Metadata, tflite_support: Path, tiny_bytes: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(write(tiny_bytes, said))
    assert json.loads(support(tflite_support, SCHEMA_READER, str(path))) == {
        "texts": ["Digits", "Which digit it is.", "1.2", "A. Maker", "Apache-2.0", "image", "A digit", "scores"],
        "content": [2, 2],
        "unit": [1, 123.675, 255.0],
        "stats": [[0.0], [1.0]],
        "labels": [["labels.txt", 2]],
        "files": ["edgekit.json"],
    }


# Its native modules make JSON and versions only; the package cannot be imported without them.
DISPLAYER = """
import sys, types
package = "tensorflow_lite_support.metadata."
for name in (package + "cc.python._pywrap_metadata_version", package + "flatbuffers_lib._pywrap_flatbuffers"):
    parent, _, leaf = name.rpartition(".")
    sys.modules[name] = types.ModuleType(name)
    setattr(__import__(parent, fromlist=[leaf]), leaf, sys.modules[name])
from tensorflow_lite_support.metadata.python import metadata
displayer = metadata.MetadataDisplayer.with_model_file(sys.argv[1])
assert sorted(displayer.get_packed_associated_file_list()) == ["edgekit.json", "labels.txt"]
print(displayer.get_associated_file_buffer("labels.txt").decode(), end="")
"""


def test_tflite_support_finds_the_files(
    said: Metadata, tflite_support: Path, tiny_bytes: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(write(tiny_bytes, said))
    assert support(tflite_support, DISPLAYER, str(path)).splitlines() == list(DIGITS)


NATIVE = """
import json, sys
try:
    from tensorflow_lite_support.metadata.python import metadata
    from tensorflow_lite_support.metadata.cc.python import _pywrap_metadata_version as version
except ImportError as error:
    print(json.dumps(str(error)))
    sys.exit()
displayer = metadata.MetadataDisplayer.with_model_file(sys.argv[1])
needed = version.GetMinimumMetadataParserVersion(displayer.get_metadata_buffer())
print(json.dumps([json.loads(displayer.get_metadata_json()), needed]))
"""


@pytest.mark.parametrize("content", ["image", "features", "audio", "unknown"])
def test_tflite_support_understands_it(
    said: Metadata, tflite_support: Path, tiny_bytes: bytes, tmp_path: Path, content: Any
) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(write(tiny_bytes, replace(said, inputs=(replace(said.inputs[0], content=content),))))
    answer = json.loads(support(tflite_support, NATIVE, str(path)))
    if isinstance(answer, str):
        pytest.skip(f"tflite-support's native part cannot be loaded here: {answer}")
    shown, needed = answer
    assert shown["name"] == "Digits"
    graph = shown["subgraph_metadata"][0]
    assert graph["input_tensor_metadata"][0]["process_units"][0]["options_type"] == "NormalizationOptions"
    assert graph["output_tensor_metadata"][0]["associated_files"][0]["type"] == "TENSOR_AXIS_LABELS"
    assert shown["min_parser_version"] == needed
