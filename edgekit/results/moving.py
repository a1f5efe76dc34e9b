"""From places in a part of a frame to places in the frame."""

from __future__ import annotations

from dataclasses import replace

from edgekit.results.base import Result
from edgekit.results.maps import DepthMap, Picture, Segmentation
from edgekit.results.objects import Box, DetectedObject, Detection, Keypoint, Pose


def moved(result: Result, left: int, top: int, width: int, height: int) -> Result:
    """What a model says of a part of a frame, with its places as places in the frame.

    Args:
        result: Of the part. Results without places are given back as they are.
        left: Column of the frame at which the part begins.
        top: Row at which it begins.
        width: Columns of the frame.
        height: Its rows.
    """
    if isinstance(result, Detection):
        return replace(result, objects=_objects(result.objects, left, top), width=width, height=height)
    if isinstance(result, Pose):
        objects = None if result.objects is None else _objects(result.objects, left, top)
        return replace(
            result, keypoints=_points(result.keypoints, left, top), objects=objects, width=width, height=height
        )
    if isinstance(result, (Segmentation, DepthMap, Picture)):
        return replace(result, area=_box(result.area, left, top), width=width, height=height)
    return result


def _objects(objects: tuple[DetectedObject, ...], left: int, top: int) -> tuple[DetectedObject, ...]:
    return tuple(
        replace(found, box=_box(found.box, left, top), keypoints=_points(found.keypoints, left, top))
        for found in objects
    )


def _points(points: tuple[Keypoint, ...], left: int, top: int) -> tuple[Keypoint, ...]:
    return tuple(replace(point, x=point.x + left, y=point.y + top) for point in points)


def _box(box: Box, left: int, top: int) -> Box:
    return box[0] + left, box[1] + top, box[2] + left, box[3] + top
