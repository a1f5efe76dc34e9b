"""Why the Edge TPU's compiler made no file, and what to do, by the words that it prints."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from edgekit_devices.coral.placement.advice import TOO_NEW

SHOWN_LINES = 12
_NOT_IN_IMAGE, _NOT_EXECUTABLE, _ENGINE_FAILED = 127, 126, 125
_SEGMENTATION_FAULTS = (-11, 139)
_ILLEGAL = (-4, 132)
_KILLED = (-9, 137)

_QUANTIZE = "Convert with full integer quantization: edgekit convert --target coral --calibration DATA."
_SMALLER = (
    "A smaller input helps, and so may another size (what fits does not grow evenly with it), --search-delegate, or "
    "--segments 2. Large activations come mostly from the first layers: a stride of 2 there."
)
_FEWER = (
    "It does that with --segments for many models of TensorFlow's converter. Compile without --segments, or with "
    "another number; or cut the Keras model in two and convert and compile each part."
)
_UPDATE = "Install version 16.0, the last one; older ones do not know all options."
_PROCESSOR = "The compiler is a program for x86-64 Linux: run it there, or in a container with --compiler docker:IMAGE."


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong, in a sentence without subject (`it ...`), and what to do."""

    reason: str
    cure: str


@dataclass(frozen=True, slots=True)
class _Known:
    """`reason` and `cure` may hold `{0}`, `{1}`: what the pattern's groups found."""

    pattern: str
    reason: str
    cure: str


_OF_THE_MODEL: Sequence[_Known] = (
    _Known(r"Model not quantized", "it takes models that are quantized throughout alone (Model not quantized)", _QUANTIZE),
    _Known(
        r"unresolved custom op: *([\w.-]+?)\.?(?:\s|$)", "it does not know the custom operation {0}",
        "Leave it out of the model and compute it on the host.",
    ),
    _Known(
        r"only supports static-sized tensors", "the size of a tensor is computed while the model runs",
        "Fix the batch and all other sizes before conversion: keras.Input(batch_shape=(1, ...)).",
    ),
    _Known(
        r"large activation tensors", "what operations pass on takes more room than the Edge TPU has", _SMALLER,
    ),
    _Known(
        r"per axis quantization is not supported", "an operation has a scale for each channel where it takes one",
        "Convert with edgekit convert --target coral, which gives such operations one scale.",
    ),
    _Known(
        r"'(?:tfl|dwl)\.(\w+)' op is not supported", "it breaks off at an operation {0} that it cannot translate",
        "Write that layer otherwise; edgekit inspect --target coral names layers and advice.",
    ),
    _Known(
        r"Internal compiler error", "it broke off with an error of its own (Internal compiler error)",
        "Versions up to 15 do that now and then: run it again, or use version 16.0. If it stays, make the model's "
        "input smaller or leave layers out until it passes, to find the one to blame.",
    ),
    _Known(
        r"Model failed in Tflite interpreter", "its interpreter of 2021 cannot run the model",
        "The lines below say where. edgekit convert --target coral makes files that it can.",
    ),
)
_OF_THE_PROGRAM: Sequence[_Known] = (
    _Known(
        r"(?i)unrecogni[sz]ed (?:option|flag)|unknown (?:command line )?(?:option|flag)|invalid option",
        "it does not know one of the options", _UPDATE,
    ),
    _Known(r"(?i)exec format error|cannot execute binary file", "it is a program for another processor", _PROCESSOR),
    _Known(
        r"(?i)cannot connect to the docker daemon|permission denied while trying to connect to the docker",
        "the container engine does not run, or this user may not use it",
        "Start it (sudo systemctl start docker), or add the user to its group; podman needs neither.",
    ),
    _Known(
        r"(?i)no such image|image not known|unable to find image|pull access denied|manifest unknown",
        "there is no such container image here", "Build or pull it first; docs/compiling.md has a recipe.",
    ),
    _Known(
        r"(?i)executable file not found|(?:edgetpu_compiler.*(?:command not found|no such file))",
        "the image has no edgetpu_compiler on its PATH", "Build one that has; docs/compiling.md has a recipe.",
    ),
    _Known(
        r"(?i)(?:compilation|process)[^\n]*(?:timed out|timeout (?:reached|exceeded|expired)|did not complete)",
        "it reached a time limit of its own", "Give more time with --timeout, or make the model smaller.",
    ),
    _Known(r"(?i)no space left on device", "the disk is full", "Free some space, or name another folder with -o."),
)
_VERSION_OF_OPERATION = re.compile(r"Didn't find op for builtin opcode '(\w+)' version '([0-9]+)'")
_UNKNOWN_OPERATION = re.compile(r"builtin_code out of range: *([0-9]{1,9})")


def explain(output: str, code: int | None, *, segments: bool = False) -> Failure:
    """The cause, as far as the output tells it.

    Args:
        output: All that was printed.
        code: Exit code; negative for a signal.
        segments: Whether several segments were asked for.
    """
    return _too_new(output) or _by_words(output) or _by_code(output, code, segments)


def _too_new(output: str) -> Failure | None:
    found = list(dict.fromkeys(_VERSION_OF_OPERATION.findall(output)))
    if found:
        said = ", ".join(f"{type_} version {version}" for type_, version in found)
        cures = dict.fromkeys(TOO_NEW.get(type_, TOO_NEW[""]) for type_, _ in found)
        return Failure(f"the model has operations that are newer than the compiler: {said}", " ".join(cures))
    if numbers := _UNKNOWN_OPERATION.findall(output):
        return Failure(f"the model has an operation that is newer than the compiler: number {numbers[0]}", TOO_NEW[""])
    return None


def _by_words(output: str) -> Failure | None:
    for known in (*_OF_THE_MODEL, *_OF_THE_PROGRAM):
        if found := re.search(known.pattern, output):
            return Failure(known.reason.format(*found.groups()), known.cure)
    return None


def _by_code(output: str, code: int | None, segments: bool) -> Failure:
    silent = not any(line.strip() for line in output.splitlines() if "Compiler version" not in line)
    if code in _SEGMENTATION_FAULTS or "Segmentation fault" in output or (segments and silent):
        how = "it printed nothing but its version" if silent else "it crashed (SIGSEGV)"
        return Failure(how, _FEWER if segments else f"{_UPDATE} Else: {_SMALLER}")
    if code in _ILLEGAL:
        return Failure("it crashed (SIGILL): this processor lacks what it uses", _PROCESSOR)
    if code in _KILLED:
        return Failure("it was killed, mostly for want of memory", "Free some memory, or make the model smaller.")
    if code in (_ENGINE_FAILED, _NOT_EXECUTABLE, _NOT_IN_IMAGE):
        return Failure("it could not be started", "The lines below say why.")
    if "could not be parsed" in output:
        return Failure("it cannot read the model (Model could not be parsed)", TOO_NEW[""])
    if "Compilation failed" in output:
        return Failure("it gives no reason", f"Known causes: an LSTM whose input is wider than 900, sizes. {_SMALLER}")
    ended = "made no file" if code == 0 else f"ended with exit code {code}"
    return Failure(f"it {ended}, for reasons that are not known here", "Its own words are below.")


def last_words(output: str) -> str:
    """The end of what was printed, to be shown as it is; control characters are left out."""
    lines = [
        "".join(letter if letter.isprintable() else " " for letter in line).rstrip() for line in output.splitlines()
    ]
    shown = [line for line in lines if line.strip()][-SHOWN_LINES:]
    return "\n".join(f"  | {line[:300]}" for line in shown)
