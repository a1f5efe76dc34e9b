"""`edgekit devices`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace

import click

from edgekit.cli import debug_option, examples
from edgekit.cli.layout import visible
from edgekit.cli.streams import print_output
from edgekit.cli.terminal import LiveLine
from edgekit_devices.boards import board
from edgekit_devices.listing import Kind, Listed, list_all
from edgekit_devices.machine import this_machine
from edgekit_devices.machine.commands import exact

TITLES: dict[Kind, str] = {
    "accelerator": "Accelerators, for --device",
    "camera": "Cameras, as SOURCE",
    "sensor": "Sensors, as SOURCE",
    "audio": "Microphones, as SOURCE",
}


@click.command(
    "devices",
    epilog=examples("""
        edgekit devices
        edgekit devices --json
    """),
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@debug_option
def devices_command(as_json: bool) -> None:
    """List accelerators, cameras, sensors and microphones, with what to write for each and whether it can be used.

    Nothing is used for that: no picture is taken, and no Edge TPU is woken. edgekit doctor tries them.
    """
    machine = this_machine()
    line = LiveLine(sys.stderr)
    line.show("looking at what is attached ...", at_once=True)
    try:
        found = [replace(one, mend=exact(machine, one.mend)) for one in list_all(machine)]
        name = board(machine.root).name
    finally:
        line.clear()
    if as_json:
        print_output(json.dumps({"machine": name, "devices": [asdict(one) for one in found]}, indent=2))
    else:
        print_output("\n".join(_lines(name, found)))


def _lines(name: str, found: Sequence[Listed]) -> Iterator[str]:
    """The view for people."""
    yield visible(name)
    for kind, title in TITLES.items():
        of_kind = [one for one in found if one.kind == kind]
        yield ""
        yield click.style(title, bold=True) + ("" if of_kind else ": none")
        width = max((len(one.use) for one in of_kind), default=0)
        for one in of_kind:
            yield from _entry(one, width)


def _entry(one: Listed, width: int) -> Iterator[str]:
    usable = one.state == "usable"
    yield f"  {click.style(visible(one.use).ljust(width), fg='green' if usable else 'yellow')}  {visible(one.name)}"
    if not usable:
        yield f"    {click.style(one.state, fg='yellow')}: {visible(one.detail)}"
    elif one.detail:
        yield f"    {visible(one.detail)}"
    yield from (f"      {visible(line)}" for line in one.mend.splitlines())
