"""Google's compiler for the Edge TPU: found, run, and understood."""

from edgekit_devices.coral.compiler.compiling import compile_models, compile_sources
from edgekit_devices.coral.compiler.outcome import Compilation, Options, Output, Source
from edgekit_devices.coral.compiler.preparing import prepare
from edgekit_devices.coral.compiler.program import CompilerNotFoundError

__all__ = [
    "Compilation",
    "CompilerNotFoundError",
    "Options",
    "Output",
    "Source",
    "compile_models",
    "compile_sources",
    "prepare",
]
