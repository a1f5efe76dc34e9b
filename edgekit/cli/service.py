"""`edgekit service`: a pipeline as a service of systemd."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import click

from edgekit.cli import debug_option, examples
from edgekit.cli.streams import print_output
from edgekit.errors import UsageError
from edgekit.pipeline.config import PipelineConfig, read_config

WATCHDOG_SECONDS = 90
"""Longer than the longest pause between two tries to reach a source, each of which feeds the watchdog too."""
STOP_SECONDS = 10
FILE_SINKS = (".jsonl", ".csv", ".mp4", ".mkv", ".avi", "/")

_UNIT = """\
# Made by: edgekit service {config}
# sudo edgekit service {config} | sudo tee /etc/systemd/system/{name}.service
# sudo systemctl daemon-reload && sudo systemctl enable --now {name}
[Unit]
Description=EdgeKit pipeline {name}
Documentation=man:systemd.service(5)
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=300
StartLimitBurst=10

[Service]
Type=notify
NotifyAccess=main
ExecStart={command} run {path}
WorkingDirectory={folder}
User={user}
SupplementaryGroups={groups}
StateDirectory={name}
CacheDirectory={name}
Environment=PYTHONUNBUFFERED=1 XDG_CACHE_HOME=%C/{name}

# Fed by results and by tries to reach a source again, never by a timer: a pipeline that hangs is restarted.
WatchdogSec={watchdog}
Restart=on-failure
RestartSec=2
TimeoutStartSec=120
TimeoutStopSec={stop}
KillSignal=SIGTERM
# 143 is the end that SIGTERM asks for; 2 is a mistake in the call, which trying again does not mend.
SuccessExitStatus=143
RestartPreventExitStatus=2

NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
ProtectClock=yes
ProtectHostname=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
LockPersonality=yes
SystemCallArchitectures=native
CapabilityBoundingSet=
UMask=0027
LimitCORE=0
{writable}
[Install]
WantedBy=multi-user.target
"""


@click.command(
    "service",
    epilog=examples("""
        edgekit service pipeline.toml
        edgekit service pipeline.toml --user robot --name door | sudo tee /etc/systemd/system/door.service
    """),
)
@click.argument("config", metavar="PIPELINE.toml", type=click.Path(path_type=Path))
@click.option("--name", metavar="NAME", help="Of the service.  [default: edgekit- and the file's name]")
@click.option("--user", metavar="USER", help="Who runs it.  [default: who calls this]")
@debug_option
def service_command(*, config: Path, name: str | None, user: str | None) -> int:
    """Print a unit for systemd that runs PIPELINE.toml from start-up on, with few rights, and again where it fails.

    The file is checked first.
    """
    said = read_config(config)
    named = name or f"edgekit-{config.stem}"
    if not re.fullmatch(r"[A-Za-z0-9:_.@-]+", named):
        raise UsageError(f"a service cannot be called '{named}'", hint="Use letters, digits, and any of : _ . @ -")
    print_output(unit(config.resolve(), said, named, user or _caller()).rstrip())
    return 0


def unit(config: Path, said: PipelineConfig, name: str, user: str) -> str:
    """The unit's text.

    Args:
        config: The file, its whole path.
        said: What is in it.
        name: Of the service.
        user: Who runs it.
    """
    writable = "".join(f"ReadWritePaths={_quoted(str(folder))}\n" for folder in written_folders(said))
    return _UNIT.format(
        config=config.name, name=name, command=_command(), path=_quoted(str(config)), folder=_plain(str(config.parent)),
        user=user, groups=_groups(said), watchdog=WATCHDOG_SECONDS, stop=STOP_SECONDS, writable=writable,
    )


def written_folders(said: PipelineConfig) -> list[Path]:
    """Where a pipeline writes: next to its files of results, and its recording."""
    files = [Path(uri).resolve().parent for uri in said.sinks if uri.lower().endswith(FILE_SINKS) and "://" not in uri]
    kept = [Path(said.record).resolve().parent] if said.record else []
    return sorted({*files, *kept})


def _groups(said: PipelineConfig) -> str:
    """Groups whose devices the sources and models need."""
    needed = {"serial": "dialout", "i2c": "i2c", "mic": "audio", "gpio": "gpio"}
    schemes = {uri.partition(":")[0] for uri in said.sources}
    models = [one for model in said.models.values() for one in (model, model.inner) if one is not None]
    devices = " ".join(str(one.options.get("device", "")) for one in models)
    accelerators = [group for name, group in (("coral", "plugdev"), ("gpu", "render")) if name in devices]
    return " ".join(["video", *(needed[one] for one in sorted(schemes & set(needed))), *accelerators])


def _caller() -> str:
    """Who called: behind sudo the one who did."""
    return os.environ.get("SUDO_USER") or os.environ.get("USER") or "root"


def _command() -> str:
    """How systemd calls the command that runs now: by its whole path."""
    beside = Path(sys.executable).with_name("edgekit")
    found = str(beside) if beside.exists() else shutil.which("edgekit")
    return _quoted(found) if found else f"{_quoted(sys.executable)} -m edgekit"


def _plain(text: str) -> str:
    """Where systemd takes a whole line: only % means something."""
    return text.replace("%", "%%")


def _quoted(text: str) -> str:
    """A word of a command line, as systemd.service(5) quotes it."""
    safe = _plain(text).replace("$", "$$")
    if re.fullmatch(r"[\w@%+=:,./$-]+", safe):
        return safe
    return '"' + safe.replace("\\", "\\\\").replace('"', '\\"') + '"'
