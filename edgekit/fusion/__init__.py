"""Several sources into one model with several inputs, joined by the time at which things were captured.

::

    model = edgekit.load("drive.tflite")                       # inputs image and imu
    source = edgekit.fusion.fuse(model, {"image": "camera:0", "imu": "serial:/dev/ttyUSB0?columns=ax,ay,az"})
    for result in edgekit.run(model, source):
        print(result.slack["imu"])                             # seconds by which the IMU's window missed the frame
"""

from __future__ import annotations

from edgekit.fusion.joining import JOINS, Join
from edgekit.fusion.opening import fuse
from edgekit.fusion.source import Follower, Fused

__all__ = ["JOINS", "Follower", "Fused", "Join", "fuse"]
