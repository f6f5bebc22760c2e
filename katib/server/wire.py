"""The encoding of protocol buffers, as far as kubectl needs it: fields of messages, written and read by number."""

from __future__ import annotations

from collections.abc import Iterator

VARINT, LENGTH = 0, 2  # the two wire types in use
_SIZES = {1: 8, 5: 4}  # bytes of the others


def varint(number: int) -> bytes:
    """A whole number from 0 on."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(number: int, value: str | bytes) -> bytes:
    """A text, or a message that is encoded already, as the field ``number`` of the message around it."""
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | LENGTH) + varint(len(data)) + data


def fields(message: bytes) -> Iterator[tuple[int, bytes | int]]:
    """The fields of a message: number and value. Raises ValueError if it is none."""
    at = 0
    while at < len(message):
        tag, at = _varint_at(message, at)
        number, kind = tag >> 3, tag & 7
        if kind == VARINT:
            value, at = _varint_at(message, at)
            yield number, value
            continue
        if kind == LENGTH:
            size, at = _varint_at(message, at)
        elif kind in _SIZES:
            size = _SIZES[kind]
        else:
            raise ValueError(f"wire type {kind}")
        if at + size > len(message):
            raise ValueError("the message is cut off")
        yield number, message[at : at + size]
        at += size


def _varint_at(message: bytes, at: int) -> tuple[int, int]:
    """(number, where it ends)."""
    number = 0
    for shift in range(0, 64, 7):
        if at >= len(message):
            raise ValueError("the message is cut off")
        byte, at = message[at], at + 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
    raise ValueError("a number is too long")
