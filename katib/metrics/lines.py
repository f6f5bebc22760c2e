"""Framing: from a chunk of a growing byte stream to clean lines of text, and the cursor to go on from.

A line is taken when its end has been seen, so a half line stays unread and is part of the next chunk. How a stream is
cut into chunks therefore never changes what is found in it.

Line ends are LF, CR LF and a lone CR: progress bars redraw themselves after a CR, and each redraw is a line of its own.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from katib.core.ports import Chunk
from katib.core.trial import Cursor

MAX_LINE = 1 << 20
"""Bytes; a line that has as many or more is skipped up to its end, never half read. Chunks may be cut to this size but
not smaller, else a long line would neither get complete nor be known as too long."""

_LINE_END = re.compile(rb"\r\n?|\n")

# What a terminal would not print: ANSI sequences (ECMA-48: CSI; the strings OSC, DCS, SOS, PM, APC with their
# terminator; all other escapes), control characters but the tab, and the byte order mark.
_UNPRINTED = re.compile(
    r"\x1b\[[0-?]*+[ -/]*+[@-~]"
    r"|\x1b[\]PX^_][^\x07\x1b]*+(?:\x07|\x1b\\)"
    r"|\x1b[ -/]*+[0-~]?"
    r"|[\x00-\x08\x0a-\x1f\x7f-\x9f\ufeff]"
)


class Framed(NamedTuple):
    """The complete lines of a chunk, without their ends, and the cursor behind the last byte that was used."""

    lines: list[str]
    end: Cursor


def frame(chunk: Chunk) -> Framed:
    """Cut a chunk into lines. The last line needs an end only if the chunk is not final. Never raises."""
    data, offset = chunk.data, chunk.start.offset
    begin = 0
    if chunk.start.mid_line:
        line_end = _LINE_END.search(data)
        if line_end is None:
            return Framed([], Cursor(offset + len(data), mid_line=True))
        begin = line_end.end()
    stop = len(data) if chunk.final else max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
    raw_lines = data[begin:stop].splitlines()
    lines = [clean(raw.decode("utf-8", "replace")) for raw in raw_lines if len(raw) < MAX_LINE]
    if len(data) - stop >= MAX_LINE:
        return Framed(lines, Cursor(offset + len(data), mid_line=True))
    return Framed(lines, Cursor(offset + stop))


def clean(text: str) -> str:
    """The text without what a terminal would not print, and without lone surrogates, which no encoding can store."""
    if text.isascii() and text.isprintable():
        return text
    return _UNPRINTED.sub("", text).encode("utf-8", "replace").decode("utf-8")
