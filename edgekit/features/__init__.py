"""What is computed of a window before the network sees it: declared in the model file, done alike in calibration and on
the device.

A declaration is a name with options, such as `logmel:rate=16000,frame=1024,hop=512,bands=40`. The empty text stands for
the values themselves.
"""

from __future__ import annotations

from edgekit.features.parsing import FEATURES, parse_features
from edgekit.features.types import Features

__all__ = ["FEATURES", "Features", "parse_features"]
