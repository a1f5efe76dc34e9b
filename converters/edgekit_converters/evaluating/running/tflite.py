"""A `.tflite` file, asked sample by sample on the device where it will run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from os import PathLike, fspath
from typing import Any, cast

from edgekit.cli.terminal import without_chatter
from edgekit.errors import EdgeKitError
from edgekit.loading import load
from edgekit.metadata.types import ColourOrder, ResizeRule
from edgekit.results import Values
from edgekit_converters.evaluating.running.answers import Answer
from edgekit_converters.evaluating.subject import Subject, subject_of

OPENED_AT_ONCE = 4


class TflitePredictor:
    """A model file on a device. It can be pickled: the process that it goes to opens the file itself.

    Args:
        path: The `.tflite` file.
        device: As in `edgekit.load`.
        threads: Threads of the processor.
        labels: Names of the classes, in place of the file's.
        normalize: How pixels are normalized, in place of what the file says; `channels` and `resize` alike.

    Raises:
        EdgeKitError: whatever `edgekit.load` finds wrong.
    """

    def __init__(
        self, path: str | PathLike[str], *, device: str = "auto", threads: int | None = None,
        labels: Sequence[str] = (), normalize: str | None = None, channels: ColourOrder | None = None,
        resize: ResizeRule | None = None,
    ) -> None:
        self._how = (fspath(path), device, threads, tuple(labels), normalize, channels, resize)
        self._model = load(
            path, device=device, threads=threads, task="values", normalize=normalize, channels=channels, resize=resize
        )
        self.subject: Subject = subject_of(self._model, labels)

    @property
    def device(self) -> str:
        """What the model runs on."""
        return self._model.device

    @property
    def remembers(self) -> bool:
        """Whether an answer depends on the samples before."""
        return self._model.remembers

    def __call__(self, data: Any, channels: ColourOrder = "rgb") -> Answer:
        """Outputs of the model as real numbers, as `Predictor` has it."""
        result = self._model(data, channels=channels)
        if not isinstance(result, Values):
            raise EdgeKitError(f"task values gave a {type(result).__name__}")
        return result.values

    def single_threaded(self) -> TflitePredictor:
        """The same with one thread, for several processes at once."""
        return _open(*self._how[:2], 1, *self._how[3:])

    def __reduce__(self) -> tuple[Callable[..., TflitePredictor], tuple[Any, ...]]:
        return _open, self._how


@lru_cache(OPENED_AT_ONCE)
def _open(
    path: str, device: str, threads: int | None, labels: tuple[str, ...], normalize: str | None,
    channels: str | None, resize: str | None,
) -> TflitePredictor:
    """The predictor of a worker process, which is asked for it with each part of the samples."""
    with without_chatter():
        return TflitePredictor(
            path, device=device, threads=threads, labels=labels, normalize=normalize,
            channels=cast("ColourOrder | None", channels), resize=cast("ResizeRule | None", resize),
        )
