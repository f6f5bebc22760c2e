"""TFRecord framing: from a chunk of a growing event file to whole records, and the cursor to go on from.

A record is its length (8 bytes), a checksum of that, the data, and a checksum of the data; numbers are little-endian,
checksums CRC-32C, masked. A record counts once all of it is there. Where a checksum is wrong, what follows is searched
for the next header whose checksum is right; nobody's metrics are lost for one bad sector, and none is made up.
"""

from __future__ import annotations

import re
import struct
from typing import NamedTuple

import google_crc32c

from katib.core.ports import Chunk
from katib.core.trial import Cursor
from katib.metrics.lines import MAX_LINE

_HEADER = struct.Struct("<QI")
_CHECKSUM = struct.Struct("<I")

MAX_RECORD = MAX_LINE - _HEADER.size - _CHECKSUM.size
"""Bytes of data; longer records (pictures, graphs) are skipped unread. A chunk holds one of this length."""

# Where a header may begin: the upper half of a length that is below 4 GiB is zero.
_LIKELY_HEADER = re.compile(rb"(?=.{4}\0{4}.{4})", re.DOTALL)


class Framed(NamedTuple):
    """The whole records of a chunk, the cursor behind the last byte that was used, and what had to be skipped."""

    records: list[bytes]
    end: Cursor
    notes: list[str]


def frame_records(chunk: Chunk) -> Framed:
    """Cut a chunk into records. Never raises. A cursor in damaged bytes has ``mid_line`` set: they are told once."""
    data, offset, damaged = chunk.data, chunk.start.offset, chunk.start.mid_line
    records: list[bytes] = []
    notes: list[str] = []
    position = 0
    while len(data) - position >= _HEADER.size:
        begin, length = position + _HEADER.size, _length(data, position)
        end = begin + (length or 0) + _CHECKSUM.size
        if length is not None and length > MAX_RECORD:
            notes.append(f"skipped a record of {length} bytes at byte {offset + position}, longer than {MAX_RECORD}")
            position, damaged = end, False
        elif length is not None and end > len(data) and not chunk.final:
            break
        elif length is not None and end <= len(data) and _is_sound(data, begin, end - _CHECKSUM.size):
            records.append(data[begin : begin + length])
            position, damaged = end, False
        else:
            if not damaged:
                notes.append(f"skipped bytes from byte {offset + position} on: damaged, or cut off")
            damaged = True
            position = _next_header(data, position + 1 if length is None else begin)
    if chunk.final and position < len(data) and not damaged:
        notes.append(f"skipped bytes from byte {offset + position} on: cut off")
    return Framed(records, Cursor(offset + position, damaged), notes)


def masked_checksum(data: bytes) -> int:
    """The checksum that stands behind ``data`` in a file."""
    checksum: int = google_crc32c.value(data)
    return ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _length(data: bytes, position: int) -> int | None:
    """Length of the record whose header is at ``position``, None if there is no header."""
    length, checksum = _HEADER.unpack_from(data, position)
    return length if checksum == masked_checksum(data[position : position + 8]) else None


def _is_sound(data: bytes, begin: int, end: int) -> bool:
    """Whether the data between ``begin`` and ``end`` is what was written."""
    (checksum,) = _CHECKSUM.unpack_from(data, end)
    return bool(checksum == masked_checksum(data[begin:end]))


def _next_header(data: bytes, start: int) -> int:
    """Where the next header begins, at ``start`` or behind; where one may begin whose end is not there yet."""
    for match in _LIKELY_HEADER.finditer(data, start):
        if _length(data, match.start()) is not None:
            return match.start()
    return max(start, len(data) - _HEADER.size + 1)
