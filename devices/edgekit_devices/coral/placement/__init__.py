"""Which operations of a model the Edge TPU's compiler takes, told without it."""

from edgekit_devices.coral.placement.analysis import COMPILER, analyse, place
from edgekit_devices.coral.placement.general import GENERAL, supported
from edgekit_devices.coral.placement.limits import LIMITS
from edgekit_devices.coral.placement.record import read_record

__all__ = [
    "COMPILER",
    "GENERAL",
    "LIMITS",
    "analyse",
    "place",
    "read_record",
    "supported",
]
