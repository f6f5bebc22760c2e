"""Framing of event files: how a file grows or is cut never matters, damage costs no more than itself and is told."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from katib.core.ports import Chunk
from katib.core.trial import Cursor
from katib.metrics.records import MAX_RECORD, frame_records, masked_checksum


def record(data: bytes) -> bytes:
    header = struct.pack("<Q", len(data))
    checksums = struct.pack("<I", masked_checksum(header)), struct.pack("<I", masked_checksum(data))
    return header + checksums[0] + data + checksums[1]


def read(stream: bytes, cuts: list[int]) -> tuple[list[bytes], list[str], Cursor]:
    """Feed the stream as a runner would: at each cut, what lies between the cursor and the cut."""
    cursor, records, notes = Cursor(), [], []
    for cut, final in [*((cut, False) for cut in sorted(cuts)), (len(stream), True)]:
        found = frame_records(Chunk("f", cursor, stream[cursor.offset : cut], 0.0, final))
        records.extend(found.records)
        notes.extend(found.notes)
        assert found.end.offset >= cursor.offset
        cursor = found.end
    return records, notes, cursor


CUTS = st.lists(st.integers(0, 2000), max_size=6)
DATA = st.lists(st.binary(max_size=40) | st.just(b"\0" * 30), max_size=12)


def test_the_checksum_is_that_of_the_format() -> None:
    """CRC-32C of "123456789" is 0xE3069283 (the usual check value); TFRecord rotates it and adds a constant."""
    rotated = (0xE3069283 >> 15 | 0xE3069283 << 17) & 0xFFFFFFFF
    assert masked_checksum(b"123456789") == (rotated + 0xA282EAD8) & 0xFFFFFFFF


@settings(deadline=None)
@given(data=DATA, cuts=CUTS)
def test_records_come_whole_and_once_however_the_file_grows(data: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(map(record, data))
    assert read(stream, cuts) == (data, [], Cursor(len(stream)))


@settings(deadline=None)
@given(before=DATA, hurt=st.binary(min_size=1, max_size=40), after=DATA, place=st.integers(0, 10**6), cuts=CUTS)
def test_a_damaged_byte_costs_one_record(
    before: list[bytes], hurt: bytes, after: list[bytes], place: int, cuts: list[int]
) -> None:
    broken = bytearray(record(hurt))
    broken[place % len(broken)] ^= 0x40
    stream = b"".join(map(record, before)) + bytes(broken) + b"".join(map(record, after))
    records, notes, _ = read(stream, cuts)
    assert records == [*before, *after]
    assert len(notes) == 1
    assert str(len(b"".join(map(record, before)))) in notes[0]


@settings(deadline=None)
@given(data=DATA, junk=st.binary(max_size=60), cuts=CUTS)
def test_random_bytes_between_never_raise_and_hide_nothing_behind(
    data: list[bytes], junk: bytes, cuts: list[int]
) -> None:
    stream = record(b"first") + junk + b"".join(map(record, data))
    records, notes, _ = read(stream, cuts)
    assert records == [b"first", *data]
    assert bool(notes) == bool(junk)


@pytest.mark.parametrize("kept", range(1, 20))
def test_a_record_that_was_cut_off_waits_and_is_told_at_the_end(kept: int) -> None:
    stream = record(b"one") + record(b"four")[:kept]
    waiting = frame_records(Chunk("f", Cursor(), stream, 0.0))
    assert (waiting.records, waiting.end, waiting.notes) == ([b"one"], Cursor(19), [])
    (note,) = frame_records(Chunk("f", waiting.end, stream[19:], 0.0, final=True)).notes
    assert "from byte 19 on" in note
    assert "cut off" in note


def test_a_writer_that_goes_on_after_half_a_record_is_read_again() -> None:
    stream = record(b"one") + record(b"x" * 50)[:30] + record(b"two") + record(b"three")
    assert read(stream, [60])[0] == [b"one", b"two", b"three"]


def test_a_record_longer_than_a_chunk_is_skipped_unread() -> None:
    long = record(b"p" * (MAX_RECORD + 1))
    first = frame_records(Chunk("f", Cursor(), record(b"one") + long[:1000], 0.0))
    assert first.records == [b"one"]
    assert first.end == Cursor(19 + len(long))
    assert str(MAX_RECORD + 1) in first.notes[0]
    assert frame_records(Chunk("f", first.end, record(b"two"), 0.0)).records == [b"two"]


def test_the_longest_record_is_read() -> None:
    data = b"p" * MAX_RECORD
    assert len(record(data)) == 1 << 20
    assert frame_records(Chunk("f", Cursor(), record(data), 0.0)).records == [data]


def test_a_megabyte_without_a_record_is_got_over() -> None:
    for stream in (b"\0" * (1 << 20), b"\x01" * (1 << 20)):
        found = frame_records(Chunk("f", Cursor(), stream, 0.0))
        assert (found.records, found.end) == ([], Cursor((1 << 20) - 11, True))
        assert len(found.notes) == 1
        again = frame_records(Chunk("f", found.end, stream[-11:] + stream, 0.0))
        assert again.notes == []
