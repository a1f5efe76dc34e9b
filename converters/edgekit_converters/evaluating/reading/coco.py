"""Annotations in COCO's JSON format: objects in pictures, with boxes.

The format: https://cocodataset.org/#format-data, of which `images`, `annotations` (`bbox`, `category_id`, `image_id`,
`iscrowd`) and `categories` are read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DataError, UsageError
from edgekit_converters.evaluating.dataset import Dataset, Pictures
from edgekit_converters.evaluating.reading.asked import Asked
from edgekit_converters.evaluating.reading.grouping import FOLDER, folder_level, folders_at, group
from edgekit_converters.evaluating.reading.tables import listed
from edgekit_converters.evaluating.reading.targets import numbers_of
from edgekit_converters.evaluating.subject import Subject

FOLDERS = ("", "images", "../images")
"""Where pictures are looked for, from the annotations."""
OBJECT = 6
FORM = "It has to hold images, annotations and categories, as COCO's instances_val2017.json does."


def read_coco(path: Path, subject: Subject, asked: Asked) -> Dataset:
    """Pictures with annotated objects.

    Raises:
        DataError: the file is none, a box is none, an annotation is of an image or category that is not there, a
            picture is missing, or the model has no such classes.
        UsageError: labels for another task are wanted.
    """
    if asked.task not in (None, "detection"):
        raise UsageError(f"{path} holds boxes, and task {asked.task} has no use for them", hint="Leave --task.")
    document = _read(path)
    images: list[Mapping[str, Any]] = document["images"]
    if not images:
        raise DataError(f"{path} holds no images")
    numbers = _classes(path, document["categories"], subject)
    objects = _objects(path, document["annotations"], {image["id"]: [] for image in images}, numbers)
    folder = _folder(path, asked, images)
    files = tuple(folder / str(image["file_name"]) for image in images)
    targets = [np.array(found, np.float64).reshape(-1, OBJECT) for found in objects.values()]

    def find(name: str) -> NDArray[Any]:
        if name.startswith(FOLDER):
            return np.array(folders_at(folder_level(name), files, folder))
        if not all(name in image for image in images):
            raise DataError(f"not every image of {path} has a '{name}' to group by")
        return np.array([str(image[name]) for image in images])

    return Dataset(str(path), Pictures(files), "detection", targets, group(asked.group_by, find, str(path)))


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError, OSError) as error:
        raise DataError(f"{path} cannot be read as JSON: {error}", hint=FORM) from error
    keys = {"images": ("id", "file_name"), "annotations": ("image_id", "category_id", "bbox"),
            "categories": ("id", "name")}
    for key, wanted in keys.items():
        entries = document.get(key) if isinstance(document, dict) else None
        if not isinstance(entries, list):
            raise DataError(f"{path} has no list '{key}'", hint=FORM)
        lacking = next((at for at, e in enumerate(entries) if not isinstance(e, dict) or not set(wanted) <= set(e)), -1)
        if lacking >= 0:
            raise DataError(f"{path}: {key}[{lacking}] does not have all of {', '.join(wanted)}", hint=FORM)
    return dict(document)


def _classes(path: Path, categories: Sequence[Mapping[str, Any]], subject: Subject) -> dict[Any, int]:
    """Number of the model's class by id of the category; without labels the categories are in order of their ids."""
    ordered = sorted(categories, key=lambda category: str(category["id"]).rjust(12))
    if not subject.labels:
        return {category["id"]: at for at, category in enumerate(ordered)}
    known = numbers_of([str(category["name"]) for category in ordered], subject, str(path))
    return {category["id"]: number for category, number in zip(ordered, known, strict=True)}


def _objects(
    path: Path, annotations: Sequence[Mapping[str, Any]], objects: dict[Any, list[Any]], numbers: Mapping[Any, int]
) -> dict[Any, list[Any]]:
    for at, annotation in enumerate(annotations):
        if annotation["image_id"] not in objects:
            raise DataError(f"{path}: annotations[{at}] is of image {annotation['image_id']}, which is not there")
        if annotation["category_id"] not in numbers:
            raise DataError(f"{path}: annotations[{at}] is of category {annotation['category_id']}, which is not there")
        left, top, width, height = _box(path, at, annotation["bbox"])
        crowd = float(bool(annotation.get("iscrowd", 0)))
        row = (left, top, left + width, top + height, numbers[annotation["category_id"]], crowd)
        objects[annotation["image_id"]].append(row)
    return objects


def _box(path: Path, at: int, box: Any) -> tuple[float, float, float, float]:
    try:
        left, top, width, height = (float(number) for number in box)
    except (TypeError, ValueError):
        raise DataError(f"{path}: the bbox of annotations[{at}] is {box!r}, not [left, top, width, height]") from None
    if not np.isfinite([left, top, width, height]).all() or width < 0 or height < 0:
        raise DataError(f"{path}: the bbox of annotations[{at}] is {box}: no size below zero, and no NaN, can be")
    return left, top, width, height


def _folder(path: Path, asked: Asked, images: Sequence[Mapping[str, Any]]) -> Path:
    """Where the pictures are: the folder that has the first one, and then has to have all."""
    folders = [asked.images] if asked.images else [path.parent / name for name in FOLDERS]
    first = str(images[0]["file_name"])
    folder = next((folder for folder in folders if (folder / first).is_file()), None)
    if folder is None:
        looked = ", ".join(str(folder) for folder in folders)
        raise DataError(f"{path} names the picture {first}, which is not in {looked}", hint="Name it with --images.")
    names = [str(image["file_name"]) for image in images]
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise DataError(f"{len(missing)} of {len(names)} pictures that {path} names are not in {folder}: "
                        f"{listed(missing)}")
    return folder
