"""Reading what trials write."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from katib.core.trial import Cursor
from trial_runners.output import log_tail, read_chunk


@pytest.mark.parametrize(
    ("log", "tail"),
    [
        pytest.param(b"", "", id="empty"),
        pytest.param(b"a\nb\n\n", "a\nb", id="line ends at the end"),
        pytest.param(b"a\r\nb\r\n", "a\nb", id="dos"),
        pytest.param(b" 1%\r 50%\r100%\ndone", "100%\ndone", id="progress bar"),
        pytest.param(b"\x1b[1;31mred\x1b[0m \x1b]0;title\x07x\x1b(B", "red x", id="escapes"),
        pytest.param(b"a\x00\x07\x9bb\tc", "a�b\tc", id="controls"),
        pytest.param("ü☃".encode() + b"\xff", "ü☃�", id="not utf-8"),
        pytest.param(b"x" * 100_000, "x" * 4096, id="one long line"),
    ],
)
def test_log_tail(tmp_path: Path, log: bytes, tail: str) -> None:
    (tmp_path / "log").write_bytes(log)
    assert log_tail(tmp_path / "log") == tail


@given(st.binary(max_size=20_000))
def test_log_tail_is_always_fit_to_show(tmp_path_factory: pytest.TempPathFactory, log: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.log"
    path.write_bytes(log)
    tail = log_tail(path)
    assert len(tail.encode()) <= 4096
    assert tail.count("\n") < 20
    assert not any(ord(letter) < 32 and letter not in "\t\n" for letter in tail)


def test_no_log(tmp_path: Path) -> None:
    assert log_tail(tmp_path / "none") == ""


@pytest.mark.parametrize(
    ("offset", "ended", "data", "final"),
    [
        pytest.param(0, False, b"abc", False, id="from the start"),
        pytest.param(2, False, b"c", False, id="from a cursor"),
        pytest.param(3, False, None, False, id="nothing new"),
        pytest.param(3, True, b"", True, id="the end, all read"),
        pytest.param(1, True, b"bc", True, id="the end with the rest"),
        pytest.param(9, True, b"", True, id="a file that was cut"),
    ],
)
def test_read_chunk(tmp_path: Path, offset: int, ended: bool, data: bytes | None, final: bool) -> None:
    (tmp_path / "log").write_bytes(b"abc")
    chunk, more = read_chunk(tmp_path / "log", "stdout", Cursor(offset, mid_line=True), ended)
    assert not more
    assert (chunk and (chunk.start, chunk.data, chunk.final)) == (
        None if data is None else (Cursor(offset, mid_line=True), data, final)
    )
