"""3-D convolution and pooling through their 2-D kin: TFLite computes CONV_3D in float alone, and has no 3-D pooling.

Planes become the batch: a kernel of depth k over D planes is one 2-D convolution over k planes' channels side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf
from keras.src import backend

from edgekit_converters.forms.types import Form, refuse_unless

VOLUME = 5


def _triple(number: int | Sequence[int]) -> list[int]:
    return [number] * 3 if isinstance(number, int) else [int(n) for n in number]


def _refuse_unless_volume(inputs: Any, data_format: str | None) -> None:
    refuse_unless(
        len(inputs.shape) == VOLUME and inputs.shape[0] == 1 and None not in inputs.shape
        and backend.standardize_data_format(data_format) == "channels_last"
    )


def _same_padding(length: int, window: int, stride: int) -> tuple[int, int]:
    """Planes added before and after by the padding `same`."""
    total = max((-(-length // stride) - 1) * stride + window - length, 0)
    return total // 2, total - total // 2


def _planes(x: Any, offset: int, stride: int, count: int) -> Any:
    return x[:, offset : offset + (count - 1) * stride + 1 : stride]


def _convolve(original: Callable[..., Any]) -> Callable[..., Any]:
    def conv(
        inputs: Any, kernel: Any, strides: Any = 1, padding: str = "valid", data_format: str | None = None,
        dilation_rate: Any = 1,
    ) -> Any:
        _refuse_unless_volume(inputs, data_format)
        refuse_unless(kernel.shape[-2] == inputs.shape[-1])
        kernel = tf.convert_to_tensor(kernel)
        depth, height, width, channels, filters = kernel.shape
        stride, dilation = _triple(strides), _triple(dilation_rate)
        window = (depth - 1) * dilation[0] + 1
        if padding == "same":
            before, after = _same_padding(inputs.shape[1], window, stride[0])
            inputs = tf.pad(inputs, [[0, 0], [before, after], [0, 0], [0, 0], [0, 0]])
        count = (inputs.shape[1] - window) // stride[0] + 1
        side_by_side = [_planes(inputs, at * dilation[0], stride[0], count) for at in range(depth)]
        flat = tf.reshape(tf.transpose(kernel, [1, 2, 0, 3, 4]), [height, width, depth * channels, filters])
        planes = tf.concat(side_by_side, axis=-1)[0]
        return tf.nn.conv2d(planes, flat, stride[1:], padding.upper(), dilations=dilation[1:])[tf.newaxis]

    return conv


def _convolve_transposed(original: Callable[..., Any]) -> Callable[..., Any]:
    """Each plane of the kernel gives planes of its own, which are spread by the stride, shifted and added."""

    def conv_transpose(
        inputs: Any, kernel: Any, strides: Any = 1, padding: str = "valid", output_padding: Any = None,
        data_format: str | None = None, dilation_rate: Any = 1,
    ) -> Any:
        _refuse_unless_volume(inputs, data_format)
        refuse_unless(output_padding is None and _triple(dilation_rate) == [1, 1, 1])
        kernel = tf.convert_to_tensor(kernel)
        depth, height, width, filters, channels = kernel.shape
        stride = _triple(strides)
        shape = [
            length * step + (0 if padding == "same" else max(window - step, 0))
            for length, step, window in zip(inputs.shape[1:4], stride, (depth, height, width), strict=True)
        ]
        flat = tf.reshape(tf.transpose(kernel, [1, 2, 0, 3, 4]), [height, width, depth * filters, channels])
        planes = tf.nn.conv2d_transpose(
            inputs[0], flat, [inputs.shape[1], *shape[1:], depth * filters], stride[1:], padding.upper()
        )
        before = _same_padding(shape[0], depth, stride[0])[0] if padding == "same" else 0
        full = (inputs.shape[1] - 1) * stride[0] + max(depth, stride[0])
        total = tf.zeros([])
        for at in range(depth):
            part = _spread(planes[..., at * filters : (at + 1) * filters], stride[0])
            total += tf.pad(part, [[at, full - at - part.shape[0]], [0, 0], [0, 0], [0, 0]])
        return total[before : before + shape[0]][tf.newaxis]

    return conv_transpose


def _spread(planes: Any, stride: int) -> Any:
    """Planes with `stride` - 1 empty ones between."""
    if stride == 1:
        return planes
    count = planes.shape[0]
    gaps = tf.pad(planes[:, tf.newaxis], [[0, 0], [0, stride - 1], [0, 0], [0, 0], [0, 0]])
    return tf.reshape(gaps, [count * stride, *planes.shape[1:]])[: (count - 1) * stride + 1]


def _pool_largest(original: Callable[..., Any]) -> Callable[..., Any]:
    def max_pool(
        inputs: Any, pool_size: Any, strides: Any = None, padding: str = "valid", data_format: str | None = None
    ) -> Any:
        _refuse_unless_volume(inputs, data_format)
        size, stride = _triple(pool_size), _triple(pool_size if strides is None else strides)
        planes = tf.nn.max_pool2d(inputs[0], size[1:], stride[1:], padding.upper())[tf.newaxis]
        if padding == "same":  # each window holds the edge whose copies are added
            before, after = _same_padding(inputs.shape[1], size[0], stride[0])
            planes = tf.concat([planes[:, :1]] * before + [planes] + [planes[:, -1:]] * after, axis=1)
        count = (planes.shape[1] - size[0]) // stride[0] + 1
        result = _planes(planes, 0, stride[0], count)
        for at in range(1, size[0]):
            result = tf.maximum(result, _planes(planes, at, stride[0], count))
        return result

    return max_pool


def _pool_mean(original: Callable[..., Any]) -> Callable[..., Any]:
    def average_pool(
        inputs: Any, pool_size: Any, strides: Any = None, padding: str = "valid", data_format: str | None = None
    ) -> Any:
        _refuse_unless_volume(inputs, data_format)
        size, stride = _triple(pool_size), _triple(pool_size if strides is None else strides)
        planes = tf.nn.avg_pool2d(inputs[0], size[1:], stride[1:], padding.upper())[tf.newaxis]
        real = tf.ones([1, inputs.shape[1], 1, 1, 1])
        if padding == "same":  # planes beyond the edge count for nothing
            edges = [[0, 0], list(_same_padding(inputs.shape[1], size[0], stride[0])), [0, 0], [0, 0], [0, 0]]
            planes, real = tf.pad(planes, edges), tf.pad(real, edges)
        count = (planes.shape[1] - size[0]) // stride[0] + 1
        total, counted = (
            sum(_planes(values, at, stride[0], count) for at in range(size[0])) for values in (planes, real)
        )
        return total * (1 / counted)

    return average_pool


FORMS = (
    Form("volumes", backend.nn, "conv", _convolve),
    Form("volumes", backend.nn, "conv_transpose", _convolve_transposed),
    Form("volumes", backend.nn, "max_pool", _pool_largest),
    Form("volumes", backend.nn, "average_pool", _pool_mean),
)
