"""Puts a metadata entry into a model without touching the bytes that are there.

A FlatBuffer refers forward by 32-bit offsets, so a new head in front may refer to all of the old content:

    new root · vtable · Model table · vectors `buffers`, `metadata` · Buffer · Metadata · name · payload
    old content, moved by a multiple of 16 bytes and otherwise as it was

Serializing the model anew would be shorter to write; it loses what the library's schema does not know, and
takes seconds and several times the model's size in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import pack, unpack_from

from edgekit.errors import ModelFileError
from edgekit.tflite.flatbuffer import Decoder, Record
from edgekit.tflite.model_file import Entry
from edgekit.tflite.reader import IDENTIFIER
from edgekit.tflite.schema import model_schema

ALIGNMENT = 16
"""Bytes at whose multiples TFLite wants the values of buffers (schema.fbs: force_align)."""
_LARGEST = 2**31 - 1

_FIELDS = [field.name for field in model_schema().tables["Model"]]
_KEPT = ("operator_codes", "subgraphs", "description", "metadata_buffer", "signature_defs")


def graft(flatbuffer: bytes, name: str, payload: bytes) -> bytes:
    """The model with `payload` as its metadata entry `name`, in place of one of that name.

    Args:
        flatbuffer: The model without archive, already found sound by `parse_model`.
        name: ASCII.
        payload: Content of the entry.

    Raises:
        ModelFileError: the model has values behind it at absolute positions, or fields of a later schema.
    """
    decoder = Decoder(flatbuffer, model_schema())
    root = decoder.root("Model", IDENTIFIER)
    slots = decoder.slots(root.position)
    if any(slots[len(_FIELDS) :]):
        raise ModelFileError(
            "the model uses a later TFLite schema, parts of which would be lost", hint="Update EdgeKit."
        )
    buffers = [record.position for record in root.records("buffers")]
    entries = [record.position for record in root.records("metadata") if record.text("name") != name]
    targets = _targets(flatbuffer, root, slots)
    head = _Head(root.number("version"), targets, buffers, entries)
    result = head.build(name.encode("ascii"), payload) + flatbuffer
    if len(result) > _LARGEST:
        raise ModelFileError("the model is larger than 2 GiB, the most that one FlatBuffer can hold")
    return result


def ungraft(flatbuffer: bytes, entry: Entry) -> bytes:
    """The model as it was before `graft` made that entry; unchanged where another tool made it."""
    end = entry.start + entry.length
    end += -end % ALIGNMENT
    root = int(unpack_from("<I", flatbuffer, 0)[0])
    made_here = root < entry.start and flatbuffer[end + 4 : end + 8] == IDENTIFIER
    return flatbuffer[end:] if made_here else flatbuffer


def _targets(flatbuffer: bytes, root: Record, slots: Sequence[int]) -> dict[str, int]:
    """Where the fields of the model that stay as they are lie."""
    return {
        field: at + int(unpack_from("<I", flatbuffer, at)[0])
        for field, slot in zip(_FIELDS, slots, strict=False)
        if field in _KEPT and slot and (at := root.position + slot)
    }


class _Head:
    """The new beginning; positions of old content are counted from the old beginning until `build`."""

    def __init__(
        self, version: int, targets: dict[str, int], buffers: Sequence[int], entries: Sequence[int]
    ) -> None:
        self._version = version
        self._targets = targets
        self._buffers = buffers
        self._entries = entries

    def build(self, name: bytes, payload: bytes) -> bytes:
        """All bytes before the old content."""
        fields = [field for field in _FIELDS if field in {*self._targets, "buffers", "metadata"}]
        vtable = 8
        table = vtable + 4 + 2 * len(_FIELDS)
        table += -table % 4
        buffers = table + 8 + 4 * len(fields)
        entries = buffers + 8 + 4 * len(self._buffers)
        buffer_table = entries + 8 + 4 * len(self._entries)
        entry_table = buffer_table + 16
        text = entry_table + 20
        vector = _place_payload(text + 4 + len(name) + 1)
        end = vector + 4 + len(payload)
        end += -end % ALIGNMENT

        head = bytearray(end)
        _put(head, 0, pack("<I4s", table, IDENTIFIER))
        _put(head, vtable, self._vtable(fields))
        _put(head, table, pack("<iI", table - vtable, self._version))
        places = {key: end + at for key, at in self._targets.items()}
        places |= {"buffers": buffers, "metadata": entries}
        for number, field in enumerate(fields):
            at = table + 8 + 4 * number
            _put(head, at, pack("<I", places[field] - at))
        _put(head, buffers, _offsets(buffers, [*(end + at for at in self._buffers), buffer_table + 8]))
        _put(head, entries, _offsets(entries, [*(end + at for at in self._entries), entry_table + 8]))
        # Each small table stands behind its own vtable of 8 bytes.
        _put(head, buffer_table, pack("<HHHxxiI", 6, 8, 4, 8, vector - (buffer_table + 12)))
        to_name = text - (entry_table + 12)
        _put(head, entry_table, pack("<HHHHiII", 8, 12, 4, 8, 8, to_name, len(self._buffers)))
        _put(head, text, pack("<I", len(name)) + name)
        _put(head, vector, pack("<I", len(payload)) + payload)
        return bytes(head)

    @staticmethod
    def _vtable(fields: Sequence[str]) -> bytes:
        """Sizes of the vtable and of the table, and where in it the fields are: `version` comes first."""
        place = {"version": 4} | {field: 8 + 4 * number for number, field in enumerate(fields)}
        slots = [place.get(field, 0) for field in _FIELDS]
        return pack(f"<HH{len(slots)}H", 4 + 2 * len(slots), 8 + 4 * len(fields), *slots)


def _place_payload(at: int) -> int:
    """The first place from `at` for a vector of bytes: its length, and then the elements, aligned."""
    return at + 4 + (-(at + 4)) % ALIGNMENT - 4


def _offsets(at: int, targets: Sequence[int]) -> bytes:
    """A vector of offsets that stands at `at`."""
    offsets = [target - (at + 4 + 4 * number) for number, target in enumerate(targets)]
    return pack(f"<{1 + len(offsets)}I", len(offsets), *offsets)


def _put(head: bytearray, at: int, content: bytes) -> None:
    head[at : at + len(content)] = content
