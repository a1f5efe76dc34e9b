"""The sensitivity of a model, from Python: what `edgekit sensitivity` calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from typing import Any

from numpy.typing import NDArray

from edgekit_converters.accuracy.sensitivity.results import Sensitivity
from edgekit_converters.events import OnProgress
from edgekit_converters.jobs import examined, prepared
from edgekit_converters.loading.keras_files import require_tensorflow
from edgekit_converters.options import DEFAULT_SAMPLES, check_options
from edgekit_converters.tracing.shapes import Given

WORK = "edgekit_converters.accuracy.sensitivity.work:carry_out"


def sensitivity_of(
    model: Any,
    calibration: str | PathLike[str] | NDArray[Any] | Mapping[str, NDArray[Any]] | Iterable[Any],
    *,
    samples: int = DEFAULT_SAMPLES,
    target: str = "cpu",
    runtime: str | None = None,
    calibrator: str | None = None,
    normalize: str | None = None,
    channels: str | None = None,
    resize: str | None = None,
    keep: Sequence[str] = (),
    replace: Sequence[str] | Mapping[str, str] = (),
    input_shape: Given | None = None,
    custom_objects: str | Sequence[str] = (),
    progress: OnProgress | None = None,
    debug: bool = False,
) -> Sensitivity:
    """Measure which operations and layers of a Keras model lose most by being quantized to int8.

    Args:
        model: As `edgekit.convert` takes it; all other arguments mean the same as there.
        calibration: Samples; ranges are measured on them, and the error on up to 50 of them.
        samples: How many calibration samples are used at most.
        target: `cpu` or `coral`: the forms that operations are given differ.
        runtime: The interpreter that the file would have to suit.
        calibrator: How ranges are chosen.
        normalize: What pixels become; `channels` and `resize` as in `edgekit.convert`.
        channels: Order of colours.
        resize: How pictures are brought to the model's size.
        keep: Names of rewritten forms that are not wanted.
        replace: Activations to put in the place of others.
        input_shape: Sizes that the model leaves open.
        custom_objects: Classes of your own that the model file names.
        progress: Called now and then with what is being done.
        debug: Let the converter's own log through to standard error.

    Raises:
        EdgeKitError: as `edgekit.convert`.

    Example::

        from edgekit_converters.accuracy.sensitivity.asking import sensitivity_of
        worst = sensitivity_of("model.keras", "photos/").ranked[0]
        print(worst.layer, worst.type, worst.alone_db)
    """
    require_tensorflow()
    options = check_options(
        precision="int8", samples=samples, target=target, runtime=runtime, calibrator=calibrator, normalize=normalize,
        channels=channels, resize=resize, keep=keep, replace=replace, input_shape=input_shape,
        custom_objects=custom_objects, allow_float=True,
    )
    with prepared(model, examined(model), options, calibration, work=WORK) as ready:
        found: Sensitivity = ready.run(progress, debug=debug)
    return found
