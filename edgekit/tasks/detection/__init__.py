"""Where objects are: heads that give boxes."""

from edgekit.tasks.detection import blazeface, centernet, postprocess, ssd
from edgekit.tasks.detection.yolo import END2END, YOLOV5, YOLOV8

__all__ = ["HEADS"]

HEADS = (postprocess.HEAD, ssd.HEAD, YOLOV5, YOLOV8, END2END, centernet.HEAD, blazeface.HEAD)
