"""What a stream will be next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import UsageError
from edgekit.results import Forecast, Latency
from edgekit.tasks.options import HeadOptions
from edgekit.tasks.types import Head, Settings, Tensors
from edgekit.tasks.view import View

OPTIONS = {
    "channels": "names of the channels that are forecast, separated by commas",
    "step": "seconds from one step to the next (0: not known)",
}


@dataclass(frozen=True, slots=True)
class ForecastTask:
    """One output as steps of channels.

    Attributes:
        shape: (steps, channels).
        channels: Names, or none.
        step: Seconds.
    """

    shape: tuple[int, int]
    channels: tuple[str, ...]
    step: float

    def __call__(self, outputs: Sequence[NDArray[np.float32]], device: str, _view: View) -> Forecast:
        """A `Forecast`."""
        values = outputs[0].reshape(self.shape)
        return Forecast(
            task="forecast", device=device, latency=Latency(), values=values, channels=self.channels, step=self.step
        )


def _fits(tensors: Tensors) -> bool:
    return len(tensors.outputs) == 1 and len(tensors.outputs[0].shape) in (2, 3)


def _build(tensors: Tensors, settings: Settings) -> ForecastTask:
    """A `ForecastTask`. An output of two dimensions has one channel, unless several are named.

    Raises:
        UsageError: names that are not one for each channel.
    """
    options = HeadOptions("forecast", OPTIONS, settings.options)
    names = names_of(options.value("channels"))
    shape, size = tensors.outputs[0].shape, int(np.prod(tensors.outputs[0].shape))
    width = shape[-1] if len(shape) == 3 else len(names) or 1
    if size % width or (names and len(names) != width):
        raise UsageError(
            f"{len(names)} channels are named, and the output is {tensors.outputs[0].describe()}",
            hint="Name as many as are forecast at each step.",
        )
    return ForecastTask((size // width, width), names, options.number("step", 0, least=0))


def names_of(given: object) -> tuple[str, ...]:
    """Names from text with commas, or from a list."""
    if given is None:
        return ()
    parts = given.split(",") if isinstance(given, str) else given
    return tuple(str(part).strip() for part in parts) if isinstance(parts, (list, tuple)) else (str(parts),)


HEADS = (
    Head(
        name="forecast", expects="one output of shape [1, steps] or [1, steps, channels]", fits=_fits, build=_build,
        options=OPTIONS,
    ),
)
"""Steps to come."""
