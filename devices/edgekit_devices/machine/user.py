"""Who looks, and which groups are the user's: those that hold now, and those that hold from the next login on."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from edgekit_devices import sysfs


@dataclass(frozen=True, slots=True)
class User:
    """A user, and the groups of this session.

    Attributes:
        name: Login name; the number where it has none.
        number: 0 for the administrator.
        session: Groups that this process has.
        enrolled: Groups that list the user, which a new login has.
        known: All groups of the system.
    """

    name: str
    number: int = 1000
    session: frozenset[str] = frozenset()
    enrolled: frozenset[str] = frozenset()
    known: frozenset[str] = frozenset()

    @property
    def is_root(self) -> bool:
        """Whether all is allowed."""
        return self.number == 0


def this_user(root: Path) -> User:
    """The user whose process this is, by the root's own lists."""
    number = os.geteuid()
    accounts = [line.split(":") for line in sysfs.text(root / "etc/passwd").splitlines()]
    name = next((account[0] for account in accounts if len(account) > 2 and account[2] == str(number)), str(number))
    groups = [line.split(":") for line in sysfs.text(root / "etc/group").splitlines()]
    numbers = {str(held) for held in (os.getegid(), *os.getgroups())}
    sound = [group for group in groups if len(group) == 4]
    return User(
        name, number,
        frozenset(group[0] for group in sound if group[2] in numbers),
        frozenset(group[0] for group in sound if name in group[3].split(",")),
        frozenset(group[0] for group in sound),
    )
