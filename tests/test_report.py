"""The report: an HTML page, the same as JSON, and a model card."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.errors import DataError, MissingFileError, ModelFileError, OutputError, UsageError
from edgekit.metadata import Metadata
from edgekit_converters.accuracy.gate import Verdict
from edgekit_converters.accuracy.recovery import Recovery, Step
from edgekit_converters.accuracy.sensitivity.results import OperationCost, Sensitivity
from edgekit_converters.evaluating.results import Evaluation, Figure, Grouping, Metric, Part
from edgekit_converters.outcome import Agreement, Conversion, TensorSummary
from edgekit_converters.reporting import (
    CARD,
    DATA,
    PAGE,
    ReportFacts,
    measure_latency,
    output_errors,
    read_card,
    write_report,
)
from edgekit_converters.reporting.charts.bars import Bar, BarRow, bar_chart
from edgekit_converters.reporting.charts.scale import axis
from edgekit_converters.reporting.model_card import HEADINGS
from edgekit_converters.reporting.page.markup import prose

EVIL = "<script>alert('x')</script>&\"`|"
WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)


def metric(name: str, value: float, before: float, unit: Any = "share") -> Metric:
    change = Figure(value - before, value - before - 0.01, value - before + 0.01)
    return Metric(name, unit, True, Figure(value, value - 0.02, value + 0.02), Figure(before), change, 0.03)


@pytest.fixture
def evaluation() -> Evaluation:
    classes = tuple(
        Part(f"{name}{EVIL}" if name == "cat" else name, at, 50, (metric("recall", 0.9 - at / 20, 0.92),))
        for at, name in enumerate(("cat", "dog", "owl"))
    )
    said = "loses 15 points more than the other samples"
    night = Part("night", None, 40, (metric("accuracy", 0.7, 0.85),), True, said)
    day = Part("day", None, 110, (metric("accuracy", 0.9, 0.9),))
    return Evaluation(
        model="digits.tflite", against=f"float{EVIL}", data="test.npz", task="classification", samples=150,
        metrics=(
            metric("accuracy", 0.86, 0.9), metric("top_5", 0.99, 0.99), metric("agreement", 0.9, 1.0),
            metric("sqnr", 21.5, 0.0, "dB"),
        ), classes=classes,
        labels=(f"cat{EVIL}", "dog", "owl"), confusion=((45, 3, 2), (5, 42, 3), (0, 9, 41)),
        groupings=(Grouping("light", (night, day)),), warnings=("few samples by night",), device="cpu",
    )


@pytest.fixture
def model(tiny_classifier: Path, said: Metadata, describe: Callable[[Path, Metadata], None]) -> Path:
    describe(tiny_classifier, replace(said, name=f"Digits{EVIL}", provenance={
        "source": {"name": "digits.keras", "sha256": "ab" * 32}, "versions": {"keras": "3.15.1"}, "precision": "int8",
        "calibration": {"source": "photos/", "samples": 100, "ranges": {"image": [0.0, 1.0]}},
    }))
    return tiny_classifier


@pytest.fixture
def facts(model: Path, evaluation: Evaluation) -> ReportFacts:
    """Something in every section."""
    generator = np.random.default_rng(0)
    expected = generator.random((30, 10))
    recovery = Recovery((
        Step("as converted", "minmax", Verdict("accuracy", 0.84, 0.9, 6.0, 0.5, "points"), 2000, True),
        Step("mse", f"ranges by mse {EVIL}", Verdict("accuracy", 0.86, 0.9, 4.0, 0.5, "points"), 2000, True),
        Step("entropy", "ranges by entropy", Verdict("accuracy", 0.8, 0.9, 10.0, 0.5, "points"), 2000, False),
    ))
    conversion = Conversion(
        path=model, size=2000, source_size=9000, precision="int8", target="cpu", runtime="litert",
        task="classification", inputs=(TensorSummary("x", "int8", (1, 8, 8, 1)),), outputs=(), operations={},
        labels=10, calibration={"calibrator": "mse"}, agreement=Agreement(50, 31.5, 0.98),
        rewrites={"gelu": "GELU by its tanh form"}, placement=None, moved=("argmax of y",), twin=None, onnx=None,
        warnings=("outliers in the data",), peak_memory=1, seconds=1.0,
        evaluation=evaluation, recovery=recovery,
    )
    costs = tuple(
        OperationCost(at, "CONV_2D", f"t{at}", f"conv_{at}", "Conv2D", 30.0 + at, 28.0, 35.0) for at in range(3)
    )
    return ReportFacts(
        model=model, command=f"edgekit convert {EVIL}", conversion=conversion,
        calibration={
            "trials": [{"calibrator": "minmax", "corrected": False, "inner_db": 21.0, "outer_db": 30.0},
                       {"calibrator": "mse", "corrected": True, "inner_db": 23.5, "outer_db": None}],
            "error_by_count": [[1, 12.0], [10, 20.0], [50, 23.0]], "enough_samples": 10,
            "clipped": {"conv_1": 0.002},
        },
        sensitivity=Sensitivity(50, 27.0, (*costs, replace(costs[0], alone_db=math.inf, inside_db=None)), 0.5),
        errors=output_errors({"y": expected + generator.normal(0, 0.01, expected.shape)}, {"y": expected}),
        latency=measure_latency(model),
        card=f"For digits. {EVIL}\n\n- by day\n\n## Training data\n\nUCI digits\n\n## Limits\n\nNo letters.",
        created=WHEN,
    )


def written(folder: Path, facts: ReportFacts) -> Any:
    write_report(folder, facts)
    return json.loads((folder / DATA).read_text(encoding="utf-8"))


class Page(HTMLParser):
    """Collects tags, attributes and text, as a browser would read them."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.text = ""
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href")]

    def handle_data(self, data: str) -> None:
        self.text += data


