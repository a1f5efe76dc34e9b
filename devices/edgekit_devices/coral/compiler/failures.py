"""Why the Edge TPU's compiler made no file, and what to do, by the words that it prints."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgekit_devices.coral.placement.advice import TOO_NEW

SHOWN_LINES, LONGEST_LINE = 12, 200
_SEGMENTATION_FAULTS = (-11, 139)
"""A signal as Python tells it, and as the shell that the compiler is wrapped in does."""

_QUANTIZE = "Convert with full integer quantization: edgekit convert --target coral --calibration DATA."
_SMALLER = (
    "A smaller input helps, and so may another size (what fits does not grow evenly with it), --search-delegate, or "
    "--segments 2. Large activations come mostly from the first layers: a stride of 2 there."
)
_FEWER = (
    "It does that with --segments for many models of TensorFlow's converter. Compile without --segments, or with "
    "another number; or cut the Keras model in two and convert and compile each part."
)
_FIND = (
    "Try another size of the input. If it stays: convert and compile the Keras model without its last layers, until it "
    "passes, to find the one to blame."
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
    _Known(r"Model not quantized", "it takes quantized models alone (Model not quantized)", _QUANTIZE),
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
        f"Versions up to 15 do that now and then: run it again, or use version 16.0. {_FIND}",
    ),
    _Known(
        r"Model failed in Tflite interpreter", "its interpreter of 2021 cannot run the model",
        "Its own words say where. edgekit convert --target coral makes files that it can.",
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
_ILLEGAL = Failure("it crashed (SIGILL): this processor lacks what it uses", _PROCESSOR)
_KILLED = Failure("it was killed, mostly for want of memory", "Free some memory, or make the model smaller.")
_NOT_STARTED = Failure("it could not be started", "Its own words say why.")
_BY_CODE: Mapping[int | None, Failure] = {
    -4: _ILLEGAL, 132: _ILLEGAL, -9: _KILLED, 137: _KILLED, 125: _NOT_STARTED, 126: _NOT_STARTED, 127: _NOT_STARTED,
}
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


def explain_start(output: str, code: int | None) -> Failure | None:
    """Why a program does not even tell its version; None where that is not known."""
    return _by_words(output) or _BY_CODE.get(code)


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
    crashed = code in _SEGMENTATION_FAULTS or "Segmentation fault" in output
    if crashed or (segments and silent):
        how = "it crashed (SIGSEGV)" if crashed else "it printed nothing but its version"
        return Failure(how, _FEWER if segments else _FIND)
    if code in _BY_CODE:
        return _BY_CODE[code]
    if "could not be parsed" in output:
        return Failure("it cannot read the model (Model could not be parsed)", TOO_NEW[""])
    if "Compilation failed" in output:
        return Failure("it gives no reason", f"Known causes: an LSTM whose input is wider than 900, sizes. {_SMALLER}")
    ended = "made no file" if code == 0 else f"ended with exit code {code}"
    return Failure(f"it {ended}, for reasons that are not known here", "Its own words tell what there is to know.")


def last_words(output: str) -> str:
    """The end of what was printed, to be shown as it is; control characters are left out."""
    lines = [
        "".join(letter if letter.isprintable() else " " for letter in line).rstrip() for line in output.splitlines()
    ]
    shown = [line for line in lines if line.strip()][-SHOWN_LINES:]
    return "\n".join(f"  | {line[:LONGEST_LINE]}" for line in shown)
