"""What `import edgekit` loads and gives."""

from __future__ import annotations

import subprocess
import sys

import pytest

import edgekit
from edgekit import MissingDependencyError, plugins

HEAVY = (
    "tensorflow", "keras", "cv2", "numpy", "ai_edge_litert",
    "tflite_runtime", "click", "flatbuffers", "sklearn",
    "edgekit_converters", "edgekit_devices", "importlib.resources.readers",
)
PUBLIC = {
    "Cascade", "Classification", "ConversionError", "DataError", "DeviceError", "EdgeKitError", "Explanation",
    "HungError", "Latency", "Metadata", "MissingDependencyError", "MissingFileError", "Model", "ModelFileError",
    "Normalization", "OutputError", "Pipeline", "Result", "ScoredClass",
    "UsageError", "Values", "__version__", "convert", "explain", "load", "run",
}


def loaded_by(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return set(done.stdout.split())


def test_importing_it_loads_nothing_heavy() -> None:
    """Not even numpy: so it takes no longer than numpy and the interpreter do."""
    found = loaded_by("import edgekit")
    assert found.isdisjoint(HEAVY)


def test_the_command_line_loads_no_tensorflow() -> None:
    code = "from edgekit.cli.run import run_command"
    assert loaded_by(code).isdisjoint({"tensorflow", "keras", "cv2", "ai_edge_litert", "edgekit_converters"})


def test_public_names() -> None:
    assert set(edgekit.__all__) == PUBLIC
    for name in PUBLIC - {"convert"}:
        assert hasattr(edgekit, name)


def test_convert_comes_from_the_workstation_s_package() -> None:
    from edgekit_converters import convert

    assert edgekit.convert is convert


def test_a_copy_without_its_metadata_has_no_converter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(vars(edgekit), "convert", raising=False)
    monkeypatch.setattr(plugins, "registered", lambda group: {})
    with pytest.raises(MissingDependencyError, match="no converter") as caught:
        _ = edgekit.convert
    assert "pip install" in caught.value.hint


def test_other_names_are_missing() -> None:
    name = "detect"
    with pytest.raises(AttributeError, match="no attribute 'detect'"):
        getattr(edgekit, name)
