"""Boards: which one this is, and what is known of it.

::

    from edgekit_devices.boards import board

    here = board()
    print(here.name, here.profile.name, here.profile.runs)

What is known is data: a file for each family in `profiles/`.
"""

from __future__ import annotations

from edgekit_devices.boards.profile import Latency, Profile, profiles
from edgekit_devices.boards.recognition import Board, board

__all__ = ["Board", "Latency", "Profile", "board", "profiles"]
