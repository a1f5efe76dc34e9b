"""One picture with all that its result says. What a task adds to the payload under a key known here is drawn too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.drawing.canvas import DARK, Canvas, Colour, colour_of
from edgekit.drawing.maps import overlay
from edgekit.images import import_cv2
from edgekit.results import Result

LEAST_KEYPOINT_SCORE = 0.3
LEAST_SHOWN_SCORE = 0.05
"""Of a class behind the best one."""
MOST_LINES = 5
MOST_NUMBERS = 4
LIMBS = (
    ("left_shoulder", "right_shoulder"), ("left_hip", "right_hip"),
    ("left_shoulder", "left_hip"), ("right_shoulder", "right_hip"),
    ("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"),
    ("right_shoulder", "right_elbow"), ("right_elbow", "right_wrist"),
    ("left_hip", "left_knee"), ("left_knee", "left_ankle"),
    ("right_hip", "right_knee"), ("right_knee", "right_ankle"),
    ("nose", "left_eye"), ("nose", "right_eye"), ("left_eye", "left_ear"), ("right_eye", "right_ear"),
)
"""Lines between the keypoints of a body, by the names of COCO."""


def annotate(result: Result, size: tuple[int, int] | None = None) -> NDArray[np.uint8] | None:
    """The frame of a result with boxes, keypoints, classes and maps drawn on it.

    Args:
        result: What to draw, and the frame to draw it on, which is not changed.
        size: Width and height of the picture that is made; by default those of the frame.

    Returns:
        uint8 of shape (H, W, 3), blue, green, red; None for a result without a frame.

    Raises:
        MissingDependencyError: OpenCV is not installed.
    """
    if result.frame is None:
        return None
    cv2 = import_cv2()
    height, width = result.frame.shape[:2]
    picture = overlay(cv2, _bgr(cv2, result, size or (width, height)), result)
    if picture is result.frame:
        picture = result.frame.copy()
    canvas = Canvas(cv2, picture, (picture.shape[1] / width, picture.shape[0] / height))
    payload = result.payload()
    for found in payload.get("objects") or ({"keypoints": payload.get("keypoints", ())},):
        _body(canvas, found)
        _object(canvas, found)
    canvas.captions([*_captions(payload)][:MOST_LINES])
    return canvas.picture


def _bgr(cv2: Any, result: Result, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The frame in blue, green, red and in the size wanted. Small ones are enlarged without blur."""
    frame = result.frame
    assert frame is not None
    height, width = frame.shape[:2]
    if size != (width, height):
        frame = cv2.resize(frame, size, interpolation=cv2.INTER_NEAREST if size[0] > 2 * width else cv2.INTER_AREA)
    if frame.ndim == 2 or frame.shape[2] == 1:
        return np.asarray(cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR), np.uint8)
    if result.frame_channels == "rgb":
        return np.asarray(cv2.cvtColor(frame[:, :, :3], cv2.COLOR_RGB2BGR), np.uint8)
    return frame if frame.shape[2] == 3 else frame[:, :, :3].copy()


def _object(canvas: Canvas, found: Mapping[str, Any]) -> None:
    box = found.get("box")
    if not box or None in box:
        return
    track = found.get("id")
    title = _title(found, track)
    if classes := (found.get("inner") or {}).get("classes"):  # of the second model of a cascade
        title += f": {_title(classes[0])}"
    canvas.box(tuple(box), colour_of(found.get("index", 0) if track is None else track), title)


def _title(found: Mapping[str, Any], track: int | None = None) -> str:
    name = found.get("label") or (f"class {found['index']}" if "index" in found else "")
    number = found.get("score", found.get("share"))
    parts = [f"#{track}" if track is not None else "", str(name), "" if number is None else f"{number:.2f}"]
    return " ".join(filter(None, parts))


def _body(canvas: Canvas, body: Mapping[str, Any]) -> None:
    points: Sequence[Mapping[str, Any]] = [p for p in body.get("keypoints", ()) if _is_seen(p)]
    places = {point["name"]: (point["x"], point["y"]) for point in points if point.get("name")}
    colour = colour_of(body.get("id") or 0)
    for start, end in LIMBS:
        if start in places and end in places:
            canvas.line(places[start], places[end], colour)
    for point in points:
        canvas.point((point["x"], point["y"]), colour)


def _is_seen(point: Mapping[str, Any]) -> bool:
    score = point.get("score")
    return None not in (point["x"], point["y"]) and (score is None or score >= LEAST_KEYPOINT_SCORE)


def _captions(payload: Mapping[str, Any]) -> Iterator[tuple[str, Colour]]:
    """What has no place in the picture, as lines of text."""
    for place, found in enumerate(payload.get("classes", ())):
        if place == 0 or (found.get("score") or 0) >= LEAST_SHOWN_SCORE:
            yield _title(found), colour_of(found["index"])
    for found in (payload.get("mask") or {}).get("classes", ()):
        yield f"{found['label'] or found['index']} {found['share']:.0%}", colour_of(found["index"] - 1)
    if "is_anomaly" in payload:
        score = payload.get("score")
        yield f"{'anomaly' if payload['is_anomaly'] else 'normal'} {'' if score is None else f'{score:.3g}'}", DARK
    values = payload.get("values")
    if isinstance(values, list) and values and all(isinstance(v, (int, float)) for v in values[:MOST_NUMBERS]):
        more = " …" if len(values) > MOST_NUMBERS else ""
        yield "  ".join(f"{value:.3g}" for value in values[:MOST_NUMBERS]) + more, DARK
