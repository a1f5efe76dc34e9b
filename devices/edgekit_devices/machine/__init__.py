"""The machine as the list of devices and the doctor see it; it works on a broken install, and on a tree of files."""

from edgekit_devices.machine.machine import Machine, Said, this_machine
from edgekit_devices.machine.python import Package, Python
from edgekit_devices.machine.user import User

__all__ = ["Machine", "Package", "Python", "Said", "User", "this_machine"]
