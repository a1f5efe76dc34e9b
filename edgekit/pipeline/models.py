"""What a pipeline runs on each sample: a model, a cascade, or several of them side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

from edgekit.cascade import Cascade, CascadePreparation
from edgekit.errors import UsageError
from edgekit.failover.announcing import Listener
from edgekit.loading import load
from edgekit.metadata.types import Window
from edgekit.model import Model, Preparation, Prepared
from edgekit.results import Result
from edgekit.windows.validity import Policy

LOAD_OPTIONS = (
    "device", "device_options", "inference_timeout", "threads", "task", "head", "head_options", "labels", "normalize",
    "channels", "resize", "top", "score", "iou", "enrolled", "windows",
)
"""What `run` passes on to `load`."""

Runnable = Model | Cascade
Preparing = Preparation | CascadePreparation
ModelLike = Runnable | str | PathLike[str]
ModelsLike = ModelLike | Sequence[ModelLike] | Mapping[str, ModelLike]


@dataclass(frozen=True, slots=True)
class Models:
    """One model or several, which take the same samples.

    Attributes:
        named: By name, in the order of their results; a model that is alone has none.
    """

    named: Mapping[str, Runnable]

    @property
    def all(self) -> tuple[Runnable, ...]:
        """They themselves."""
        return tuple(self.named.values())

    @property
    def alone(self) -> Runnable | None:
        """The model, where there is no other."""
        return self.all[0] if len(self.named) == 1 else None

    def run_prepared(self, prepared: Sequence[Prepared]) -> tuple[Result, ...]:
        """What each of them says of a sample, one after another."""
        results = [model.run_prepared(one) for model, one in zip(self.all, prepared, strict=True)]
        return tuple(
            replace(result, model=name) if name else result for name, result in zip(self.named, results, strict=True)
        )

    @contextmanager
    def events_to(self, listener: Listener) -> Iterator[None]:
        """As in `Model`, for each of them."""
        with ExitStack() as stack:
            for model in self.all:
                stack.enter_context(model.events_to(listener))
            yield

    @property
    def parallel(self) -> int:
        """How many samples may be on their way at once."""
        return max(model.parallel for model in self.all)

    @property
    def window(self) -> Window | None:
        """The windows of a stream that all of them take, if they take any."""
        model = self.all[0]
        return model.windows[0] if len(model.windows) == 1 else None

    @property
    def invalid(self) -> Policy:
        """What becomes of values that are NaN or out of range."""
        return self.all[0].invalid

    @property
    def row_shape(self) -> tuple[int, ...] | None:
        """What samples of a table or sensor are brought to; None where pictures of several sizes are taken."""
        shapes = {row_shape(model) for model in self.all}
        return shapes.pop() if len(shapes) == 1 else None


def open_models(model: ModelsLike, options: dict[str, Any], caller: str) -> Models:
    """The models themselves, or those of the paths.

    Raises:
        EdgeKitError: as in `load`.
        UsageError: options for a model that is open already, two of one name, or several that take unlike samples.
        TypeError: an option that does not exist.
    """
    named = _named(model)
    open_already = [name for name, one in named.items() if isinstance(one, Runnable)]
    if open_already and options:
        raise UsageError(f"{', '.join(options)} can only be given with the path of a model, which is not open yet")
    unknown = [name for name in options if name not in LOAD_OPTIONS]
    if unknown:
        raise TypeError(f"{caller}() got an unexpected keyword argument '{unknown[0]}'")
    return side_by_side(
        {name: one if isinstance(one, Runnable) else load(one, **options) for name, one in named.items()}
    )


def _named(model: ModelsLike) -> Mapping[str, ModelLike]:
    if isinstance(model, Mapping):
        return model
    if isinstance(model, (str, PathLike, Runnable)):
        return {"": model}
    found: dict[str, ModelLike] = {}
    for one in model:
        name = (one.path if isinstance(one, Runnable) else Path(one)).stem
        if name in found:
            raise UsageError(f"two models are called {name}", hint="Give a mapping of names to models.")
        found[name] = one
    return found


def side_by_side(named: Mapping[str, Runnable]) -> Models:
    """Models that take the same samples.

    Raises:
        UsageError: there is none, one takes several inputs, or they take unlike samples.
    """
    if not named:
        raise UsageError("there is no model")
    if len(named) > 1:
        _check_alike(named)
    return Models(dict(named))


def _check_alike(named: Mapping[str, Runnable]) -> None:
    """Pictures go to models of any size; anything else has to be of the same shape, cut into the same windows."""
    (first_name, first), *others = named.items()
    for name, model in named.items():
        if len(model.inputs) != 1:
            raise UsageError(f"the model {name} takes {len(model.inputs)} inputs, and can only run by itself")
    for name, model in others:
        pictures = [one.inputs[0].image is not None for one in (first, model)]
        if pictures[0] != pictures[1]:
            raise UsageError(f"of the models {first_name} and {name} one takes pictures, and the other does not")
        alike = pictures[0] or row_shape(first) == row_shape(model)
        if not alike or first.windows != model.windows or first.invalid != model.invalid:
            raise UsageError(
                f"the models {first_name} and {name} take unlike samples", hint="Run a pipeline for each of them."
            )


def row_shape(model: Runnable) -> tuple[int, ...] | None:
    """What the samples of a table or sensor are brought to: the shape of a model's one input, without the batch.

    None where the model has several inputs: a source then gives them by name.
    """
    return model.inputs[0].shape[1:] if len(model.inputs) == 1 else None
