"""The report as plain values: what `report.json` holds, and what the page and the model card are made from.

Each section is an object with `available`; where it is false, `reason` says why.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from edgekit import metadata, plugins
from edgekit._version import __version__
from edgekit.costs import costs_of
from edgekit.errors import DeviceError, MissingDependencyError
from edgekit.metadata import Metadata
from edgekit.placement import Placement, operation_facts
from edgekit.tflite import ModelFile, Tensor, read_model
from edgekit_converters.reporting.facts import ReportFacts
from edgekit_converters.reporting.latency import estimates
from edgekit_converters.reporting.provenance import provenance_of, sha256_of

SCHEMA_VERSION = "1.0.0"
ESTIMATE_ERROR = (
    "scaled by multiply-accumulates alone, which was within a factor of 3 for published MobileNet v1, ResNet-18 and "
    "ResNet-50 figures; small networks take longer than that for what surrounds the arithmetic"
)

Section = dict[str, Any]


def document_of(facts: ReportFacts) -> dict[str, Any]:
    """The report as an object that JSON can hold.

    Raises:
        MissingFileError: the model is not there.
        ModelFileError: it is no `.tflite` file, or is damaged.
    """
    file = read_model(facts.model)
    about = metadata.read(file)
    digest = sha256_of(facts.model)
    precision = _precision(facts, about)
    document = {
        "schema_version": SCHEMA_VERSION,
        "run_id": f"{facts.created:%Y%m%dT%H%M%SZ}-{digest[:12]}",
        "timestamp": facts.created.isoformat(timespec="seconds"),
        "tool": {"name": "edgekit", "version": __version__},
        "model": _model(facts, file, about, digest, precision),
        "provenance": provenance_of(file, facts.command),
        "accuracy": _accuracy(facts),
        "agreement": _agreement(facts),
        "errors": _of(facts.errors, "the outputs of the float model were not compared with this one's"),
        "sensitivity": _of(facts.sensitivity, "the sensitivity of the operations was not measured"),
        "calibration": _calibration(facts, about),
        "placement": _placement(facts, about.target),
        "cost": _cost(facts, file, precision),
        "rewrites": _rewrites(facts),
        "gate": _gate(facts),
        "recovery": _recovery(facts),
        "warnings": _warnings(facts),
        "card": {"text": facts.card},
    }
    finite: dict[str, Any] = _plain(document)
    return finite


def _absent(reason: str) -> Section:
    return {"available": False, "reason": reason}


def _of(found: Any, reason: str) -> Section:
    return {"available": True, **found.to_dict()} if found is not None else _absent(reason)


def _precision(facts: ReportFacts, about: Metadata) -> str | None:
    said = facts.conversion.precision if facts.conversion else about.provenance.get("precision")
    return said if isinstance(said, str) else None


def _model(facts: ReportFacts, file: ModelFile, about: Metadata, digest: str, precision: str | None) -> Section:
    made = facts.conversion
    counted = Counter(operator.label for operator in file.main.operators)
    return {
        "name": facts.model.name, "title": about.name or facts.model.stem, "description": about.description or None,
        "format": "tflite", "sha256": digest, "size_bytes": file.size,
        "source_size_bytes": (made.source_size if made else 0) or None,
        "task": about.task, "precision": precision, "target": about.target, "license": about.license or None,
        "author": about.author or None, "version": about.version or None,
        "inputs": [_tensor(name, tensor) for name, tensor in zip(file.input_names, file.inputs, strict=True)],
        "outputs": [_tensor(name, tensor) for name, tensor in zip(file.output_names, file.outputs, strict=True)],
        "labels": [label for output in about.outputs for label in output.labels],
        "operations": dict(counted.most_common()),
        "float_tensors": len(file.float_tensors),
    }


def _tensor(name: str, tensor: Tensor) -> Section:
    return {"name": name, "dtype": tensor.dtype, "shape": list(tensor.shape)}


def _accuracy(facts: ReportFacts) -> Section:
    found = facts.measured
    if found is None:
        return _absent("the model was not evaluated on data: edgekit evaluate MODEL --data DATA --against FLOAT_MODEL")
    flagged = [{"name": part.name, "note": part.note} for part in found.flagged]
    return {"available": True, **found.to_dict(), "flagged": flagged}


def _agreement(facts: ReportFacts) -> Section:
    agreement = facts.conversion.agreement if facts.conversion else None
    if agreement is None:
        return _absent("no calibration data was there to compare the model with the float model on")
    return {
        "available": True, "samples": agreement.samples, "sqnr_db": agreement.sqnr_db,
        "same_class": agreement.same_class, "same_numbers": agreement.same_numbers,
        "exact": agreement.sqnr_db == math.inf,
    }


def _calibration(facts: ReportFacts, about: Metadata) -> Section:
    said: dict[str, Any] = dict(_mapping(about.provenance.get("calibration")))
    if facts.conversion:
        said.update(facts.conversion.calibration)
    said.update(facts.calibration)
    return {"available": True, **said} if said else _absent("nothing was calibrated, or the file does not say how")


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _placement(facts: ReportFacts, target: str | None) -> Section:
    placed = facts.placement or (facts.conversion.placement if facts.conversion else None)
    try:
        placed = placed or _foretold(facts, target)
    except (DeviceError, MissingDependencyError) as error:
        return _absent(error.message)
    if placed is None:
        return _absent("the target is a processor, which runs all operations")
    operations = [
        {"index": one.index, "type": one.custom_code or one.type, **operation_facts(one)} for one in placed.operations
    ]
    return {"available": True, **placed.to_dict(), "per_operation": operations}


def _foretold(facts: ReportFacts, target: str | None) -> Placement | None:
    """What the target's analyser says, where it has one."""
    if target is None or target not in plugins.registered("edgekit.placements"):
        return None
    placed: Placement = plugins.load("edgekit.placements", target)(facts.model)
    return placed


