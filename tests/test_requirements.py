"""What pip is asked for on each kind of machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def asked_for(machine: str) -> dict[str, str]:
    text = (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    project: dict[str, Any] = tomllib.loads(text)["project"]
    found = map(Requirement, project["dependencies"])
    about = {"platform_machine": machine}
    return {one.name: str(one.specifier) for one in found if one.marker is None or one.marker.evaluate(about)}


@pytest.mark.parametrize("machine", ["armv7l", "armv8l"])
def test_32_bit_arm_gets_tflite_runtime_with_numpy_1(machine: str) -> None:
    wanted = asked_for(machine)
    assert wanted["tflite-runtime"] == "==2.14.0"
    assert "<2" in wanted["numpy"]
    assert "ai-edge-litert" not in wanted


@pytest.mark.parametrize("machine", ["aarch64", "x86_64"])
def test_64_bit_machines_get_litert(machine: str) -> None:
    wanted = asked_for(machine)
    assert "ai-edge-litert" in wanted
    assert "<2" not in wanted["numpy"]
    assert "tflite-runtime" not in wanted
