"""The part of Linux' `videodev2.h` that a camera needs: structures, numbers of calls, constants.

Tests hold sizes and numbers against the header of the system that they run on.
"""

from __future__ import annotations

import ctypes
from ctypes import c_char, c_int32, c_long, c_uint8, c_uint32, c_ulong

BUF_TYPE_VIDEO_CAPTURE = 1
MEMORY_MMAP = 1
FIELD_ANY = 0
FRMSIZE_DISCRETE = 1
FRMIVAL_DISCRETE = 1
CAP_VIDEO_CAPTURE = 0x00000001
CAP_STREAMING = 0x04000000
CAP_DEVICE_CAPS = 0x80000000
CAP_TIMEPERFRAME = 0x1000
BUF_FLAG_ERROR = 0x0040
BUF_FLAG_TIMESTAMP_MASK = 0xE000
BUF_FLAG_TIMESTAMP_MONOTONIC = 0x2000


class Capability(ctypes.Structure):
    """`struct v4l2_capability`."""

    _fields_ = (
        ("driver", c_char * 16), ("card", c_char * 32), ("bus_info", c_char * 32), ("version", c_uint32),
        ("capabilities", c_uint32), ("device_caps", c_uint32), ("reserved", c_uint32 * 3),
    )


class FmtDesc(ctypes.Structure):
    """`struct v4l2_fmtdesc`."""

    _fields_ = (
        ("index", c_uint32), ("type", c_uint32), ("flags", c_uint32), ("description", c_char * 32),
        ("pixelformat", c_uint32), ("mbus_code", c_uint32), ("reserved", c_uint32 * 3),
    )


class FrmSizeEnum(ctypes.Structure):
    """`struct v4l2_frmsizeenum`; `sizes` is width and height, or least, most and step of each."""

    _fields_ = (
        ("index", c_uint32), ("pixel_format", c_uint32), ("type", c_uint32), ("sizes", c_uint32 * 6),
        ("reserved", c_uint32 * 2),
    )


class FrmIvalEnum(ctypes.Structure):
    """`struct v4l2_frmivalenum`; `intervals` is a fraction of a second, or least, most and step as such."""

    _fields_ = (
        ("index", c_uint32), ("pixel_format", c_uint32), ("width", c_uint32), ("height", c_uint32),
        ("type", c_uint32), ("intervals", c_uint32 * 6), ("reserved", c_uint32 * 2),
    )


class PixFormat(ctypes.Structure):
    """`struct v4l2_pix_format`."""

    _fields_ = tuple(
        (name, c_uint32)
        for name in (
            "width", "height", "pixelformat", "field", "bytesperline", "sizeimage", "colorspace", "priv", "flags",
            "ycbcr_enc", "quantization", "xfer_func",
        )
    )


class _FormatUnion(ctypes.Union):
    # The longest member of the kernel's holds pointers, which aligns all of it.
    _fields_ = (("pix", PixFormat), ("raw_data", c_uint8 * 200), ("aligner", c_ulong))


class Format(ctypes.Structure):
    """`struct v4l2_format`."""

    _fields_ = (("type", c_uint32), ("fmt", _FormatUnion))


class RequestBuffers(ctypes.Structure):
    """`struct v4l2_requestbuffers`."""

    _fields_ = (
        ("count", c_uint32), ("type", c_uint32), ("memory", c_uint32), ("capabilities", c_uint32),
        ("flags", c_uint8), ("reserved", c_uint8 * 3),
    )


class TimeVal(ctypes.Structure):
    """`struct timeval`."""

    _fields_ = (("tv_sec", c_long), ("tv_usec", c_long))


class TimeCode(ctypes.Structure):
    """`struct v4l2_timecode`."""

    _fields_ = (
        ("type", c_uint32), ("flags", c_uint32), ("frames", c_uint8), ("seconds", c_uint8), ("minutes", c_uint8),
        ("hours", c_uint8), ("userbits", c_uint8 * 4),
    )


class _BufferUnion(ctypes.Union):
    _fields_ = (("offset", c_uint32), ("userptr", c_ulong), ("planes", ctypes.c_void_p), ("fd", c_int32))


class Buffer(ctypes.Structure):
    """`struct v4l2_buffer`."""

    _fields_ = (
        ("index", c_uint32), ("type", c_uint32), ("bytesused", c_uint32), ("flags", c_uint32), ("field", c_uint32),
        ("timestamp", TimeVal), ("timecode", TimeCode), ("sequence", c_uint32), ("memory", c_uint32),
        ("m", _BufferUnion), ("length", c_uint32), ("reserved2", c_uint32), ("request_fd", c_int32),
    )


class CaptureParm(ctypes.Structure):
    """`struct v4l2_captureparm`; `timeperframe` is a fraction."""

    _fields_ = (
        ("capability", c_uint32), ("capturemode", c_uint32), ("timeperframe", c_uint32 * 2),
        ("extendedmode", c_uint32), ("readbuffers", c_uint32), ("reserved", c_uint32 * 4),
    )


class _ParmUnion(ctypes.Union):
    _fields_ = (("capture", CaptureParm), ("raw_data", c_uint8 * 200))


class StreamParm(ctypes.Structure):
    """`struct v4l2_streamparm`."""

    _fields_ = (("type", c_uint32), ("parm", _ParmUnion))


_WRITE, _READ = 1, 2


def _call(direction: int, number: int, size: int) -> int:
    """A call's number, as the macros of `asm-generic/ioctl.h` put it together."""
    return (direction << 30) | (size << 16) | (ord("V") << 8) | number


QUERYCAP = _call(_READ, 0, ctypes.sizeof(Capability))
ENUM_FMT = _call(_READ | _WRITE, 2, ctypes.sizeof(FmtDesc))
S_FMT = _call(_READ | _WRITE, 5, ctypes.sizeof(Format))
REQBUFS = _call(_READ | _WRITE, 8, ctypes.sizeof(RequestBuffers))
QUERYBUF = _call(_READ | _WRITE, 9, ctypes.sizeof(Buffer))
QBUF = _call(_READ | _WRITE, 15, ctypes.sizeof(Buffer))
DQBUF = _call(_READ | _WRITE, 17, ctypes.sizeof(Buffer))
STREAMON = _call(_WRITE, 18, ctypes.sizeof(c_int32))
STREAMOFF = _call(_WRITE, 19, ctypes.sizeof(c_int32))
S_PARM = _call(_READ | _WRITE, 22, ctypes.sizeof(StreamParm))
ENUM_FRAMESIZES = _call(_READ | _WRITE, 74, ctypes.sizeof(FrmSizeEnum))
ENUM_FRAMEINTERVALS = _call(_READ | _WRITE, 75, ctypes.sizeof(FrmIvalEnum))


def code_of(name: str) -> int:
    """The number of a format such as `MJPG`, from its four letters."""
    return int.from_bytes(name.ljust(4).encode("ascii"), "little")


def name_of(code: int) -> str:
    """The four letters of a format's number."""
    return code.to_bytes(4, "little").decode("ascii", "replace").rstrip()