def _cost(facts: ReportFacts, file: ModelFile, precision: str | None) -> Section:
    if file.is_edgetpu:
        return _absent("the file was compiled for the Edge TPU, which hides its operations: report on the one before")
    costs = costs_of(file)
    measured = facts.latency.to_dict() if facts.latency else _absent("the latency was not measured")
    return {
        "available": True, **costs.to_dict(),
        "counted": "one for each weight that each output number takes, padding counted as data; activation memory is "
                   "what must exist at the same time, in the order of the file",
        "measured_latency_ms": measured,
        "estimated_latency_ms": [
            {"board": one.board, "value": one.milliseconds, "mode": "estimate", "source": one.source}
            for one in estimates(costs.macs, precision or "")
        ],
        "estimate_error": ESTIMATE_ERROR,
    }


def _rewrites(facts: ReportFacts) -> Section:
    if facts.conversion is None:
        return _absent("how the model was converted is not known here")
    made = facts.conversion
    return {"available": True, "rewritten": dict(made.rewrites), "on_the_host": list(made.moved)}


def _gate(facts: ReportFacts) -> Section:
    verdict = facts.gate or (facts.tried.best.verdict if facts.tried else None)
    if verdict is None:
        return _absent("no limit was set: edgekit convert --evaluate DATA --max-drop 0.5%")
    return {"available": True, **verdict.to_dict(), "said": verdict.said}


def _recovery(facts: ReportFacts) -> Section:
    if facts.tried is None:
        return _absent("nothing had to be won back, or no limit was set")
    return {"available": True, **facts.tried.to_dict()}


def _warnings(facts: ReportFacts) -> list[str]:
    said = [*(facts.conversion.warnings if facts.conversion else ())]
    said += facts.measured.warnings if facts.measured else ()
    return list(dict.fromkeys(said))


def _plain(value: Any) -> Any:
    """Lists for tuples, and null for numbers that JSON does not have."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
