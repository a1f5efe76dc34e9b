"""From a picture to the tensor that a network takes. Calibration and devices both go through this code.

The picture is resized first and its colours are put in order on the small result. Normalizing and quantizing
are one look-up in a table of 256 entries a channel, so that a quantized network never sees a float picture.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DataError, UsageError
from edgekit.images import import_cv2, loaded_cv2
from edgekit.metadata.types import Channels, Normalization, ResizeRule
from edgekit.quantization import Scale, quantize

PAD = 114
"""Grey of the bars beside a letterboxed picture, as in the detectors of Ultralytics."""
LEVELS = 256
COLOURS = 3
SIGN_BIT = 0x80
TIE = 0.5 + 1e-3
"""Steps from a real number to its nearest integer, at most. Scales are float32: a tie is seldom exact."""
# Weights of red, green and blue in ITU-R BT.601 luma, in steps of 1 / 2^14: those of OpenCV's cvtColor.
LUMA = np.array([4899, 9617, 1868], np.uint32)
LUMA_BITS = 14

_Lookup = Literal["identity", "flip sign", "table"]


class Region(NamedTuple):
    """A rectangle in pixels."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """What an image input takes.

    Attributes:
        height: Rows of the network's picture.
        width: Columns of the network's picture.
        channels: Order of the network's colours; `gray` for a network of one channel.
        dtype: Name of the tensor's type, such as `int8`; `float32` gives the normalized picture itself.
        quantization: Scale and zero point of an integer tensor; None for pixels as numbers.
        normalization: What the network was trained on. None leaves the pixels as they are (int8: minus 128).
        resize: How a picture of another shape is brought to this one.
        takes_plain: Whether pixels may go to an integer tensor as they are where nobody says how to normalize them.
    """

    height: int
    width: int
    channels: Channels = "rgb"
    dtype: str = "float32"
    quantization: Scale | None = None
    normalization: Normalization | None = None
    resize: ResizeRule = "stretch"
    takes_plain: bool = True

    @property
    def depth(self) -> int:
        """Number of channels, 1 or 3."""
        return 1 if self.channels == "gray" else COLOURS


@dataclass(slots=True)
class ImagePreprocessor:
    """Turns pictures into input tensors of one network. Not for several threads at once.

    Raises:
        UsageError: the normalization has another number of channels than the network, or the network takes
            floating-point numbers and nobody said which.
    """

    spec: ImageSpec
    _table: NDArray[np.generic] = field(init=False, repr=False)
    _lookup: _Lookup = field(init=False, repr=False)
    _output: NDArray[np.generic] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        spec = self.spec
        self._table = build_table(spec)
        self._lookup = _classify(self._table)
        self._output = np.empty((1, spec.height, spec.width, spec.depth), spec.dtype)

    def __call__(self, image: NDArray[np.uint8], channels: Channels = "rgb") -> NDArray[np.generic]:
        """Prepare one picture.

        Args:
            image: uint8 of shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4); a fourth channel is dropped.
            channels: Order of the picture's own colours; what it says of a grey picture does not matter.

        Returns:
            An array of shape (1, height, width, channels) and of the network's type. It is valid until the
            next call, which may overwrite it.

        Raises:
            DataError: the array is no such picture.
            MissingDependencyError: the picture has another size and OpenCV is not installed.
        """
        check_image(image)
        small = fit(image, self.spec.width, self.spec.height, self.spec.resize)
        return self._look_up(arrange(small, channels, self.spec.channels))

    def _look_up(self, image: NDArray[np.uint8]) -> NDArray[np.generic]:
        output = self._output
        if self._lookup == "identity":
            return image[np.newaxis]
        if self._lookup == "flip sign":
            np.bitwise_xor(image, SIGN_BIT, out=output[0].view(np.uint8))
            return output
        cv2 = loaded_cv2()
        if cv2 is not None:
            table = np.ascontiguousarray(self._table.T)[np.newaxis]
            looked_up: NDArray[np.generic] = cv2.LUT(image, table, output[0])
            return looked_up.reshape(output.shape)
        for channel, levels in enumerate(self._table):
            output[0, ..., channel] = levels[image[..., channel]]
        return output


def build_table(spec: ImageSpec) -> NDArray[np.generic]:
    """What each of the 256 pixel values becomes, channel by channel: normalized in float64, then quantized.

    Where a pixel itself (int8: minus 128) is as near as any integer can be, it is taken. It is for 0..1 and,
    as one side of a tie, for -1..1; such pixels need no look-up.

    Returns:
        An array of shape (channels, 256) and of the tensor's type.

    Raises:
        UsageError: as in `ImagePreprocessor`.
    """
    pixels = np.broadcast_to(np.arange(LEVELS, dtype=np.float64), (spec.depth, LEVELS))
    if spec.normalization is None:
        return _plain_table(pixels, spec)
    mean = _per_channel(spec.normalization.mean, spec.depth)
    std = _per_channel(spec.normalization.std, spec.depth)
    real = (pixels - mean) / std
    if np.dtype(spec.dtype).kind == "f":
        return real.astype(spec.dtype)
    scale = spec.quantization or Scale()
    plain = _plain_levels(pixels, spec.dtype)
    limits = np.iinfo(spec.dtype)
    steps = np.clip(real / scale.scale + scale.zero_point, limits.min, limits.max)
    if (np.abs(steps - plain) <= TIE).all():
        return plain.astype(spec.dtype)
    return quantize(real, scale, spec.dtype)


def needs_normalization(spec: ImageSpec) -> bool:
    """Whether pixels cannot be fed to the network as they are.

    It takes real numbers, or 16 bits for them, or integers of which its maker should have said what they stand for.
    """
    wide = spec.quantization is not None and spec.dtype not in ("uint8", "int8")
    return spec.normalization is None and (wide or np.dtype(spec.dtype).kind == "f" or not spec.takes_plain)


def _plain_table(pixels: NDArray[np.float64], spec: ImageSpec) -> NDArray[np.generic]:
    if needs_normalization(spec):
        raise UsageError(
            f"the model takes pictures as {spec.dtype}, and nobody says how they are normalized",
            hint="Give a normalization, such as --normalize 0..1, -1..1, 0..255, imagenet or MEAN/STD.",
        )
    return _plain_levels(pixels, spec.dtype).astype(spec.dtype)


def _plain_levels(pixels: NDArray[np.float64], dtype: str) -> NDArray[np.float64]:
    return pixels - SIGN_BIT if dtype == "int8" else pixels


def _per_channel(values: tuple[float, ...], depth: int) -> NDArray[np.float64]:
    if len(values) not in (1, depth):
        raise UsageError(
            f"a normalization of {len(values)} channels does not go with a network of {depth}",
            hint="Give one number, or one a channel.",
        )
    return np.array(values, np.float64).reshape(-1, 1)


def _classify(table: NDArray[np.generic]) -> _Lookup:
    levels = np.arange(LEVELS)
    if table.dtype == np.uint8 and (table == levels).all():
        return "identity"
    if table.dtype == np.int8 and (table == levels - SIGN_BIT).all():
        return "flip sign"
    return "table"


def check_image(image: NDArray[np.generic]) -> None:
    """See that an array is a picture.

    Raises:
        DataError: it is not uint8, has no such shape, or no pixels.
    """
    depths = image.shape[2:]
    shape_fits = image.ndim > 1 and depths in ((), (1,), (COLOURS,), (COLOURS + 1,))
    if image.dtype != np.uint8 or not shape_fits or image.size == 0:
        raise DataError(
            f"a picture has to be uint8 of shape (height, width), or with 1, 3 or 4 channels, "
            f"not {image.dtype} of shape {image.shape}"
        )


def fit(image: NDArray[np.uint8], width: int, height: int, rule: ResizeRule) -> NDArray[np.uint8]:
    """Bring a picture to a size, with `INTER_LINEAR_EXACT`, which gives the same bits on every processor.

    Args:
        image: uint8 of shape (H, W) or (H, W, C).
        width: Columns wanted.
        height: Rows wanted.
        rule: `stretch` to the size, `letterbox` (the whole picture, with bars of grey 114 beside it), or
            `crop` (the largest part in the middle that has the right proportions).

    Returns:
        uint8 of shape (height, width) or (height, width, C); the picture itself where it has the size.
    """
    if image.shape[:2] == (height, width):
        return image
    if rule == "letterbox":
        return _letterbox(image, width, height)
    if rule == "crop":
        left, top, part_width, part_height = crop_region(image.shape[1], image.shape[0], width, height)
        image = image[top : top + part_height, left : left + part_width]
    return _resize(image, width, height)


def crop_region(width: int, height: int, to_width: int, to_height: int) -> Region:
    """The largest part in the middle of a picture that has the proportions of another."""
    scale = min(width / to_width, height / to_height)
    part_width, part_height = max(1, round(to_width * scale)), max(1, round(to_height * scale))
    return Region((width - part_width) // 2, (height - part_height) // 2, part_width, part_height)


def letterbox_region(width: int, height: int, to_width: int, to_height: int) -> Region:
    """Where in the larger frame a picture lies that is scaled to fit whole, in the middle of it."""
    scale = min(to_width / width, to_height / height)
    part_width, part_height = max(1, round(width * scale)), max(1, round(height * scale))
    return Region((to_width - part_width) // 2, (to_height - part_height) // 2, part_width, part_height)


def _letterbox(image: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    left, top, part_width, part_height = letterbox_region(image.shape[1], image.shape[0], width, height)
    frame = np.full((height, width, *image.shape[2:]), PAD, np.uint8)
    part = image if image.shape[:2] == (part_height, part_width) else _resize(image, part_width, part_height)
    frame[top : top + part_height, left : left + part_width] = part
    return frame


def _resize(image: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    cv2 = import_cv2()
    resized: NDArray[np.uint8] = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR_EXACT)
    return resized.reshape(height, width, *image.shape[2:])  # OpenCV drops a last dimension of 1


def arrange(image: NDArray[np.uint8], channels: Channels, wanted: Channels) -> NDArray[np.uint8]:
    """Put a picture's colours in the order wanted.

    Args:
        image: uint8 of shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4).
        channels: Order of its colours.
        wanted: Order to bring them to; `gray` mixes them by ITU-R BT.601.

    Returns:
        Contiguous uint8 of shape (H, W, 1) for `gray`, else (H, W, 3).
    """
    if image.shape[2:] in ((), (1,)):
        plane = image.reshape(*image.shape[:2], 1)
        return np.ascontiguousarray(plane if wanted == "gray" else np.repeat(plane, COLOURS, axis=2))
    colours = image[..., :COLOURS]
    if wanted == "gray":
        weights = LUMA[::-1] if channels == "bgr" else LUMA
        mixed = colours.astype(np.uint32) @ weights + (1 << (LUMA_BITS - 1))
        return (mixed >> LUMA_BITS).astype(np.uint8)[..., np.newaxis]
    return np.ascontiguousarray(colours) if channels == wanted else _swap(colours)


def _swap(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Red for blue. For 224 by 224 pixels OpenCV takes 4 µs, NumPy 43 channel by channel, 145 at a stroke."""
    cv2 = loaded_cv2()
    if cv2 is not None:
        swapped: NDArray[np.uint8] = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_BGR2RGB)
        return swapped
    output = np.empty(image.shape, np.uint8)
    for channel in range(COLOURS):
        output[..., channel] = image[..., COLOURS - 1 - channel]
    return output
