"""What a file is that was given as a `.tflite` model and is none."""

from __future__ import annotations

from dataclasses import dataclass

_CONVERT = "Convert it on the workstation with edgekit convert {name} -o model.tflite."
_ONNX = (
    "edgekit run, evaluate, explain, bench and doctor take it, by a name that ends in .onnx; for all else give the "
    ".tflite file of it."
)
_TFLITE = "EdgeKit runs .tflite files; export the model as TFLite."


@dataclass(frozen=True, slots=True)
class Lookalike:
    """A kind of file: what it is called, and what to do about it."""

    what: str
    hint: str = ""


_MAGIC: tuple[tuple[bytes, Lookalike], ...] = (
    (b"\x89HDF\r\n\x1a\n", Lookalike("an HDF5 file, such as a Keras .h5 model", _CONVERT)),
    (b"PK\x03\x04", Lookalike("a zip archive, such as a Keras .keras model", _CONVERT)),
    (b"\xff\xd8\xff", Lookalike("a JPEG picture")),
    (b"\x89PNG\r\n\x1a\n", Lookalike("a PNG picture")),
    (b"GIF8", Lookalike("a GIF picture")),
    (b"BM", Lookalike("a BMP picture")),
    (b"RIFF", Lookalike("a RIFF file, such as a WAV recording or a WebP picture")),
    (b"\x93NUMPY", Lookalike("a NumPy array")),
    (b"\x1f\x8b", Lookalike("a gzip archive", "Unpack it first.")),
    (b"\x7fELF", Lookalike("a program or a shared library")),
    (b"version https://git-lfs", Lookalike("a Git LFS pointer", "Fetch the file itself with git lfs pull.")),
    (b"<!DOCTYPE", Lookalike("a web page", "Download the file itself, not the page about it.")),
    (b"<html", Lookalike("a web page", "Download the file itself, not the page about it.")),
)
_SUFFIXES = {
    ".onnx": Lookalike("an ONNX model", _ONNX),
    ".pb": Lookalike("a TensorFlow graph", "Give the SavedModel's folder to edgekit convert."),
    ".pt": Lookalike("a PyTorch model", _TFLITE),
    ".pth": Lookalike("a PyTorch model", _TFLITE),
    ".task": Lookalike("a MediaPipe bundle", "Unzip it, and run one of the .tflite files in it."),
}
_ONNX_NAMES = (b"pytorch", b"onnx", b"tf2onnx", b"skl2onnx", b"keras2onnx")
_ASCII = 127
_PRINTABLE = frozenset(b"\t\n\r\f") | frozenset(range(32, 127))


def _is_text(head: bytes) -> bool:
    """Whether all of it could have been typed: UTF-8 without control characters."""
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        # A character may be cut in two at the end of what was looked at.
        if error.start < len(head) - 3:
            return False
    return all(byte in _PRINTABLE or byte > _ASCII for byte in head)


def identify(head: bytes, name: str) -> Lookalike:
    """Say what a file is by its first bytes (some hundreds) and its name."""
    suffix = f".{name.rpartition('.')[2].lower()}"
    if suffix == ".task" and head.startswith(b"PK"):
        return _SUFFIXES[suffix]
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return Lookalike(kind.what, kind.hint.format(name=name))
    # ONNX has no magic: a protobuf that starts with its version and soon names who made it.
    if suffix in _SUFFIXES or (head[:1] == b"\x08" and any(word in head[:64] for word in _ONNX_NAMES)):
        return _SUFFIXES.get(suffix, _SUFFIXES[".onnx"])
    if _is_text(head):
        return Lookalike("a text file")
    return Lookalike("something else", "A .tflite file has the letters TFL3 at its fifth byte.")