def page(folder: Path) -> Page:
    return Page((folder / PAGE).read_text(encoding="utf-8"))


def test_the_json_is_what_its_schema_says(tmp_path: Path, facts: ReportFacts) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    document = written(tmp_path / "report", facts)
    schema = json.loads((tmp_path / "report" / "report.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document, schema)
    jsonschema.validate(written(tmp_path / "bare", ReportFacts(model=facts.model)), schema)
    document["accuracy"]["metrics"][0]["unit"] = "percent"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema)


def test_the_json_has_hashes_figures_and_estimates(tmp_path: Path, facts: ReportFacts) -> None:
    found = written(tmp_path / "report", facts)
    assert re.fullmatch(r"[0-9a-f]{64}", found["model"]["sha256"])
    assert found["timestamp"] == "2026-01-02T03:04:05+00:00"
    assert found["provenance"]["source"] == {"name": "digits.keras", "sha256": "ab" * 32}
    assert found["accuracy"]["flagged"] == [{"name": "night", "note": "loses 15 points more than the other samples"}]
    assert found["cost"]["macs"] == 640
    assert found["cost"]["measured_latency_ms"]["runs"] == 50
    estimates = found["cost"]["estimated_latency_ms"]
    assert estimates and all(one["mode"] == "estimate" and one["source"] for one in estimates)
    assert (found["gate"]["holds"], found["gate"]["drop"], found["recovery"]["best"]) == (False, 4.0, 1)
    assert found["sensitivity"]["operations"][-1]["alone_db"] is None  # infinite, which JSON has not
    assert found["warnings"] == ["outliers in the data", "few samples by night"]


def test_a_section_without_facts_says_why(tmp_path: Path, facts: ReportFacts) -> None:
    found = written(tmp_path / "bare", ReportFacts(model=facts.model))
    absent = [key for key, section in found.items() if isinstance(section, dict) and section.get("available") is False]
    assert absent == ["accuracy", "agreement", "errors", "sensitivity", "rewrites", "gate", "recovery"]
    shown = page(tmp_path / "bare")
    for key in absent:
        assert found[key]["reason"] in shown.text
    assert shown.tags.count("svg") == 2  # placement on its target and multiply-accumulates, which the file tells


def test_the_page_needs_nothing_from_elsewhere_and_escapes_what_it_is_told(tmp_path: Path, facts: ReportFacts) -> None:
    write_report(tmp_path / "report", facts)
    shown = page(tmp_path / "report")
    assert not {"script", "link", "img", "iframe", "object"} & set(shown.tags)
    assert all(address.startswith("#") for address in shown.addresses)
    content = (tmp_path / "report" / PAGE).read_text(encoding="utf-8")
    assert not re.findall(r"url\(|@import", content)
    assert set(re.findall(r"https?://[^\s\"'<]+", content)) <= {"http://www.w3.org/2000/svg"}
    assert f"float{EVIL}" in shown.text and f"Digits{EVIL}" in shown.text


def test_what_has_to_be_seen_stands_first(tmp_path: Path, facts: ReportFacts) -> None:
    write_report(tmp_path / "report", facts)
    head = page(tmp_path / "report").text.partition("Intended use and limits")[0]
    for words in ("The gate is missed", "night loses 15 points more", "outliers in the data"):
        assert words in head


def test_operations_of_one_layer_can_be_told_apart(tmp_path: Path, facts: ReportFacts) -> None:
    costs = [OperationCost(at, kind, f"t{at}", "dense", "Dense", 30.0, 28.0, 35.0)
             for at, kind in enumerate(("FULLY_CONNECTED", "SOFTMAX"))]
    alone = OperationCost(2, "CONV_2D", "t2", "conv", "Conv2D", 30.0, 28.0, 35.0)
    write_report(tmp_path / "report", replace(facts, sensitivity=Sensitivity(50, 27.0, (*costs, alone), 0.5)))
    text = page(tmp_path / "report").text
    assert all(name in text for name in ("dense (FULLY_CONNECTED)", "dense (SOFTMAX)", "conv (Conv2D)"))


def test_the_model_card_has_the_sections_of_the_paper(tmp_path: Path, facts: ReportFacts) -> None:
    write_report(tmp_path / "report", facts)
    card = (tmp_path / "report" / CARD).read_text(encoding="utf-8")
    parts = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", card, re.MULTILINE | re.DOTALL))
    assert set(HEADINGS) <= set(parts)
    assert "For digits." in parts["Intended Use"]
    assert "UCI digits" in parts["Training Data"]
    assert "No letters." in parts["Caveats and Recommendations"]  # under the user's heading Limits
    assert "| accuracy | 86.00 % (84.00 to 88.00) | 90.00 % | -4.00 points (-5.00 to -3.00) |" in card
    assert "**night** loses 15 points more than the other samples" in parts["Quantitative Analyses"]
    assert "Not said" in parts["Ethical Considerations"]
    assert "| top-5 accuracy |" in card
    assert "| same class | 90.00 % (88.00 to 92.00) |  |  |" in card  # the float model agrees with itself


def test_an_earlier_report_is_replaced_and_anything_else_left_alone(tmp_path: Path, facts: ReportFacts) -> None:
    folder = tmp_path / "report"
    write_report(folder, replace(facts, command="first"))
    write_report(folder, replace(facts, command="second"))
    assert json.loads((folder / DATA).read_text(encoding="utf-8"))["provenance"]["command"] == "second"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report", "tiny.tflite"]  # nothing left over
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"holds notes\.txt"):
        write_report(folder, facts)
    assert (folder / "notes.txt").read_text() == "mine"
    with pytest.raises(UsageError, match="is no folder"):
        write_report(facts.model, facts)
    with pytest.raises(OutputError, match="no folder to write in"):
        write_report(tmp_path / "none" / "report", facts)


