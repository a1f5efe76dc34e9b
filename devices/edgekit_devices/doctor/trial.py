"""Tries a pipeline part by part. Called in child processes: what is tried may crash, hang, or not be installed."""

from __future__ import annotations

import signal
import sys
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from edgekit.uris import redacted
from edgekit_devices.doctor.watched import Watched
from edgekit_devices.isolation import Say

if TYPE_CHECKING:
    from edgekit.metadata.types import Window
    from edgekit.model import Model
    from edgekit.pipeline.config import ModelConfig, PipelineConfig
    from edgekit.pipeline.models import Models
    from edgekit.sources import Sample

FUNCTIONS = f"{__name__}:"
RUNS = 5
MILLISECONDS = 1e3


def read_plan(say: Say, *, target: str) -> dict[str, Any]:
    """What a pipeline's file names.

    Raises:
        MissingFileError: there is no such file.
        UsageError: mistakes in it.
    """
    from edgekit.pipeline.config import read_config

    say("the file was read")
    config = read_config(target)
    return {
        "models": {name: model.path for name, model in config.models.items()}, "sources": list(config.sources),
        "sinks": list(config.sinks), "serve": config.serve,
    }


def _config(target: str, loading: Mapping[str, Any]) -> PipelineConfig:
    """The models of a file, or of a pipeline's file, opened as the user says besides."""
    from edgekit.pipeline.config import ModelConfig, PipelineConfig, read_config

    if target.lower().endswith(".toml"):
        config = read_config(target)
        return replace(config, models={name: _as_told(model, loading) for name, model in config.models.items()})
    return PipelineConfig({"": _as_told(ModelConfig(target, {}), loading)}, ())


def _as_told(model: ModelConfig, loading: Mapping[str, Any]) -> ModelConfig:
    return replace(model, options={**model.options, **loading})


@contextmanager
def _recorded() -> Iterator[list[str]]:
    """Warnings as texts, in the place of what prints them."""
    texts: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = lambda message, *_details, **_more: texts.append(str(message))
        yield texts


def try_model(say: Say, *, target: str, name: str, loading: Mapping[str, Any]) -> dict[str, Any]:
    """Open one of the models, and run it on zeros.

    Returns:
        `task`, `device` and the reason for it, `inputs` (how many), the first and the median further latency in ms,
        `window`, the seconds that a window takes to come, what the file says of itself, and warnings.

    Raises:
        EdgeKitError: as in `edgekit.load`.
    """
    from edgekit.cascade import Cascade

    with _recorded() as told:
        say("the model was opened")
        started = time.monotonic()
        model = _config(target, loading).models[name].open()
        opened = time.monotonic() - started
        say("the model ran for the first time")
        parts = [model.detector, model.inner] if isinstance(model, Cascade) else [model]
        times = [_time_zeros(parts) for _ in range(RUNS)]
    about = parts[0].metadata
    return {
        "task": model.task, "device": model.device, "reason": getattr(parts[0], "device_reason", ""),
        "inputs": len(model.inputs), "opened": opened * MILLISECONDS, "first": times[0],
        "median": sorted(times[1:])[len(times[1:]) // 2], "origin": about.origin, "said_task": about.task or "",
        "target": about.target or "", "warnings": told, "window": max(map(_seconds_of, model.windows), default=0.0),
    }


def _seconds_of(window: Window | None) -> float:
    """How long a window takes to come; 0 where that is not known."""
    return window.size / window.rate if window and window.rate else 0.0


def _time_zeros(parts: Sequence[Model]) -> float:
    """One run of the networks on zeros, in ms."""
    import numpy as np

    zeros = [[np.zeros(tensor.shape, tensor.dtype) for tensor in model.inputs] for model in parts]
    started = time.monotonic()
    for model, tensors in zip(parts, zeros, strict=True):
        model.tensors(*tensors)
    return (time.monotonic() - started) * MILLISECONDS


def try_sources(
    say: Say, *, target: str | None, loading: Mapping[str, Any], uris: Sequence[str], seconds: float
) -> dict[str, Any]:
    """Open a source, or those that are fused for one model, wait for a sample, and run the models on it.

    Args:
        say: Told what is done next.
        target: The model, or the pipeline's file; None where that cannot be opened, so that only the source is tried.
        loading: How the models are opened, beside what the file says.
        uris: As the user wrote them.
        seconds: Longest wait for the first sample.

    Returns:
        `first`, seconds until the first sample, None where none came; `what` it is, in words; of a live source `fps`
        and `age`, of its last sample in seconds; `alike`, whether all samples are the same, and `dark`; `lost`;
        `apart`, by how many seconds the parts of a sample of several sources lie apart;
        `problems` and `events` as texts; `ran`, the task of the result, empty where no model ran; `warnings`.

    Raises:
        EdgeKitError: as in `open_source` and `Model`.
    """
    shown = ", ".join(map(redacted, uris))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # so that programs that a source started end with this one
    with _recorded() as told:
        models = _open_models(say, target, loading)
        say(f"{shown} was opened")
        source = _open(uris, models)
        say(f"{shown} was waited for")
        watched = Watched(source, seconds)
        facts = {**watched.facts(), "ran": ""}
        if models and watched.last:
            say(f"the model ran on what {shown} gave")
            facts["ran"] = _run(models, watched.last)
    return {**facts, "warnings": told}


def _open_models(say: Say, target: str | None, loading: Mapping[str, Any]) -> Models | None:
    from edgekit.pipeline.models import side_by_side

    if target is None:
        return None
    say("the model was opened")
    return side_by_side({name: model.open() for name, model in _config(target, loading).models.items()})


def _open(uris: Sequence[str], models: Models | None) -> Any:
    from edgekit.pipeline.setup import open_sources
    from edgekit.sources import open_source

    return open_sources(list(uris), models)[0] if models else open_source(uris[0])


def _run(models: Models, sample: Sample) -> str:
    from edgekit.errors import DataError
    from edgekit.pipeline.reading import Preparer
    from edgekit.sources import Problem

    ready = Preparer(models)(sample)
    if isinstance(ready, Problem):
        raise DataError(str(ready))
    return ", ".join(result.task for result in models.run_prepared(ready.prepared))
