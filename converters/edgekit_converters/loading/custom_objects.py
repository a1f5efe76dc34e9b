"""The user's own layers: `module:Name`, `folder/file.py:Name`, or a whole module."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any

from edgekit.errors import MissingFileError, UsageError

_FORM = "Write module:Name, folder/file.py:Name, or the module alone for all that it defines."


def check_custom_objects(given: str | Sequence[str]) -> tuple[str, ...]:
    """What was asked for, where its form is right and its files are there; nothing is imported.

    Raises:
        UsageError: one is of another form.
        MissingFileError: there is no such Python file.
    """
    texts = (given,) if isinstance(given, str) else tuple(given)
    for text in texts:
        if not isinstance(text, str):
            raise UsageError(f"a custom object is given as text, not as {type(text).__name__}", hint=_FORM)
        module, name = _split(text)
        if not module or (name and not name.isidentifier()):
            raise UsageError(f"'{text}' names no custom object", hint=_FORM)
        if module.endswith(".py") and not Path(module).is_file():
            raise MissingFileError(f"no such file: {module}, of the custom object {text}", hint=_FORM)
    return texts


def load_custom_objects(texts: Sequence[str]) -> dict[str, Any]:
    """The classes and functions by name. Their modules are imported, which runs them; Keras must be there already.

    Raises:
        UsageError: a module cannot be imported, or has no such name.
    """
    found: dict[str, Any] = {}
    for text in texts:
        module_name, name = _split(text)
        module = _imported(module_name, text)
        objects = {name: _member(module, name)} if name else _defined(module)
        for key, value in objects.items():
            # By its plain name, and by the one that keras.saving.register_keras_serializable() gives.
            found |= {key: value, f"Custom>{key}": value}
    return found


def _split(text: str) -> tuple[str, str]:
    module, _, name = text.partition(":")
    return module, name


def _imported(name: str, text: str) -> ModuleType:
    # At the end of the path: nothing beside the user's code stands in for a library.
    folder = Path(name).resolve().parent if name.endswith(".py") else Path.cwd()
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    try:
        return _from_file(Path(name)) if name.endswith(".py") else importlib.import_module(name)
    except Exception as error:  # whatever the user's module does
        raise UsageError(
            f"the custom object {text} cannot be imported: {type(error).__name__}: {error}",
            hint="Modules are looked for in the folder that you are in, and among those installed. " + _FORM,
        ) from error


def _from_file(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    spec.loader.exec_module(module)
    return module


def _member(module: ModuleType, name: str) -> Any:
    if not hasattr(module, name):
        close = get_close_matches(name, dir(module), 1)
        raise UsageError(
            f"module {module.__name__} has no '{name}'", hint=f"Did you mean '{close[0]}'?" if close else _FORM
        )
    return getattr(module, name)


def _defined(module: ModuleType) -> dict[str, Any]:
    return {
        name: value for name, value in vars(module).items()
        if (inspect.isclass(value) or inspect.isfunction(value)) and value.__module__ == module.__name__
    }