def test_nothing_is_written_for_a_model_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        write_report(tmp_path / "report", ReportFacts(model=tmp_path / "none.tflite"))
    (tmp_path / "text.tflite").write_text("no model")
    with pytest.raises(ModelFileError):
        write_report(tmp_path / "report", ReportFacts(model=tmp_path / "text.tflite"))
    assert not (tmp_path / "report").exists()


def test_the_user_s_text_is_read_or_refused(tmp_path: Path) -> None:
    (tmp_path / "use.md").write_text("For digits.", encoding="utf-8")
    assert read_card(tmp_path / "use.md") == "For digits."
    with pytest.raises(MissingFileError, match="no such file"):
        read_card(tmp_path / "none.md")
    (tmp_path / "bad.md").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(DataError, match="UTF-8"):
        read_card(tmp_path / "bad.md")


def test_errors_are_those_of_all_outputs_together() -> None:
    expected = {"a": np.zeros((4, 2)), "b": np.ones((4, 1))}
    found = output_errors({"a": np.zeros((4, 2)), "b": np.full((4, 1), 1.3)}, expected)
    assert (found.samples, found.numbers, sum(found.counts)) == (4, 12, 12)
    assert found.mean == pytest.approx(0.1)
    assert found.largest == pytest.approx(0.3)
    with pytest.raises(DataError, match="shapes"):
        output_errors({"a": np.zeros((4, 3)), "b": np.ones((4, 1))}, expected)
    with pytest.raises(DataError, match="not the same"):
        output_errors({"a": np.zeros((4, 2))}, expected)
    with pytest.raises(DataError, match="NaN"):
        output_errors({"a": np.full((4, 2), np.nan), "b": np.ones((4, 1))}, expected)


