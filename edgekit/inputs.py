"""From what the caller has, pictures or numbers, to the input tensors of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DataError, UsageError
from edgekit.metadata.types import Channels, ColourOrder, InputMetadata, Normalization, Origin, ResizeRule
from edgekit.preprocess import COLOURS, ImagePreprocessor, ImageSpec, needs_normalization
from edgekit.quantization import Scale, quantize

SMALLEST_PICTURE = 8
"""Pixels on a side below which four dimensions are not taken for a picture."""


@dataclass(frozen=True, slots=True)
class Input:
    """One input tensor.

    Attributes:
        name: Its name, for messages and for models with several inputs.
        shape: With the batch dimension, which is 1.
        dtype: NumPy's name of its type.
        quantization: Scale and zero point, where it stands for real numbers by integers.
        image: What it takes as a picture; None where it takes numbers only.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    quantization: Scale | None = None
    image: ImageSpec | None = None


@dataclass(frozen=True, slots=True)
class ImageOptions:
    """What the user says of a model's pictures; None for what the file says."""

    normalization: Normalization | None = None
    channels: ColourOrder | None = None
    resize: ResizeRule | None = None

    @property
    def given(self) -> bool:
        """Whether anything is said, which only makes sense of an input that takes pictures."""
        return (self.normalization, self.channels, self.resize) != (None, None, None)


def image_spec(
    tensor: Input, about: InputMetadata, options: ImageOptions, origin: Origin = "none"
) -> ImageSpec | None:
    """What an input takes as a picture, from the file and the user; None where it takes none.

    A picture is what the metadata or the user calls one, else four dimensions with 1 or 3 channels and 8
    pixels or more on a side.

    Args:
        tensor: The input.
        about: What the file says of it.
        options: What the user says.
        origin: Who wrote what the file says. EdgeKit writes how pixels are normalized wherever that is known, so
            that an integer input for pictures without it takes no pixels: they would be a guess.
    """
    size = _picture_size(tensor.shape)
    said = about.content == "image" or options.given
    if size is None or not (said or (about.content == "unknown" and is_picture_shape(tensor.shape))):
        return None
    height, width, depth = size
    return ImageSpec(
        height=height,
        width=width,
        channels="gray" if depth == 1 else options.channels or _colours(about.channels),
        dtype=tensor.dtype,
        quantization=tensor.quantization,
        normalization=options.normalization or about.normalization,
        resize=options.resize or about.resize or "stretch",
        takes_plain=not (origin == "edgekit" and about.content == "image" and tensor.quantization),
    )


def _colours(said: Channels | None) -> ColourOrder:
    """The order for three channels; a file that calls them gray has three equal ones in mind."""
    return "bgr" if said == "bgr" else "rgb"


def is_picture_shape(shape: tuple[int, ...]) -> bool:
    """Whether a tensor of this shape is taken for a picture where nobody says: (1, H, W, 1 or 3), 8 pixels or more."""
    size = _picture_size(shape)
    return len(shape) == 4 and size is not None and min(size[:2]) >= SMALLEST_PICTURE


def _picture_size(shape: tuple[int, ...]) -> tuple[int, int, int] | None:
    """Height, width and channels, where a shape of (1, H, W, 1 or 3) or (1, H, W) has them."""
    match shape:
        case (1, height, width, depth) if depth in (1, COLOURS):
            return height, width, depth
        case (1, height, width) if min(height, width) >= SMALLEST_PICTURE:
            return height, width, 1
    return None


