"""What the user wants to run, and the checks of it: each part is tried in a child process."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from edgekit.errors import EdgeKitError
from edgekit.uris import redacted
from edgekit_devices import isolation
from edgekit_devices.doctor import outlets, trial
from edgekit_devices.doctor.checks.model import SECONDS as MODEL_SECONDS
from edgekit_devices.doctor.checks.model import model_findings
from edgekit_devices.doctor.checks.sources import source_findings
from edgekit_devices.doctor.failures import failure
from edgekit_devices.doctor.finding import Check, Finding, note, ok
from edgekit_devices.machine import Machine

STDIN = "-"
AT_ONCE = 4
"""Sources, or sinks, that are tried at a time."""
SOURCE_SECONDS = 10.0
END_SECONDS = 20.0
"""Beside the wait for a sample: for the start of the child, of the model and of the source."""
SINK_SECONDS = 20.0
_NAMED = re.compile(r"\w+=")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be run.

    Attributes:
        target: Path of a model or of a pipeline's file; None for the machine alone.
        loading: What the user says of the models, as `edgekit.load` takes it, in the place of what the file says.
        models: Names of the models, with their paths.
        sources: As the user wrote them.
        sinks: Likewise.
        serve: Address of the page.
    """

    target: str | None = None
    loading: Mapping[str, Any] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    sinks: tuple[str, ...] = ()
    serve: str | None = None


def read_plan(plan: Plan) -> tuple[Plan, Finding | None]:
    """The plan with what a pipeline's file says; and what is wrong with the file."""
    if plan.target is None or not plan.target.lower().endswith(".toml"):
        return replace(plan, models={"": plan.target} if plan.target else {}), None
    try:
        said = isolation.call(f"{trial.FUNCTIONS}read_plan", {"target": plan.target}, seconds=MODEL_SECONDS)
    except EdgeKitError as error:
        return plan, failure(plan.target, error)
    return replace(
        plan, models=said["models"], sources=tuple(said["sources"]), sinks=tuple(said["sinks"]), serve=said["serve"]
    ), None


def plan_checks(plan: Plan) -> Iterator[tuple[list[Check], int]]:
    """What is asked of a plan, in phases: checks, and how many of them may be made at a time.

    A phase has to be over before the next is asked for: what is known of the models decides how sources are tried.
    """
    plan, problem = read_plan(plan)
    if problem:
        yield [Check("pipeline-file", "Model", lambda _machine: (problem,))], 1
        return
    facts: dict[str, Any] = {}
    yield [
        Check(f"model{f':{name}' if name else ''}", "Model", partial(_try_model, plan, name, facts))
        for name in plan.models
    ], 1
    # The processor serves several processes; of an accelerator nobody knows.
    shared = all(model["device"].startswith("cpu") for model in facts.values())
    yield _source_checks(plan, facts), AT_ONCE if shared else 1
    sinks = [Check("sink", "Sinks", partial(_try_sink, uri)) for uri in plan.sinks]
    if plan.serve:
        sinks.append(Check("serve", "Sinks", partial(_try_serving, plan.serve)))
    yield sinks, AT_ONCE


def _source_checks(plan: Plan, facts: Mapping[str, Any]) -> list[Check]:
    """One for each source, or for those together that are fused for one model."""
    opens = len(facts) == len(plan.models) > 0
    fused = opens and all(model["inputs"] > 1 for model in facts.values()) and all(map(_NAMED.match, plan.sources))
    groups = [plan.sources] if fused and plan.sources else [(uri,) for uri in plan.sources]
    seconds = SOURCE_SECONDS + max((model["window"] for model in facts.values()), default=0.0)
    tried = plan if opens else replace(plan, target=None)
    told = {text for model in facts.values() for text in model["warnings"]}
    return [Check("source", "Sources", partial(_try_source, tried, seconds, told, uris)) for uris in groups]


def _try_model(plan: Plan, name: str, facts: dict[str, Any], machine: Machine) -> Iterator[Finding]:
    """Open a model and run it; what it is, is kept for the sources."""
    path = plan.models[name]
    arguments = {"target": plan.target, "name": name, "loading": plan.loading}
    try:
        found = isolation.call(f"{trial.FUNCTIONS}try_model", arguments, seconds=MODEL_SECONDS)
    except EdgeKitError as error:
        yield failure(path, error)
        return
    facts[name] = found
    yield from model_findings(path, found, machine)


def _try_source(
    plan: Plan, seconds: float, told: set[str], uris: tuple[str, ...], machine: Machine
) -> Iterator[Finding]:
    """Wait for a sample, and run the models on it where they could be opened; what these told is not told again."""
    if STDIN in uris:
        yield note("the standard input is not read, so that nothing of it is lost")
        return
    shown = ", ".join(map(redacted, uris))
    arguments = {"target": plan.target, "loading": plan.loading, "uris": uris, "seconds": seconds}
    try:
        found = isolation.call(f"{trial.FUNCTIONS}try_sources", arguments, seconds=seconds + END_SECONDS)
    except EdgeKitError as error:
        yield failure(shown, error)
        return
    warnings = [text for text in found["warnings"] if text not in told]
    yield from source_findings(shown, {**found, "warnings": warnings}, machine)


def _try_sink(uri: str, _machine: Machine) -> Iterator[Finding]:
    try:
        found = isolation.call(f"{outlets.FUNCTIONS}try_sink", {"uri": uri}, seconds=SINK_SECONDS)
    except EdgeKitError as error:
        yield failure(redacted(uri), error)
        return
    yield ok(f"{redacted(uri)}: {found['how']}")


def _try_serving(address: str, _machine: Machine) -> Iterator[Finding]:
    try:
        found = isolation.call(f"{outlets.FUNCTIONS}try_serving", {"address": address}, seconds=SINK_SECONDS)
    except EdgeKitError as error:
        yield failure(f"the page on {address}", error)
        return
    yield ok(f"the page: {found['how']}")
