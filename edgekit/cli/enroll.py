"""`edgekit enroll`: teach a model new labels on the device."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import get_args

import click

from edgekit.atomic import check_writable, protect
from edgekit.cli import debug_option, examples, is_debug
from edgekit.cli.streams import print_output
from edgekit.cli.terminal import LiveLine, plain_warnings, quieten_opencv, without_chatter
from edgekit.enrolling import Separation, enroll_folder
from edgekit.loading import load
from edgekit.metadata.types import ColourOrder, ResizeRule
from edgekit.results import to_json
from edgekit.tasks.enrolled import Enrolled, enrolled_for


@click.command(
    "enroll",
    epilog=examples("""
        edgekit enroll embedder.tflite faces/ -o people.npz
        edgekit enroll embedder.tflite new_faces/ -o people.npz --add
        edgekit run embedder.tflite camera:0 --enrolled people.npz --score 0.7
    """),
)
@click.argument("model", metavar="MODEL")
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="FILE.npz",
              help="Where the labels go.")
@click.option("--add", is_flag=True, help="Keep the labels that the file holds already.")
@click.option("--device", default="auto", show_default=True, metavar="NAME", help="As for edgekit run.")
@click.option("--normalize", metavar="RANGE", help="How pixels are normalized, as for edgekit run.")
@click.option("--channels", type=click.Choice(get_args(ColourOrder)), help="Order of colours that the network takes.")
@click.option("--resize", type=click.Choice(get_args(ResizeRule)), help="How pictures of another shape are fitted.")
@click.option("--json", "as_json", is_flag=True, help="Print the facts as JSON.")
@debug_option
@click.pass_context
def enroll_command(
    context: click.Context, /, *, model: str, folder: Path, output: Path, add: bool, device: str,
    normalize: str | None, channels: ColourOrder | None, resize: ResizeRule | None, as_json: bool,
) -> int:
    """Teach MODEL the labels of FOLDER, which has one subfolder of pictures a label.

    MODEL gives embeddings: one vector a picture. Nothing is trained: a label is the mean of its pictures' vectors, so
    that a few pictures are enough, and it takes one inference for each. The exit code is 1 where some of the
    pictures could not be read.
    """
    check_writable(output)
    protect(output, model)
    known = enrolled_for(model, output) if add else None
    debug = is_debug(context)
    if not debug:
        quieten_opencv()
    telling = _Telling(LiveLine(sys.stderr))
    with plain_warnings(telling.message):
        with nullcontext() if debug else without_chatter():
            opened = load(
                model, device=device, task="embedding", normalize=normalize, channels=channels, resize=resize
            )
        enrolled, apart = enroll_folder(opened, folder, telling.problem, known=known, on_sample=telling.sample)
    telling.line.clear()
    enrolled.save(output)
    facts = _facts(enrolled, apart, telling.skipped)
    print_output(to_json(facts) if as_json else "\n".join(_lines(enrolled, apart, output)))
    return 1 if telling.skipped else 0


class _Telling:
    """What is shown meanwhile."""

    def __init__(self, line: LiveLine) -> None:
        self.line, self.skipped, self._done = line, 0, 0

    def message(self, text: str) -> None:
        self.line.clear()
        click.echo(text, err=True)

    def problem(self, text: str) -> None:
        self.skipped += 1
        self.message(f"skipped {text}")

    def sample(self) -> None:
        self._done += 1
        self.line.show(f"{self._done} pictures")


def _facts(enrolled: Enrolled, apart: Separation | None, skipped: int) -> dict[str, object]:
    told = None if apart is None else {
        "right": apart.right, "samples": apart.samples, "least_own": round(apart.least_own, 6),
        "most_other": round(apart.most_other, 6),
    }
    return {"labels": dict(zip(enrolled.labels, enrolled.counts, strict=True)), "left_out": told, "skipped": skipped}


def _lines(enrolled: Enrolled, apart: Separation | None, output: Path) -> list[str]:
    counted = [f"{label} ({count})" for label, count in zip(enrolled.labels, enrolled.counts, strict=True)]
    lines = [f"{output}: {len(counted)} {'label' if len(counted) == 1 else 'labels'}, by number of pictures: "
             f"{', '.join(counted)}"]
    if apart is not None:
        clear = apart.least_own > apart.most_other
        lines += [
            f"Each picture against the means of all others: {apart.right} of {apart.samples} are nearest to their own "
            "label.",
            f"Cosine with the own label {apart.least_own:.3f} or more, with another {apart.most_other:.3f} or less"
            f"{': choose --score between.' if clear else '.'}",
        ]
    return lines
