"""Calibration data: samples that show the converter which values each tensor takes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DataError, MissingFileError
from edgekit.images import list_images, read_image
from edgekit.inputs import is_picture_shape
from edgekit.metadata import Normalization
from edgekit.normalization import NAMED
from edgekit.preprocess import ImagePreprocessor, ImageSpec
from edgekit.tables import TEXT_SUFFIXES, read_arrays, read_rows
from edgekit_converters.events import OnProgress, Progress
from edgekit_converters.options import Options
from edgekit_converters.samples.sensor_logs import holds_samples, is_log, windows_of_logs
from edgekit_converters.tracing.specs import InputSpec, tidy

LARGEST = 1e30
"""As good as infinite: no sensor gives such numbers, and their scale is beyond float32."""
FEW_SAMPLES = 10
"""Below this many, ranges are poorly known: ResNets lost 10 dB with 1 sample and nothing with 50."""
PIXEL_NORMALIZATION = NAMED["0..255"]
_ACCEPTED = "Calibration takes a folder of pictures, an .npz or .npy file, or a .csv of numbers."

Feed = dict[str, NDArray[Any]]
"""One sample: an array for each input, by name."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Samples ready to be fed.

    Attributes:
        samples: Arrays by input name, each of the input's shape with the batch of 1 in front and of its type.
        normalizations: By name of each input that takes pictures, how pixels become what the network takes, as used
            or as seen in the values; an input of which nothing is known is left out.
        summary: For the metadata and the report: kind, name and number of samples, values seen by input.
        warnings: What was skipped, or is doubtful.
    """

    samples: Sequence[Feed]
    normalizations: Mapping[str, Normalization]
    summary: dict[str, Any]
    warnings: tuple[str, ...] = field(default=())


def check_calibration(path: Path) -> None:
    """Refuse, before TensorFlow is loaded, what cannot be calibration data.

    Raises:
        MissingFileError: nothing is there.
        DataError: it is of no kind that is taken, or a folder without pictures.
    """
    if not path.exists():
        raise MissingFileError(f"no such calibration data: {path}", hint=_ACCEPTED)
    if is_log(path):
        return
    if path.is_dir():
        list_images(path)
    else:
        raise DataError(f"calibration data {path} is of no kind that EdgeKit reads", hint=_ACCEPTED)


def load_calibration(
    path: Path, name: str, inputs: Sequence[InputSpec], options: Options, report: OnProgress, *,
    in_a_row: bool = False,
) -> Calibration:
    """Read calibration data for a model's inputs, `options.samples` of it at most, evenly spread.

    Args:
        path: A folder of pictures (subfolders too), a `.csv`, `.npy` or `.npz` file.
        name: What the user calls it.
        inputs: The model's inputs.
        options: Normalization, colours and resizing of pictures, and how many samples.
        report: Told of the progress.
        in_a_row: Whether rows of arrays are taken from the first on, without gaps: pieces of one stream.

    Raises:
        DataError: the data does not fit the inputs, holds NaN or infinity, or never changes.
    """
    if options.windows and len(inputs) == 1 and not holds_samples(path, inputs[0]):
        calibration = _from_logs(path, name, inputs[0], options, report)
    elif path.is_dir():
        calibration = _from_pictures(path, name, inputs, options, report)
    else:
        calibration = _from_arrays(_arrays(path, inputs), name, inputs, options, in_a_row)
    _refuse_constant(calibration.summary["ranges"], name)
    count = len(calibration.samples)
    if count < FEW_SAMPLES:
        few = f"only {count} calibration sample{'s' * (count > 1)}: ranges will be rough; 50 or more are better"
        return replace(calibration, warnings=(*calibration.warnings, few))
    return calibration


def _from_logs(path: Path, name: str, spec: InputSpec, options: Options, report: OnProgress) -> Calibration:
    arrays, about, notes = windows_of_logs(path, name, spec, options, report)
    samples = [{spec.name: array} for array in arrays]
    return Calibration(samples, {}, {**summary_of("logs", name, samples), **about}, notes)


def picture_preprocessor(spec: InputSpec, options: Options) -> ImagePreprocessor:
    """What turns a picture into the float values of an input, just as the device will."""
    _, height, width, depth = spec.shape
    return ImagePreprocessor(
        ImageSpec(
            height, width, "gray" if depth == 1 else options.channels or "rgb", spec.dtype,
            normalization=pixel_normalization(options), resize=options.resize or "stretch",
        )
    )


def prepared_picture(picture: NDArray[np.uint8], spec: InputSpec, options: Options) -> NDArray[Any]:
    """The float values of an input, batch of 1 in front, of a picture in RGB."""
    return picture_preprocessor(spec, options)(picture, "rgb").copy()


def _from_pictures(
    folder: Path, name: str, inputs: Sequence[InputSpec], options: Options, report: OnProgress
) -> Calibration:
    spec = _only_picture_input(inputs, folder)
    prepare = picture_preprocessor(spec, options)
    chosen = spread(list_images(folder), options.samples)
    samples: list[Feed] = []
    skipped: list[str] = []
    for done, file in enumerate(chosen, 1):
        report(Progress("reading calibration pictures", done, len(chosen)))
        try:
            samples.append({spec.name: prepare(read_image(file), "bgr").copy()})
        except DataError as error:
            skipped.append(f"skipped {error.message}")
    if not samples:
        raise DataError(f"none of the {len(chosen)} pictures in {folder} can be read", hint=skipped[0])
    summary = summary_of("pictures", name, samples)
    return Calibration(samples, {spec.name: pixel_normalization(options)}, summary, tuple(skipped))


def _only_picture_input(inputs: Sequence[InputSpec], folder: Path) -> InputSpec:
    if len(inputs) > 1:
        names = ", ".join(spec.name for spec in inputs)
        raise DataError(
            f"a folder of pictures cannot calibrate a model with {len(inputs)} inputs ({names})",
            hint=f"Give an .npz with one array for each, by name: {names}.",
        )
    if not is_picture_shape(inputs[0].shape):
        raise DataError(
            f"{folder} holds pictures, and the model's input '{inputs[0].name}' of shape {inputs[0].shape} is none",
            hint="Give a .csv of numbers or an .npz.",
        )
    return inputs[0]


def _arrays(path: Path, inputs: Sequence[InputSpec]) -> dict[str, NDArray[Any]]:
    if path.suffix.lower() not in TEXT_SUFFIXES:
        return read_arrays(path)
    if len(inputs) > 1:
        raise DataError(
            f"{path} cannot calibrate a model with {len(inputs)} inputs",
            hint=f"Give an .npz with one array for each, by name: {', '.join(s.name for s in inputs)}.",
        )
    return {inputs[0].name: read_rows(path, int(np.prod(inputs[0].shape)))}


def _from_arrays(
    arrays: Mapping[str, NDArray[Any]], name: str, inputs: Sequence[InputSpec], options: Options, in_a_row: bool
) -> Calibration:
    chosen = match_arrays(arrays, name, inputs)
    counts = {spec.name: len(chosen[spec.name]) for spec in inputs}
    if len(set(counts.values())) > 1:
        raise DataError(f"{name} holds different numbers of samples: {counts}")
    if not next(iter(counts.values())):
        raise DataError(f"{name} holds no samples")
    rows = range(next(iter(counts.values())))
    indices = list(rows[: options.samples]) if in_a_row else spread(rows, options.samples)
    given = {key: array[indices] for key, array in chosen.items()}
    columns = {spec.name: _feedable(given[spec.name], spec, name, options) for spec in inputs}
    samples = [{key: column[i : i + 1] for key, column in columns.items()} for i in range(len(indices))]
    normalizations: dict[str, Normalization] = {}
    warnings: list[str] = []
    for spec in inputs:
        if not is_picture_shape(spec.shape):
            continue
        if _holds_pixels(given[spec.name], spec):
            normalizations[spec.name] = pixel_normalization(options)
            continue
        seen, note = _seen_normalization(columns[spec.name], options, name)
        warnings += [note] if note else []
        normalizations |= {spec.name: seen} if seen else {}
    return Calibration(samples, normalizations, summary_of("arrays", name, samples), tuple(warnings))


def _holds_pixels(array: NDArray[Any], spec: InputSpec) -> bool:
    return array.dtype == np.uint8 and is_picture_shape(spec.shape) and spec.dtype.startswith("float")


def pixel_normalization(options: Options) -> Normalization:
    """How pixels become what the network takes."""
    return options.normalization or PIXEL_NORMALIZATION


def match_arrays(
    arrays: Mapping[str, NDArray[Any]], name: str, inputs: Sequence[InputSpec]
) -> dict[str, NDArray[Any]]:
    """The array for each input: by name, or for a single input the one that fits its shape."""
    arrays = {tidy(key): array for key, array in arrays.items()}
    if all(spec.name in arrays for spec in inputs):
        found = {spec.name: arrays[spec.name] for spec in inputs}
    elif len(inputs) > 1:
        missing = [spec.name for spec in inputs if spec.name not in arrays]
        raise DataError(
            f"{name} has no array for input {', '.join(missing)}; it holds {', '.join(sorted(arrays))}",
            hint="Name the arrays as the model's inputs.",
        )
    else:
        found = {inputs[0].name: _fitting(arrays, name, inputs[0])}
    return {spec.name: _shaped(found[spec.name], spec, name) for spec in inputs}


def _fitting(arrays: Mapping[str, NDArray[Any]], name: str, spec: InputSpec) -> NDArray[Any]:
    fitting = [key for key, array in arrays.items() if _fits(array, spec)]
    for key in ("x", *fitting[:1] * (len(fitting) == 1), *list(arrays)[:1] * (len(arrays) == 1)):
        if key in arrays:
            return arrays[key]
    raise DataError(
        f"{name} holds {', '.join(f'{key} {array.shape}' for key, array in sorted(arrays.items()))}, "
        f"and it is not clear which is for input '{spec.name}' of shape {spec.shape}",
        hint=f"Name that array '{spec.name}' or 'x'.",
    )


def _fits(array: NDArray[Any], spec: InputSpec) -> bool:
    return _squeezed(array.shape[1:]) == _squeezed(spec.shape[1:]) and array.dtype.kind in "buif"


def _squeezed(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(size for size in shape if size != 1)


def _shaped(array: NDArray[Any], spec: InputSpec, name: str) -> NDArray[Any]:
    """The array with the input's shape behind its first dimension; dimensions of 1 may come or go."""
    if array.dtype.kind not in "buif":
        raise DataError(f"{name} holds {array.dtype} for input '{spec.name}', where numbers are wanted")
    if array.ndim and _squeezed(array.shape[1:]) == _squeezed(spec.shape[1:]):
        return array.reshape(len(array), *spec.shape[1:])
    if array.ndim > 1 and _squeezed(array.shape[2:]) == _squeezed(spec.shape[1:]):
        return array.reshape(-1, *spec.shape[1:])  # batches of samples
    wanted = ", ".join(str(size) for size in spec.shape[1:])
    raise DataError(
        f"{name} has the shape {array.shape}, and the model's input '{spec.name}' takes (samples, {wanted})",
        hint="Bring the samples to that shape.",
    )


