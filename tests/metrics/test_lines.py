"""Framing: the cut into chunks never matters, long lines are skipped whole, nothing that programs write can hurt."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from katib.core.collector import CollectorSpec
from katib.core.objective import Measurement, Objective
from katib.core.ports import Chunk, Collector
from katib.core.trial import Cursor
from katib.metrics import create_collector, lines
from katib.metrics.lines import MAX_LINE, clean, frame

OBJECTIVE = Objective("loss", additional=("accuracy",))
TEXT = create_collector(CollectorSpec(), OBJECTIVE)
FILTERED = create_collector(CollectorSpec(filters=(r"(\w+)\s*=\s*(\S*)",)), OBJECTIVE)
JSON = create_collector(CollectorSpec(format="JSON"), OBJECTIVE)

MARKS = (b"loss", b"=", b"0.5", b" ", b"\n", b"\r", b"\r\n", b"accuracy=1e-5", b"\x1b[3", b"2m", b"\xc3", b"\xa9")
WORDS = (b"loss=nan", b'{"loss": 1}', b'{"loss": "', b'"}', b"\x00", b"x" * 40, b"epoch=3 ", b"2024-05-01T12:00:00Z ")
PIECES = st.sampled_from(MARKS + WORDS)
STREAMS = st.lists(PIECES | st.binary(max_size=5), max_size=60).map(b"".join)


def read(collector: Collector, stream: bytes, cuts: list[int]) -> list[Measurement]:
    """Feed the stream as a runner would: at each cut, what lies between the cursor and the cut."""
    cursor, found = Cursor(), []
    for cut in [*sorted(cuts), len(stream)]:
        if cut >= cursor.offset:
            measurements, cursor, *_ = collector(Chunk("stdout", cursor, stream[cursor.offset : cut], 100.0))
            found.extend(measurements)
    measurements, cursor, *_ = collector(Chunk("stdout", cursor, stream[cursor.offset :], 100.0, final=True))
    assert cursor.offset == len(stream)
    return [*found, *measurements]


@pytest.mark.parametrize("collector", [TEXT, FILTERED, JSON], ids=["text", "filters", "json"])
@settings(deadline=None)
@given(stream=STREAMS, data=st.data())
def test_the_cut_into_chunks_does_not_matter(collector: Collector, stream: bytes, data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=8))
    assert read(collector, stream, cuts) == read(collector, stream, [])


@settings(deadline=None)
@given(stream=STREAMS, data=st.data())
def test_the_cut_does_not_matter_with_over_long_lines(stream: bytes, data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=8))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "MAX_LINE", 16)
        assert read(TEXT, stream, cuts) == read(TEXT, stream, [])


@pytest.mark.parametrize("collector", [TEXT, FILTERED, JSON], ids=["text", "filters", "json"])
@settings(deadline=None)
@given(stream=st.binary(max_size=2000), mid_line=st.booleans(), final=st.booleans())
def test_random_bytes_never_raise(collector: Collector, stream: bytes, mid_line: bool, final: bool) -> None:
    _, end, *_ = collector(Chunk("stdout", Cursor(7, mid_line), stream, 100.0, final))
    assert 7 <= end.offset <= 7 + len(stream)


@settings(deadline=None)
@given(text=st.text(st.characters(exclude_categories=())))
def test_clean_text_can_be_stored(text: str) -> None:
    cleaned = clean(text)
    assert cleaned.encode().decode() == cleaned
    assert "\x00" not in cleaned
    assert "\x1b" not in cleaned
    assert clean(cleaned) == cleaned


@pytest.mark.parametrize(
    ("data", "start", "final", "expected", "end"),
    [
        pytest.param(b"a\nb", Cursor(10), False, ["a"], Cursor(12), id="a half line waits"),
        pytest.param(b"a\nb", Cursor(10), True, ["a", "b"], Cursor(13), id="a half line at the end is a line"),
        pytest.param(b"abc", Cursor(10), False, [], Cursor(10), id="nothing complete yet"),
        pytest.param(b"", Cursor(10), True, [], Cursor(10), id="nothing at all"),
        pytest.param(b"a\rb\r\nc\n", Cursor(0), False, ["a", "b", "c"], Cursor(7), id="all line ends"),
        pytest.param(b"rest\nb\n", Cursor(5, True), False, ["b"], Cursor(12), id="the rest of a long line is skipped"),
        pytest.param(b"rest", Cursor(5, True), False, [], Cursor(9, True), id="the long line goes on"),
        pytest.param(b"rest", Cursor(5, True), True, [], Cursor(9, True), id="the long line never ends"),
        pytest.param(b"rest\rb", Cursor(5, True), False, [], Cursor(10), id="a half line follows the long one"),
        pytest.param(b"x" * (MAX_LINE - 1), Cursor(0), False, [], Cursor(0), id="as long as a line may be"),
        pytest.param(b"x" * MAX_LINE, Cursor(0), False, [], Cursor(MAX_LINE, True), id="one byte too long"),
        pytest.param(
            b"a\n" + b"x" * (MAX_LINE + 1), Cursor(0), True, ["a"], Cursor(MAX_LINE + 3), id="too long at end"
        ),
    ],
)
def test_frame(data: bytes, start: Cursor, final: bool, expected: list[str], end: Cursor) -> None:
    assert frame(Chunk("stdout", start, data, 0.0, final)) == (expected, end)


@pytest.mark.parametrize("end", [b"\n", b"\r", b""], ids=["LF", "CR", "none"])
def test_a_line_of_ten_megabytes_is_skipped_to_its_end(end: bytes) -> None:
    """Read in the smallest chunks that are allowed; each of them gets the reader on."""
    stream = b"loss=0.5\n" + b"loss=0.1 " * 1_200_000 + end + b"accuracy=0.9" * len(end)
    cursor, found = Cursor(), []
    while cursor.offset < len(stream):
        data = stream[cursor.offset : cursor.offset + MAX_LINE]
        measurements, end_of_chunk, *_ = TEXT(
            Chunk("stdout", cursor, data, 100.0, cursor.offset + len(data) == len(stream))
        )
        assert end_of_chunk.offset > cursor.offset
        found, cursor = [*found, *measurements], end_of_chunk
    assert [(m.metric, m.value) for m in found] == [("loss", 0.5), ("accuracy", 0.9)][: 1 + len(end)]


@pytest.mark.parametrize("size", [MAX_LINE - 1, MAX_LINE, MAX_LINE + 1])
@pytest.mark.parametrize("cut", [0, 9, MAX_LINE - 1, MAX_LINE, MAX_LINE + 1])
def test_the_longest_line_is_read_whole_or_not_at_all(size: int, cut: int) -> None:
    stream = b"loss=0.5 ".ljust(size, b".") + b"\n"
    assert len(read(TEXT, stream, [min(cut, size)])) == (size < MAX_LINE)