class InputAdapter:
    """Brings what the caller has to one input tensor. Not for several threads at once.

    Args:
        tensor: The input.
        alone: Whether the model has no other, so that messages need not name it.

    Raises:
        UsageError: the normalization does not go with the number of channels.
    """

    def __init__(self, tensor: Input, *, alone: bool = False) -> None:
        self.tensor = tensor
        self._called = "the input" if alone else f"input {tensor.name}"
        self._pictures: ImagePreprocessor | None = None
        if tensor.image and not needs_normalization(tensor.image):
            self._pictures = ImagePreprocessor(tensor.image)

    def __call__(self, data: Any, channels: Channels = "rgb") -> NDArray[Any]:
        """Make the tensor.

        Args:
            data: For an input that takes pictures, pixels as uint8 of shape (H, W), (H, W, C), or with a
                batch dimension of 1. For any input, real numbers of the tensor's shape, with or without the
                batch dimension: those of a picture are normalized already.
            channels: Order of a picture's colours.

        Returns:
            An array of the tensor's shape and type, valid until the next call.

        Raises:
            DataError: it is of another shape or type, or holds NaN or infinity.
            UsageError: pixels for a network of unknown normalization.
        """
        array = np.asarray(data)
        if self.tensor.image is None:
            return self._numbers(array)
        if array.dtype == np.uint8:
            return self._picture(array, self.tensor.image, channels)
        if array.dtype.kind != "f":
            raise self._error(
                f"takes pixels as uint8, or normalized pixels as floating-point numbers, not {array.dtype}"
            )
        return self._numbers(array)

    def _picture(self, array: NDArray[np.uint8], spec: ImageSpec, channels: Channels) -> NDArray[Any]:
        if self._pictures is None:
            self._pictures = ImagePreprocessor(spec)  # raises, and says what is missing
        if array.ndim == len(("batch", "height", "width", "channels")) and array.shape[0] == 1:
            array = array[0]
        return self._pictures(array, channels).reshape(self.tensor.shape)

    def _numbers(self, array: NDArray[Any]) -> NDArray[Any]:
        shape, dtype = self.tensor.shape, np.dtype(self.tensor.dtype)
        if array.dtype.kind not in "buif":
            raise self._error(f"takes numbers, not {array.dtype}")
        if array.shape not in (shape, shape[1:]):
            raise self._error(f"takes shape {list(shape)} (or {list(shape[1:])}), not {list(array.shape)}")
        array = array.reshape(shape)
        if self.tensor.quantization is not None:
            return self._quantized(array, self.tensor.quantization, dtype)
        return self._finite(array).astype(dtype) if dtype.kind == "f" else self._exact(array, dtype)

    def _quantized(self, array: NDArray[Any], scale: Scale, dtype: np.dtype[Any]) -> NDArray[Any]:
        if array.dtype == dtype:
            raise self._error(
                f"was given {dtype}, which may be real numbers or quantized ones",
                hint="Give real numbers as float32, which are quantized for you, or quantized ones to "
                "Model.tensors.",
            )
        return quantize(self._finite(array), scale, dtype)

    def _finite(self, array: NDArray[Any]) -> NDArray[np.float32]:
        with np.errstate(over="ignore"):
            real = array.astype(np.float32, copy=False)
        if not np.isfinite(real).all():
            where = np.argwhere(~np.isfinite(real))[0]
            raise self._error(f"was given NaN or infinity, first at {where.tolist()}")
        return real

    def _exact(self, array: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
        with np.errstate(invalid="ignore"):
            cast = array.astype(dtype)
        if not np.array_equal(cast, array):
            raise self._error(f"takes whole numbers ({dtype}), and was given others")
        return cast

    def _error(self, problem: str, hint: str = "") -> DataError:
        return DataError(f"{self._called} {problem}", hint=hint)


def arrange_inputs(data: Any, names: Sequence[str]) -> list[Any]:
    """One thing for each input of a model, in their order.

    Args:
        data: A mapping by input name; for several inputs a list or tuple in their order; for one input the
            thing itself.
        names: The inputs' names.

    Raises:
        DataError: something is missing, or too much.
    """
    if isinstance(data, Mapping):
        if set(data) != set(names):
            raise DataError(
                f"the model's inputs are {', '.join(names)}, not {', '.join(map(str, data)) or 'none'}"
            )
        return [data[name] for name in names]
    if len(names) == 1:
        return [data]
    if not isinstance(data, (list, tuple)) or len(data) != len(names):
        raise DataError(
            f"the model takes {len(names)} inputs",
            hint=f"Give a mapping by name, or a list in this order: {', '.join(names)}.",
        )
    return list(data)


def check_options(options: ImageOptions, inputs: Sequence[Input]) -> None:
    """See that what the user says of pictures is for somebody.

    Raises:
        UsageError: no input takes pictures.
    """
    if options.given and not any(tensor.image for tensor in inputs):
        raise UsageError("normalization, channels and resizing are for pictures, and the model takes none")