def _feedable(array: NDArray[Any], spec: InputSpec, name: str, options: Options) -> NDArray[Any]:
    """uint8 pictures through the device's preprocessing; everything else as the numbers that it is."""
    if _holds_pixels(array, spec):
        prepare = picture_preprocessor(spec, options)
        return np.concatenate([prepare(picture).copy() for picture in array])
    with np.errstate(over="ignore"):
        values = array.astype(spec.dtype)
    broken = ~(np.abs(values) < LARGEST) if values.dtype.kind == "f" else np.zeros(values.shape, bool)
    if broken.any():
        sample = int(np.argwhere(broken)[0][0])
        raise DataError(f"{name} holds NaN or infinity, first in sample {sample}", hint="Clean the data first.")
    return values


def _seen_normalization(values: NDArray[Any], options: Options, name: str) -> tuple[Normalization | None, str]:
    """Float pictures are normalized already: what was done to them shows in their range. With a note for the user."""
    if options.normalization:
        return options.normalization, ""
    low, high = float(values.min()), float(values.max())
    for text, (smallest, largest) in {"0..1": (0, 1), "-1..1": (-1, 1), "0..255": (0, 255)}.items():
        if smallest <= low and high <= largest:
            note = f"the values of {name} lie within {text}: that is what the device will bring pixels to"
            return NAMED[text], f"{note} (say otherwise with normalize)"
    return None, f"the values of {name} lie in {low:.4g}..{high:.4g}: the file cannot say how to normalize pixels"


