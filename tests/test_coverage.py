"""The corpus of `benchmarks/coverage`: nothing of Keras is left out, a few cases are measured, the page is theirs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.coverage import outcome, table
from benchmarks.coverage.outcome import Kept, Outcome

QUICK = {
    "layers": {"UpSampling2D, nearest": 25.0, "LSTM": 20.0, "MixUp": 20.0},
    "families": {
        "tabular classifier, 20 features": 25.0, "transformer encoder of signals": 18.0,
        "two inputs and two outputs": 25.0, "CNN on digits": 25.0,
    },
}
"""Cases, and the least signal to noise that each has to reach, in decibels."""


@pytest.fixture(scope="module")
def groups() -> dict[str, dict[str, Any]]:
    pytest.importorskip("keras", reason="needs the convert extra: pip install 'edgekit-sdk[convert]'")
    from benchmarks.coverage.corpus import cases_of

    return {group: {case.name: case for case in cases_of(group)} for group in outcome.GROUPS}


@pytest.mark.convert
@pytest.mark.usefixtures("in_process")
def test_every_layer_of_keras_is_covered_or_left_out_for_a_reason(groups: dict[str, dict[str, Any]]) -> None:
    from benchmarks.coverage import layers

    assert not layers.missing(), "new in Keras: add a case to benchmarks/coverage, or a reason to EXCLUDED"
    assert set(layers.EXCLUDED) <= set(layers.public_classes())
    assert {case.covers for case in groups["layers"].values()}.isdisjoint(layers.EXCLUDED)


@pytest.mark.convert
@pytest.mark.usefixtures("in_process")
def test_every_architecture_of_keras_is_covered(groups: dict[str, dict[str, Any]]) -> None:
    import keras

    models = {name for name in dir(keras.applications) if name[0].isupper()}
    assert set(groups["applications"]) == models


@pytest.mark.convert
@pytest.mark.usefixtures("in_process")
def test_names_are_unique(groups: dict[str, dict[str, Any]]) -> None:
    from benchmarks.coverage.corpus import cases_of

    assert {group: len(cases) for group, cases in groups.items()} == {
        group: len(cases_of(group)) for group in outcome.GROUPS
    }


@pytest.mark.convert
@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize(("group", "name"), [(group, name) for group, names in QUICK.items() for name in names])
def test_quick_cases_convert_to_full_int8(groups: dict[str, dict[str, Any]], group: str, name: str) -> None:
    from benchmarks.coverage.measuring import measure

    found = measure(groups[group][name], "")
    assert found.full_int8, found
    assert found.litert == "yes"
    assert found.sqnr_db is not None
    assert found.sqnr_db > QUICK[group][name]
    assert found.size > 0
    assert found.operations > 0


@pytest.mark.convert
@pytest.mark.usefixtures("in_process")
def test_a_case_that_fails_keeps_the_users_message(groups: dict[str, dict[str, Any]]) -> None:
    from benchmarks.coverage.measuring import measure

    found = measure(groups["layers"]["StringLookup"], "")
    assert "'tokens'" in found.error
    assert not found.full_int8
    assert not found.crashed


def test_the_page_is_what_the_kept_results_say() -> None:
    assert table.PAGE.read_text(encoding="utf-8") == table.page({g: outcome.load(g) for g in outcome.GROUPS})


def test_page_counts_and_explains() -> None:
    good = Outcome(
        "Dense", size=1234, operations=3, sqnr_db=30.04, largest_error=0.0123, seconds=5.0, peak_memory=900_000_000,
        litert="yes", old_runtime="yes", old_steps=1, rewrites={"lstm": "It was fused."},
    )
    island = Outcome("ELU", size=10, operations=1, float_tensors=("a", "b", "c", "d"), litert="yes", old_runtime="op 5")
    wrong = Outcome("GRU", size=10, operations=1, litert="yes", old_runtime="yes", old_steps=9, old_sqnr_db=7.25)
    failed = Outcome("Odd", error="layer 'odd' | cannot\nLeave it out.")
    page = table.page({"layers": Kept({"keras": "3"}, (good, island, wrong, failed))})
    assert "| Layers | 4 | 3 | 2 | 3 | 2 |" in page
    assert "| Dense | yes | 1,234 | 3 | 30.0 | 1.23% | 5.0 | 900 | yes | ±1 | lstm |" in page
    assert "- `lstm`: It was fused." in page
    assert "| yes | 7.2 dB |" in page
    assert "| ELU | **4 float** |" in page
    assert "- **ELU**: `a`, `b`, `c`, and 1 more" in page
    assert "- **ELU**, tflite-runtime 2.14: op 5" in page
    assert "- **Odd**: layer 'odd' \\| cannot Leave it out." in page


def test_results_survive_the_file_and_later_ones_replace_earlier(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcome, "KEPT", tmp_path / "results")
    first = Outcome("b", size=1, rewrites={"lstm": "It was fused."}), Outcome("gone"), Outcome("a", error="no")
    kept = outcome.merged(first, [Outcome("a", size=2)], ["a", "b", "new"])
    outcome.save("layers", Kept({"keras": "3"}, kept))
    loaded = outcome.load("layers")
    assert loaded == Kept({"keras": "3"}, (Outcome("a", size=2), first[0]))


def test_a_runtime_that_dies_or_complains_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.coverage import measuring

    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.tflite").write_bytes(b"none")
    crash = tmp_path / "crash.py"
    crash.write_text("import os; os.abort()")
    assert "Error" not in str(measuring._run(sys.executable, "ai_edge_litert", [], {}))
    monkeypatch.setattr(measuring, "EXECUTION", crash)
    assert measuring._run(sys.executable, "ai_edge_litert", [], {}) == "crashes (signal 6)"
