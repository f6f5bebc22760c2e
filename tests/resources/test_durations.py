"""Times as users write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from katib.resources.durations import duration_text, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        pytest.param("90s", 90, id="seconds"),
        pytest.param("1h30m", 5400, id="parts"),
        pytest.param("1.5h", 5400, id="fraction"),
        pytest.param("250ms", 0.25, id="milliseconds"),
        pytest.param("2d", 172_800, id="days"),
        pytest.param("45", 45, id="bare-number"),
        pytest.param("0.5", 0.5, id="bare-fraction"),
        pytest.param("0s", 0, id="zero"),
        pytest.param("", None, id="empty"),
        pytest.param("-5s", None, id="negative"),
        pytest.param("5 s", None, id="space"),
        pytest.param("5x", None, id="unknown-unit"),
        pytest.param("5m3", None, id="half-a-part"),
        pytest.param("1e3", None, id="exponent"),
        pytest.param("inf", None, id="infinite"),
        pytest.param("٣s", None, id="other-digits"),
    ],
)
def test_parse(text, seconds):
    assert parse_duration(text) == seconds


@given(st.integers(0, 10**7) | st.integers(0, 10**6).map(lambda n: n / 1000))
def test_what_is_written_is_read_again(seconds):
    assert parse_duration(duration_text(seconds)) == pytest.approx(seconds, abs=1e-9)
