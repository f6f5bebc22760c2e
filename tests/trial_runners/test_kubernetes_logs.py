"""The copy of a container's output: the same bytes, whatever breaks, is killed or rotated on the way."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trial_runners.kubernetes.log_copy import Instance, LogCopy
from trial_runners.kubernetes.log_entries import PIECE_BYTES, SECOND, Entry, EntryParser

START = 1_800_000_000 * SECOND
RUNTIME_BUFFER = 16384


class Written(NamedTuple):
    """What a runtime keeps: a time for each buffer of a line. whole: the line ends here."""

    time: int
    data: bytes
    whole: bool


def stamp(time: int) -> bytes:
    """A time as the log API writes it."""
    whole = datetime.fromtimestamp(time // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{time % SECOND:09d}Z ".encode()


def runtime(lines: Sequence[bytes], times: Iterator[int]) -> list[Written]:
    """How a runtime keeps ``lines``, of which the last may have no end."""
    kept = []
    for line in lines:
        text = line.removesuffix(b"\n")
        pieces = [text[i : i + RUNTIME_BUFFER] for i in range(0, len(text), RUNTIME_BUFFER)] or [b""]
        for piece in pieces[:-1]:
            kept.append(Written(next(times), piece, False))
        kept.append(Written(next(times), pieces[-1], line.endswith(b"\n")))
    return kept


def answer(kept: Sequence[Written], since: int | None, *, every_buffer: bool) -> bytes:
    """What the log API sends. every_buffer: as kubelets up to 1.27 do, with the time of each buffer."""
    sent, at_start = b"", True
    for written in kept:
        if since is not None and written.time < since * SECOND:
            continue
        prefix = stamp(written.time) if at_start or every_buffer else b""
        sent += prefix + written.data + (b"\n" if written.whole else b"")
        at_start = written.whole
    return sent


def parse(data: bytes, sizes: Sequence[int] = ()) -> list[Entry]:
    """The entries of a whole stream that arrives in chunks of these sizes."""
    parser, entries = EntryParser(), []
    for size in sizes:
        entries += parser.feed(data[:size])
        data = data[size:]
    return [*entries, *parser.feed(data), *parser.finish()]


LONG = b"x" * (3 * RUNTIME_BUFFER + 100)


@pytest.mark.parametrize("every_buffer", [True, False], ids=["old kubelet", "new kubelet"])
@pytest.mark.parametrize(
    "lines",
    [
        [b"one\n", b"\n", b"half"],
        [LONG + b"\n", b"next\n"],
        [LONG[:RUNTIME_BUFFER] + b"\n", LONG],
        [b"y" * (2 * PIECE_BYTES + 7) + b"\n", b"z\n"],
        [b"2026-01-01T00:00:00.000000000Z of its own\n"],
        [(b"2026-01-01T00:00:00.000000000Z " * 3000) + b"\n"],
        [bytes(range(256)).replace(b"\n", b"") + b"\n", b"\r50%\r100%\n"],
    ],
    ids=["short", "long", "ends with a buffer", "very long", "a time of its own", "many of its own", "binary"],
)
def test_output_is_what_was_printed(lines: list[bytes], every_buffer: bool) -> None:
    kept = runtime(lines, iter(range(START, START + 10**6)))
    sent = answer(kept, None, every_buffer=every_buffer)
    whole = parse(sent)
    assert b"".join(entry.data for entry in whole) == b"".join(lines)
    assert parse(sent, [1] * 100 + [4097] * 20 + [65536] * 20) == whole


def test_what_is_no_output_is_left_out() -> None:
    sent = stamp(START) + b"one\nfailed to watch file: too many open files\n" + stamp(START + 1) + b"two\n"
    assert [entry.data for entry in parse(sent)] == [b"one\n", b"two\n"]


class Break(NamedTuple):
    """bytes: of the answer that come through. lost: last bytes of the log that a kill keeps from the disk; the index is
    written first. None: no kill."""

    bytes: int
    lost: int | None


breaks = st.lists(st.builds(Break, st.integers(0, 3000), st.none() | st.integers(0, 50)), max_size=8)
lines = st.lists(
    st.binary(max_size=40).map(lambda data: data.replace(b"\n", b"") + b"\n")
    | st.just(b"same\n")
    | st.just(LONG + b"\n"),
    max_size=30,
)
gaps = st.sampled_from([0, 1, 1000, SECOND // 3, SECOND, 7 * SECOND])


@given(lines=lines, times=st.lists(gaps, min_size=200, max_size=200), breaks=breaks, old=st.booleans())
def test_no_break_loses_or_repeats(lines: list[bytes], times: list[int], breaks: list[Break], old: bool) -> None:
    moments = iter([START + sum(times[: n + 1]) for n in range(len(times))])
    kept = runtime(lines, moments)
    instance = Instance("uid", 0, "pod")
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "stdout.log"
        copy = LogCopy(log)
        for broken in breaks:
            copy.begin(instance)
            sent = answer(kept, copy.attach(), every_buffer=old)[: broken.bytes]
            copy.write(EntryParser().feed(sent))
            if broken.lost is not None:
                copy.close()
                with log.open("r+b") as file:
                    file.truncate(max(0, log.stat().st_size - broken.lost))
                copy = LogCopy(log)
            assert b"".join(lines).startswith(log.read_bytes())
        copy.begin(instance)
        copy.write(parse(answer(kept, copy.attach(), every_buffer=old)))
        copy.close()
        assert log.read_bytes() == b"".join(lines)


def test_a_rotated_file_loses_nothing_that_was_read() -> None:
    kept = runtime([b"%d\n" % n for n in range(100)], iter(range(START, START + 100)))
    with tempfile.TemporaryDirectory() as folder:
        copy = LogCopy(Path(folder) / "stdout.log")
        copy.begin(Instance("uid", 0, "pod"))
        copy.attach()
        copy.write(EntryParser().feed(answer(kept[:60], None, every_buffer=True)))
        copy.write(parse(answer(kept[50:], copy.attach(), every_buffer=True)))  # one second: all of it comes again
        copy.close()
        assert (Path(folder) / "stdout.log").read_bytes() == b"".join(b"%d\n" % n for n in range(100))


def test_containers_follow_each_other() -> None:
    first, second = Instance("uid", 0, "pod"), Instance("uid", 1, "pod")
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "stdout.log"
        copy = LogCopy(log)
        for instance, text in ((first, b"failed\n"), (second, b"better\n")):
            copy.begin(instance)
            assert copy.attach() is None
            copy.write([Entry(START, text)])
            copy.finish(instance)
        copy.close()
        again = LogCopy(log)
        assert again.done == {first, second}
        again.close()
        assert log.read_bytes() == b"failed\nbetter\n"


def test_the_index_stays_small() -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "stdout.log"
        copy = LogCopy(log)
        copy.begin(Instance("uid", 0, "pod"))
        copy.attach()
        for n in range(600):
            copy.write(Entry(START + n * SECOND + i, b"a line of text\n") for i in range(200))
        copy.close()
        assert log.stat().st_size == 600 * 200 * 15
        assert log.with_suffix(".index").stat().st_size < 3 << 20
        again = LogCopy(log)
        again.close()
        assert log.stat().st_size == 600 * 200 * 15
