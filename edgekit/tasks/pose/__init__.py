"""Where the parts of a body are: heads that give keypoints."""

from edgekit.tasks.pose import posenet, yolo_pose
from edgekit.tasks.pose.movenet import MOVENET, MULTIPOSE

__all__ = ["HEADS"]

HEADS = (MOVENET, MULTIPOSE, posenet.HEAD, yolo_pose.HEAD)
