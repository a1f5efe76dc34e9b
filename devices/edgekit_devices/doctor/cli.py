"""`edgekit doctor`. Nothing heavy is imported here: it is needed most where numpy or the runtime cannot be."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from edgekit._version import __version__
from edgekit.cli import debug_option, examples, is_debug
from edgekit.cli.key_values import key_values
from edgekit.cli.streams import print_output
from edgekit.cli.terminal import LiveLine
from edgekit.errors import UsageError
from edgekit_devices.doctor import showing
from edgekit_devices.doctor.finding import Found, gravest
from edgekit_devices.doctor.plan import Plan, plan_checks
from edgekit_devices.doctor.register import machine_checks
from edgekit_devices.doctor.running import run_checks
from edgekit_devices.machine import Machine, this_machine

_SOURCE = re.compile(r"[a-z][a-z0-9+.-]+:|/dev/|-$")
"""What stands for a source in the place of a model: camera:0, /dev/video0."""


@click.command(
    "doctor",
    epilog=examples("""
        edgekit doctor
        edgekit doctor camera:0
        edgekit doctor model.tflite camera:0
        edgekit doctor model_edgetpu.tflite --device coral
        edgekit doctor model.tflite --device delegate:/usr/lib/libvx_delegate.so --device-option device_id=0
        edgekit doctor pipeline.toml
        edgekit doctor model.tflite camera:0 --sink mqtt://broker/door --serve 8080
        edgekit doctor --json
    """),
)
@click.argument("target", metavar="[MODEL|PIPELINE.toml]", required=False)
@click.argument("sources", metavar="[SOURCE]...", nargs=-1)
@click.option("--device", metavar="NAME", help="Where the model is to run: auto, cpu, coral, gpu, ...")
@click.option("--device-option", "--delegate-option", "device_options", multiple=True, metavar="KEY=VALUE",
              help="An option of the device. May be given several times.")
@click.option("--sink", "sinks", multiple=True, metavar="URI",
              help="Where results are to go. May be given several times.")
@click.option("--serve", metavar="[HOST:]PORT", help="Where the page is to be.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@debug_option
def doctor_command(
    target: str | None, sources: tuple[str, ...], device: str | None, device_options: tuple[str, ...],
    sinks: tuple[str, ...], serve: str | None, as_json: bool,
) -> int:
    """Check the whole way, from Python to the last sink, and tell what is wrong, why, and what mends it.

    Without arguments that is the machine: Python, packages, processor, accelerators, rights, power, disk, clock. With
    MODEL it is opened and run too, each SOURCE has to give a sample, and each sink has to be within reach; with a
    PIPELINE.toml all that it names. Nothing is changed or sent. The exit code is 1 where something blocks.
    """
    plan = _plan(target, sources, _loading(device, key_values(device_options)), sinks, serve)
    machine = this_machine()
    line = LiveLine(sys.stderr)
    try:
        found = list(_examine(machine, plan, line))
        title = f"EdgeKit {__version__} on {_name(machine)}"
    finally:
        line.clear()
    if as_json:
        print_output(json.dumps(showing.document(found, title=title), indent=2))
    else:
        print_output("\n".join(showing.lines(found, title=title)))
    return int(gravest(found) == "blocked")


def _loading(device: str | None, options: dict[str, str]) -> dict[str, Any]:
    """What the command line says of the models, as `edgekit.load` takes it: a device's options are its own."""
    if device is None:
        return {"device_options": options} if options else {}
    return {"device": device, "device_options": options}


def _plan(
    target: str | None, sources: tuple[str, ...], loading: dict[str, Any], sinks: tuple[str, ...], serve: str | None
) -> Plan:
    """What was asked for; a source may stand alone."""
    if target is not None and _SOURCE.match(target) and not Path(target).is_file():
        sources = (target, *sources)
        target = None
    if target is None and loading:
        option = "--device" if "device" in loading else "--device-option"
        raise UsageError(f"{option} is about a model", hint="Give MODEL: edgekit doctor model.tflite --device coral.")
    if target is not None and target.lower().endswith(".toml") and (sources or sinks or serve):
        raise UsageError(f"sources, sinks and --serve cannot be given beside {target}", hint="Say it in the file.")
    return Plan(target, loading, {}, sources, sinks, serve)


def _examine(machine: Machine, plan: Plan, line: LiveLine) -> Iterator[Found]:
    """The machine's checks, and then those of the plan."""
    def progress(name: str) -> None:
        line.show(f"checking {name} ...", at_once=True)

    def debug(text: str) -> None:
        line.clear()
        click.echo(text, err=True)

    tell = debug if is_debug() else None
    yield from run_checks(machine_checks(), machine, progress=progress, debug=tell)
    for checks, at_once in plan_checks(plan):
        yield from run_checks(checks, machine, at_once=at_once, progress=progress, debug=tell)


def _name(machine: Machine) -> str:
    """What the machine is called; on an install too broken to know, its kind of processor."""
    try:
        from edgekit_devices.boards import board

        return board(machine.root).name
    except Exception:  # the check of the board tells it
        return machine.kernel[0]
