"""Runs checks side by side; one that fails is a finding like any other, and stops none."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from edgekit_devices import isolation
from edgekit_devices.doctor.finding import Check, Found, warning
from edgekit_devices.machine import Machine
from edgekit_devices.machine.commands import exact

AT_ONCE = 4
"""Checks that run at a time: most of them wait, for a child process or a disk."""
REPORT = "Run the same command with --debug for the traceback, and please report it."


def run_checks(
    checks: Sequence[Check], machine: Machine, *, at_once: int = AT_ONCE,
    progress: Callable[[str], None] = lambda name: None, debug: Callable[[str], None] | None = None,
) -> Iterator[Found]:
    """Run them, and give what they find in their own order.

    Args:
        checks: What is asked.
        machine: Of whom.
        at_once: How many are asked at a time.
        progress: Told the name of each check whose findings are waited for.
        debug: Told the traceback of a check that failed.
    """
    with ThreadPoolExecutor(at_once) as pool:
        waiting = [(check, pool.submit(_run, check, machine, debug)) for check in checks]
        try:
            for check, future in waiting:
                progress(check.name)
                yield from future.result()
        except BaseException:  # Ctrl-C: threads cannot be ended, but what they wait for can
            pool.shutdown(wait=False, cancel_futures=True)
            isolation.end_all()
            raise


def _run(check: Check, machine: Machine, debug: Callable[[str], None] | None) -> list[Found]:
    found = []
    try:
        for finding in check.look(machine):
            found.append(Found(check, replace(finding, mend=exact(machine, finding.mend))))
    except Exception as error:  # of a broken install, anything may fail in any way
        if debug:
            debug(traceback.format_exc())
        what = f"the check {check.name} failed itself: {type(error).__name__}: {error}"
        found.append(Found(check, warning(what, "What it should have seen is not known.", REPORT)))
    return found
