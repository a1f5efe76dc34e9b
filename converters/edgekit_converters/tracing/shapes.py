"""Input sizes that the user fixes: `[NAME=]H,W,C`, checked against the model."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from edgekit.errors import ConversionError, UsageError
from edgekit_converters.tracing.specs import tidy

Given = str | Sequence[int] | Sequence[str] | Mapping[str, Sequence[int]]
_FORM = re.compile(r"(?:(?P<name>.+)=)?(?P<sizes>\d+(?:[,x]\d+)*)")
_EXAMPLE = "Write sizes as numbers with commas: 224,224,3 or image=224,224,3."


@dataclass(frozen=True, slots=True)
class GivenShape:
    """Sizes for the input called `name`, or for the only one where nothing is called; with or without the batch."""

    name: str | None
    sizes: tuple[int, ...]

    def __str__(self) -> str:
        sizes = ",".join(map(str, self.sizes))
        return f"{self.name}={sizes}" if self.name else sizes


def parse_shapes(given: Given | None) -> tuple[GivenShape, ...]:
    """What `--input-shape` or `input_shape=` says.

    Args:
        given: `"H,W,C"`, `"NAME=H,W,C"`, several of these, a tuple of sizes, or a dict of such tuples by input name.

    Raises:
        UsageError: it is of another form, names an input twice, or has a size of 0.
    """
    if given is None:
        return ()
    if isinstance(given, Mapping):
        shapes = [_checked(str(name), sizes) for name, sizes in given.items()]
    elif isinstance(given, str):
        shapes = [_parse(given)]
    elif given and all(isinstance(item, str) for item in given):
        shapes = [_parse(str(item)) for item in given]
    else:
        shapes = [_checked(None, given)] if given else []
    names = [shape.name for shape in shapes]
    if len(set(names)) < len(names):
        raise UsageError("an input shape is given twice", hint="Say which input each is for: NAME=224,224,3.")
    return tuple(shapes)


def _parse(text: str) -> GivenShape:
    found = _FORM.fullmatch(text.strip().replace(" ", ""))
    if found is None:
        raise UsageError(f"'{text}' is no input shape", hint=_EXAMPLE)
    return _checked(found["name"], [int(size) for size in re.split("[,x]", found["sizes"])])


def _checked(name: str | None, sizes: Iterable[object]) -> GivenShape:
    numbers = list(sizes)
    if not numbers or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in numbers):
        raise UsageError(f"an input shape has to be of whole numbers from 1 upwards, not {numbers}", hint=_EXAMPLE)
    return GivenShape(name, tuple(int(str(number)) for number in numbers))


def fixed_shapes(
    inputs: Mapping[str, Sequence[int | None]], given: Sequence[GivenShape]
) -> dict[str, tuple[int, ...]]:
    """The shape of each input with a batch of 1 in front, and nothing left open.

    Args:
        inputs: Shapes as the model has them, batch in front, None where open, by input name.
        given: What the user fixes.

    Raises:
        UsageError: what is given fits no input.
        ConversionError: an input is open and nothing is given for it.
    """
    wanted = _by_input(list(inputs), given)
    return {name: _fix(name, shape, wanted.get(name), alone=len(inputs) == 1) for name, shape in inputs.items()}


def _by_input(names: Sequence[str], given: Sequence[GivenShape]) -> dict[str, GivenShape]:
    found: dict[str, GivenShape] = {}
    for shape in given:
        if shape.name is None and len(names) > 1:
            raise UsageError(
                f"the input shape {shape} is for one of several inputs: {', '.join(names)}",
                hint=f"Say for which: --input-shape {names[0]}={shape}",
            )
        name = names[0] if shape.name is None else tidy(shape.name)
        if name not in names:
            raise UsageError(f"the model has no input '{shape.name}'", hint=f"It has: {', '.join(names)}.")
        found[name] = shape
    return found


def _fix(name: str, shape: Sequence[int | None], given: GivenShape | None, *, alone: bool) -> tuple[int, ...]:
    inner = tuple(shape[1:])
    if given is None:
        if None in inner:
            raise _left_open(name, inner, alone)
        return (1, *(size for size in inner if size is not None))
    sizes = given.sizes
    if len(sizes) == len(inner) + 1:
        if sizes[0] != 1:
            raise UsageError(
                f"the input shape {given} asks for a batch of {sizes[0]}; devices run one sample at a time",
                hint=f"Leave the batch out: {','.join(map(str, sizes[1:]))}",
            )
        sizes = sizes[1:]
    fits = len(sizes) == len(inner) and all(own in (None, size) for own, size in zip(inner, sizes, strict=True))
    if not fits:
        raise UsageError(
            f"the input shape {given} does not fit input '{name}', which takes {_shown(inner)}",
            hint="Only what is open (None) can be fixed; the batch may be left out.",
        )
    return (1, *sizes)


def _shown(inner: Sequence[int | None]) -> str:
    return str(tuple(inner))


def _left_open(name: str, inner: Sequence[int | None], alone: bool) -> ConversionError:
    usual = {0: 224, 1: 224} if len(inner) == 3 else {0: 128}
    sizes = ",".join(str(size or usual.get(at, 16)) for at, size in enumerate(inner))
    option = sizes if alone else f"{name}={sizes}"
    return ConversionError(
        f"input '{name}' has the shape {_shown(inner)}, in which None is left open, and a device needs fixed sizes",
        hint=f"Fix it, with the size that you use: --input-shape {option}",
    )
