"""What can go wrong, as types. Each inherits the built-in exception that a Python user would catch.

::

    EdgeKitError                      exit code
    ├── UsageError        ValueError      2     an option, or options that do not go together
    ├── MissingFileError  FileNotFoundError 2   a path that is not there, or is a folder where a file is wanted
    ├── ModelFileError    ValueError      2     a file that is not a model, or is damaged
    ├── DataError         ValueError      2     images, numbers or labels that the model cannot take
    ├── ConversionError   RuntimeError    1     the converter could not make the file asked for
    ├── DeviceError       RuntimeError    1     an accelerator that is absent, refuses, or fails
    │   └── HungError                     1     one that gave no answer within its time limit
    ├── OutputError       OSError         1     a result that could not be written
    └── MissingDependencyError ImportError 1    a library of an extra that is not installed
"""

from __future__ import annotations


class EdgeKitError(Exception):
    """Root of all errors that EdgeKit raises on purpose.

    Args:
        message: What is wrong and where, in one sentence.
        hint: What to do about it; empty where the message says it all.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class UsageError(EdgeKitError, ValueError):
    """An option that does not exist, or options that do not go together."""

    exit_code = 2


class MissingFileError(EdgeKitError, FileNotFoundError):
    """A path that is not there, or is a folder where a file is wanted."""

    exit_code = 2


class ModelFileError(EdgeKitError, ValueError):
    """A file that is not a model of the kind wanted, or is damaged."""

    exit_code = 2


class DataError(EdgeKitError, ValueError):
    """Images, numbers or labels that the model cannot take."""

    exit_code = 2


class ConversionError(EdgeKitError, RuntimeError):
    """The converter could not make the file that was asked for."""


class DeviceError(EdgeKitError, RuntimeError):
    """An accelerator that is absent, refuses the model, or fails while it runs."""


class HungError(DeviceError):
    """An accelerator that gave no answer within its time limit."""


class OutputError(EdgeKitError, OSError):
    """A result that could not be written."""


class MissingDependencyError(EdgeKitError, ImportError):
    """A library that an extra brings and that is not installed."""
