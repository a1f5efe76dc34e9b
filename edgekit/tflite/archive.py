"""The zip archive of associated files (labels and the like) that may follow the model in a `.tflite` file.

Members are read into memory, never unpacked to disk, and only up to `MOST_BYTES` each.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

from edgekit.tflite.flatbuffer import DamagedError, Data

if TYPE_CHECKING:
    from zipfile import ZipFile, ZipInfo

MOST_BYTES = 16 * 2**20
"""Largest member that is read, in bytes: labels and settings are a thousandth of it."""

_LOCAL_HEADER = b"PK\x03\x04"
_END_RECORD = b"PK\x05\x06"
_FIXED_DATE = (1980, 1, 1, 0, 0, 0)
_PADDING = 64
"""Bytes that may lie between the last one that a model refers to and its archive: alignment, and to spare."""


@dataclass(frozen=True, slots=True)
class Archive:
    """Names and sizes of the members, and where the archive starts in the file."""

    start: int
    sizes: Mapping[str, int]


def find_archive(data: Data, extent: int) -> Archive | None:
    """The archive behind a model that takes the first `extent` bytes of `data`; None where there is none.

    Raises:
        DamagedError: an archive starts there and does not end, or cannot be read.
    """
    if data.rfind(_END_RECORD, extent) < 0:
        if data.find(_LOCAL_HEADER, extent, extent + _PADDING) >= 0:
            raise DamagedError("the archive of associated files has no end")
        return None
    with _open(data, extent) as archive:
        members = [member for member in archive.infolist() if not member.filename.endswith("/")]
        first = min((member.header_offset for member in archive.infolist()), default=archive.start_dir)
    if first < 0:
        raise DamagedError("the archive of associated files starts within the model")
    return Archive(extent + first, {member.filename: member.file_size for member in members})


def read_members(data: Data, start: int, names: Collection[str]) -> dict[str, bytes]:
    """Members of the archive that begins at `start`, by name.

    Raises:
        DamagedError: one of them fails its checksum, is encrypted, or is larger than `MOST_BYTES`.
    """
    if not names:
        return {}
    with _open(data, start) as archive:
        return {member.filename: _read(archive, member) for member in archive.infolist()
                if member.filename in names}


def append_members(flatbuffer: bytes, members: Mapping[str, bytes]) -> bytes:
    """The model with an archive behind it: sorted, uncompressed and undated, so that equal means equal."""
    from zipfile import ZIP_STORED, ZipFile, ZipInfo

    stream = BytesIO()
    stream.write(flatbuffer)
    with ZipFile(stream, "w", ZIP_STORED) as archive:
        for name in sorted(members):
            member = ZipInfo(name, _FIXED_DATE)
            member.create_system = 3  # Unix, for the permissions
            member.external_attr = 0o100644 << 16
            archive.writestr(member, members[name])
    return stream.getvalue()


def _open(data: Data, start: int) -> ZipFile:
    from zipfile import BadZipFile, ZipFile

    try:
        return ZipFile(BytesIO(data[start:]))
    except (BadZipFile, ValueError, IndexError, OverflowError, NotImplementedError, OSError) as error:
        raise DamagedError(f"its archive of associated files cannot be read: {error}") from error


def _read(archive: ZipFile, member: ZipInfo) -> bytes:
    import zlib
    from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile

    name = member.filename
    if member.compress_type not in {ZIP_STORED, ZIP_DEFLATED}:
        raise DamagedError(f"'{name}' in its archive is compressed in an unknown way")
    try:
        with archive.open(member) as stream:
            # Ask for one byte more: a member may hold more than it declares.
            content = stream.read(MOST_BYTES + 1)
    except (BadZipFile, zlib.error, EOFError, ValueError, RuntimeError, OSError) as error:
        raise DamagedError(f"'{name}' in its archive cannot be read: {error}") from error
    if len(content) > MOST_BYTES:
        raise DamagedError(f"'{name}' in its archive is larger than {MOST_BYTES // 2**20} MiB")
    return content