@given(st.text(max_size=80))
def test_whatever_the_user_writes_stays_text(content: str) -> None:
    assert set(Page(prose(f"x{content}")).tags) <= {"p", "ul", "li", "h3"}


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=12))
def test_all_bars_lie_within_their_chart(values: list[float]) -> None:
    drawn = bar_chart([BarRow("row", (Bar(value),)) for value in values], "bars")
    places = re.findall(r'<rect x="([-\d.]+)"[^>]*? width="([-\d.]+)"', drawn)
    assert len(places) == len(values)
    assert all(float(x) >= 0 and float(width) >= 1 and float(x) + float(width) <= 860 for x, width in places)


@given(st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=6), st.booleans())
def test_an_axis_holds_its_values_and_a_few_round_marks(values: list[float], zero: bool) -> None:
    found = axis(values, 10, 200, zero=zero)
    assert all(found.low <= value <= found.high for value in values)
    assert len(found.marks()) <= 8


# Sizes as the browser lays them out, written below the page.
MEASURE = """<script>
const figures = [...document.querySelectorAll("svg")].map(svg => {
  const marks = [...svg.querySelectorAll("rect, path, circle")].map(mark => mark.getBoundingClientRect());
  return {title: svg.querySelector("title").textContent, width: svg.getBoundingClientRect().width,
          marks: marks.filter(box => box.width > 0 && box.height > 0).length};
});
const measured = document.createElement("pre");
measured.textContent = JSON.stringify({figures, fetched: performance.getEntriesByType("resource").length,
  wide: document.documentElement.scrollWidth});
document.body.append(measured);
</script>"""


def test_a_real_browser_shows_every_plot(tmp_path: Path, facts: ReportFacts) -> None:
    cv2 = pytest.importorskip("cv2")
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    write_report(tmp_path / "report", facts)
    content = (tmp_path / "report" / PAGE).read_text(encoding="utf-8")
    # The page forbids all scripts: only that is lifted.
    opened = content.replace("default-src 'none';", "default-src 'none'; script-src 'unsafe-inline';")
    (tmp_path / "measured.html").write_text(opened.replace("</main>", f"</main>{MEASURE}"), encoding="utf-8")
    done = subprocess.run(
        [program, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1100,2000", "--dump-dom",
         f"--screenshot={tmp_path / 'shot.png'}", (tmp_path / "measured.html").as_uri()],
        capture_output=True, text=True, timeout=60, check=False,
    )
    assert done.returncode == 0, done.stderr
    measured = re.search(r"<pre>(.*?)</pre>", done.stdout, re.DOTALL)
    assert measured is not None
    found = json.loads(measured.group(1))
    assert found["fetched"] == 0
    assert {one["title"] for one in found["figures"]} >= {
        "Metrics", "Classes", "Changes by classes", "Groups by light", "Confusion", "Recovery", "Error of the outputs",
        "Error of the outputs by layer", "SQNR of each layer", "Error by number of samples", "Calibrators tried",
        "Clipped values", "Multiply-accumulates by type",
    }
    for figure in found["figures"]:
        assert figure["width"] > 200 and figure["marks"] > 0, figure
    assert found["wide"] <= 1100  # nothing sticks out
    pixels = cv2.imread(str(tmp_path / "shot.png")).reshape(-1, 3)
    # The colours of bars and notices, blue-green-red, of the light style.
    for colour in ((0xB2, 0x6F, 0x1F), (0x2B, 0x82, 0xD9), (0x28, 0x28, 0xC6)):
        assert (np.abs(pixels.astype(int) - colour).sum(axis=1) < 12).sum() > 200
