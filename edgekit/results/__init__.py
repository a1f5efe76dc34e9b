"""What a model says of one sample: a type for each task."""

from edgekit.results.base import Latency, Result, ScoredClass, to_json
from edgekit.results.classification import Classification
from edgekit.results.maps import ClassShare, DepthMap, Embedding, Picture, Segmentation
from edgekit.results.objects import Box, Crossings, DetectedObject, Detection, Keypoint, Located, Pose
from edgekit.results.sensing import Anomaly, Blame, Forecast, Keyword
from edgekit.results.values import Values

__all__ = [
    "Anomaly",
    "Blame",
    "Box",
    "ClassShare",
    "Classification",
    "Crossings",
    "DepthMap",
    "DetectedObject",
    "Detection",
    "Embedding",
    "Forecast",
    "Keypoint",
    "Keyword",
    "Latency",
    "Located",
    "Picture",
    "Pose",
    "Result",
    "ScoredClass",
    "Segmentation",
    "Values",
    "to_json",
]