def summary_of(kind: str, name: str, samples: Sequence[Feed]) -> dict[str, Any]:
    """What a `Calibration` tells of its samples."""
    ranges = {
        key: [float(min(s[key].min() for s in samples)), float(max(s[key].max() for s in samples))]
        for key in samples[0]
    }
    about = {"kind": kind, "source": Path(name).name, "samples": len(samples), "ranges": ranges}
    return {**about, "sha256": _digest(samples)}


def _digest(samples: Sequence[Feed]) -> str:
    """Of the samples as they were fed, so that somebody can tell whether two models saw the same."""
    digest = hashlib.sha256()
    for sample in samples:
        for key in sorted(sample):
            digest.update(key.encode())
            digest.update(sample[key].tobytes())
    return digest.hexdigest()


def _refuse_constant(ranges: Mapping[str, Sequence[float]], name: str) -> None:
    for key, (low, high) in ranges.items():
        if low == high:
            raise DataError(
                f"the calibration data {name} never changes: input '{key}' is {low:g} throughout",
                hint="Give samples such as the model will see.",
            )


def spread(items: Sequence[Any], most: int) -> list[Any]:
    """`most` of the items at most, evenly spread from the first to the last."""
    chosen = np.unique(np.linspace(0, len(items) - 1, min(most, len(items))).round().astype(int))
    return [items[index] for index in chosen]
