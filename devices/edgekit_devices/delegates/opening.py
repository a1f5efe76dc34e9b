"""Opens a model with a delegate; called in the child process that then runs it."""

from __future__ import annotations

from pathlib import Path

from edgekit.delegation import Delegation
from edgekit.errors import DeviceError, ModelFileError
from edgekit.interpreter import DelegateError, Engine, load_delegate
from edgekit_devices.delegates import diagnosis
from edgekit_devices.isolation import Say


def open_engine(
    say: Say, *, model: str, name: str, library: str, options: dict[str, str], threads: int | None, keeps_state: bool
) -> tuple[Engine, str]:
    """Load the delegate, give it the model, and run that once on zeros.

    Args:
        say: Told what is done next.
        model: Path of the file.
        name: The device in the user's words.
        library: Name or path of the delegate's library.
        options: What the delegate is told.
        threads: Threads of the processor for what it leaves; None for the default.
        keeps_state: Whether what the network's variables hold outlives a run.

    Returns:
        What runs the model, and what to tell the user of a delegate that took only a part of it; else nothing.

    Raises:
        DeviceError: what is missing or wrong, with its cure.
    """
    say("it was loaded")
    try:
        delegate = load_delegate(library, options)
    except DelegateError as error:
        raise diagnosis.refused(library, error.reason, options) from error
    except DeviceError as error:
        raise diagnosis.not_loaded(library, error) from error
    say(f"it was given {Path(model).name}")
    try:
        engine = Engine(model, threads=threads, delegates=[delegate], keeps_state=keeps_state)
    except ModelFileError as error:
        raise diagnosis.not_taken(name, error) from error
    assert engine.accelerated is not None
    if not engine.accelerated.taken:
        raise diagnosis.nothing_taken(library, engine.accelerated)
    say("it ran the model for the first time")
    try:
        engine.run_zeros()
    except DeviceError as error:
        raise diagnosis.not_taken(name, error) from error
    return engine, _partial(engine.accelerated)


def _partial(found: Delegation) -> str:
    return f"it takes {found} to the processor" if found.left else ""
