"""What a model file says of itself, whoever wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

ColourOrder = Literal["rgb", "bgr"]
Channels = Literal[ColourOrder, "gray"]
ResizeRule = Literal["stretch", "letterbox", "crop"]
Content = Literal["image", "features", "audio", "unknown"]
ResizeMethod = Literal["bilinear", "nearest"]
Origin = Literal["none", "tflite", "edgekit", "ultralytics"]


@dataclass(frozen=True, slots=True)
class Normalization:
    """How a pixel becomes what the network was trained on: `(pixel - mean) / std`, pixel 0 to 255.

    One value for all channels or one a channel, in the order in which the network takes them.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """The stretch of a stream that an input takes: what is recorded, and what is computed of it before the network."""

    size: int
    """Samples in it, from 1."""
    hop: int
    """Samples from the start of a window to the start of the next, from 1."""
    rate: float | None = None
    """Samples a second that the stream is brought to; None leaves the samples as they come."""
    channels: tuple[str, ...] = ()
    """Names of the channels, in the order in which the network takes them; empty where nobody said."""
    features: str = ""
    """What is computed of the window, as `edgekit.features` reads it; empty for the values themselves."""
    limits: tuple[float, float] | None = None
    """Lowest and highest value that the sensor can give, in its unit; what lies beyond is invalid."""
    max_gap: float | None = None
    """Seconds between samples that are still bridged by a straight line; None for two and a half periods."""


@dataclass(frozen=True, slots=True)
class InputMetadata:
    """One input tensor, in the order of the graph's inputs."""

    name: str = ""
    description: str = ""
    content: Content = "unknown"
    channels: Channels | None = None
    """Order of the colours that the network takes; None where nobody said."""
    normalization: Normalization | None = None
    resize: ResizeRule | None = None
    """How a picture of another shape is brought to the network's; None where nobody said."""
    minimum: tuple[float, ...] = ()
    """Smallest real values seen in calibration or training (one, or one a channel)."""
    maximum: tuple[float, ...] = ()
    window: Window | None = None
    """The stretch of a stream that it takes; None where it takes no windows."""


@dataclass(frozen=True, slots=True)
class HostResize:
    """A resize of what an output of shape (1, height, width, channels) holds, as TFLite's operation computes it."""

    method: ResizeMethod
    height: int
    """Of the result, in pixels; `width` alike."""
    width: int
    align_corners: bool = False
    """Whether the middles of the corner pixels lie on each other, in place of the picture's edges."""
    half_pixel_centers: bool = False
    """Whether pixels are places from their middle, in place of their upper left corner. Not with `align_corners`."""
    op: Literal["resize"] = "resize"


@dataclass(frozen=True, slots=True)
class HostArgmax:
    """The place of the largest value along an axis, from 0; of equal ones the first. The axis is gone after it."""

    axis: int
    """Counted from 0, which is the batch and cannot be meant."""
    op: Literal["argmax"] = "argmax"


HostStep = HostResize | HostArgmax


@dataclass(frozen=True, slots=True)
class OutputMetadata:
    """One output tensor, in the order of the graph's outputs."""

    name: str = ""
    description: str = ""
    labels: tuple[str, ...] = ()
    """Class names, index by index; empty where there are none."""
    host: tuple[HostStep, ...] = ()
    """What the device computes on the real numbers of this output, in that order: its last part, left out of the
    network."""


@dataclass(frozen=True, slots=True)
class State:
    """What the network remembers by taking one of its outputs again with the next sample. Starts from zero."""

    input: int
    """Place among the graph's inputs, from 0."""
    output: int
    """Place among the graph's outputs, from 0."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """All that a file says of its model. Empty fields are what it does not say."""

    name: str = ""
    description: str = ""
    version: str = ""
    author: str = ""
    license: str = ""
    inputs: tuple[InputMetadata, ...] = ()
    outputs: tuple[OutputMetadata, ...] = ()
    task: str | None = None
    head: str | None = None
    """The form in which the outputs give the task's answer, such as `yolov8`; None where the tensors tell."""
    head_options: Mapping[str, Any] = field(default_factory=dict)
    """JSON-like: what the head has to know besides, by name, such as how anchors are laid."""
    target: str | None = None
    states: tuple[State, ...] = ()
    """Inputs and outputs that the runtime connects; no one else feeds or sees them."""
    keeps_state: bool = False
    """Whether what operations remember (an LSTM's state) outlives a run: the model takes a stream piece by piece."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """JSON-like: source file and its SHA-256, versions, precision, calibration summary."""
    origin: Origin = "none"
    """Whose format was found (the richest one wins). Ignored when writing."""
    files: tuple[str, ...] = ()
    """Names in the file's archive, as found. Ignored when writing."""

    def data_inputs(self, count: int) -> list[int]:
        """Places of the graph's `count` inputs that are no states."""
        states = {state.input for state in self.states}
        return [at for at in range(count) if at not in states]

    def data_outputs(self, count: int) -> list[int]:
        """Places of the graph's `count` outputs that are no states."""
        states = {state.output for state in self.states}
        return [at for at in range(count) if at not in states]
