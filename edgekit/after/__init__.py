"""What happens to results after the model: tracking, zones and lines, smoothing, and which ones are passed on.

A step is called with one result after another and gives each on, changed or not, or None::

    tracker, places = edgekit.after.Tracker(), edgekit.after.Places(lines={"door": [(0.5, 0), (0.5, 1)]})
    for result in edgekit.run("person.tflite", "camera:0"):
        print(places(tracker(result)).lines)
"""

from edgekit.after.passing import OnChange, RateLimit, state_of
from edgekit.after.places import Places
from edgekit.after.smoothing import Debounce, Smooth
from edgekit.after.tracking import Tracker
from edgekit.after.types import Chain, Step, moment

__all__ = [
    "Chain",
    "Debounce",
    "OnChange",
    "Places",
    "RateLimit",
    "Smooth",
    "Step",
    "Tracker",
    "moment",
    "state_of",
]
