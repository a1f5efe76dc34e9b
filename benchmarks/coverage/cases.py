"""What a case of the corpus is, and how its model is built."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import NDArray

from benchmarks.coverage.data import samples_like

Samples = dict[str, NDArray[Any]]
"""Arrays by input name, the samples along the first axis."""
Build = Callable[[], Any]
Draw = Callable[[Any, int, bool], Samples]
"""Model, how many, and whether fresh samples are wanted rather than those for calibration."""
Source = Literal["file", "memory", "savedmodel"]


def call(model: Any, samples: Samples) -> Any:
    """What Keras computes for samples, in inference mode."""
    import tensorflow as tf

    inputs = [tf.constant(array) for array in samples.values()]
    return model(inputs if len(inputs) > 1 else inputs[0], training=False)


@dataclass(frozen=True, slots=True)
class Case:
    """A model of the corpus.

    Attributes:
        name: Unique within its group.
        build: Makes the Keras model; Keras's seed is set before.
        draw: Makes samples; by default such as the input's shape and type suggest.
        covers: The class of `keras.layers` that the case is about; empty for whole models.
        source: How the converter gets the model: as a `.keras` file, from memory, or as an exported SavedModel.
        stateful: Samples follow one another, and the model remembers.
        calibration: Number of calibration samples.
        fresh: Number of samples that the error is measured on.
    """

    name: str
    build: Build
    draw: Draw = samples_like
    covers: str = ""
    source: Source = "file"
    stateful: bool = False
    calibration: int = 120
    fresh: int = 40

    def model(self) -> Any:
        """The model, the same in every process."""
        import keras

        from benchmarks.coverage.settling import spread_results

        keras.utils.set_random_seed(self.seed)
        model = self.build()
        if not self.stateful:
            samples = self.draw(model, self.calibration, False)
            spread_results(model, lambda other: call(other, samples))
        return model

    @property
    def seed(self) -> int:
        """Comes from the name, so that cases do not depend on their order."""
        return zlib.crc32(self.name.encode()) % 2**31
