"""Numbers as readers see them, and what is marked as the best."""

from __future__ import annotations

import math

import pytest

from benchmarks.search.report.document import Cell, columns_with_best, slug, with_best
from benchmarks.search.report.numbers import (
    between,
    count_text,
    p_text,
    rank_text,
    regret_text,
    seconds_text,
    share_text,
    trials_text,
)


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        (regret_text, 1e-6, "≤ 1e-6"),
        (regret_text, 1.23e-5, "1.2e-5"),
        (regret_text, 0.00094, "9.4e-4"),
        (regret_text, 0.00312, "0.0031"),
        (regret_text, 0.4, "0.40"),
        (regret_text, 2.34, "2.3"),
        (regret_text, 12345.6, "12,346"),
        (regret_text, math.nan, "–"),
        (rank_text, 2, "2.00"),
        (rank_text, math.nan, "–"),
        (seconds_text, 12.3e-6, "12.3 µs"),
        (seconds_text, 0.0999, "99.9 ms"),
        (seconds_text, 0.99951, "1 s"),
        (seconds_text, 12.34, "12.3 s"),
        (seconds_text, 4321, "4,321 s"),
        (seconds_text, math.nan, "–"),
        (share_text, 0.1234, "12.3 %"),
        (share_text, math.nan, "–"),
        (trials_text, 36, "36"),
        (trials_text, math.inf, "never"),
        (trials_text, math.nan, "–"),
        (p_text, 0.0004, "< 0.001"),
        (p_text, 0.04, "0.040"),
    ],
)
def test_texts(text, value, expected):
    assert text(value) == expected


def test_counts_and_intervals():
    assert [count_text(n, "problem") for n in (1, 2, 1000)] == ["1 problem", "2 problems", "1,000 problems"]
    assert between("1.00", "2.00") == "1.00 … 2.00"
    assert between("–", "–") == ""


@pytest.mark.parametrize(
    ("values", "best"),
    [
        pytest.param([2, 1, 3], [1], id="the smallest"),
        pytest.param([1, 1, 3], [0, 1], id="ties"),
        pytest.param([math.nan, 2, 3], [1], id="holes"),
        pytest.param([math.inf, 2, math.inf], [1], id="never"),
        pytest.param([1, 1, 1], [], id="all alike"),
        pytest.param([math.nan] * 3, [], id="nothing"),
    ],
)
def test_the_best_is_marked(values, best):
    cells = [Cell(str(value)) for value in values]
    assert [i for i, cell in enumerate(with_best(cells, values)) if cell.best] == best
    rows = columns_with_best([(cells, values), (cells, [math.nan] * 3)])
    assert [i for i, row in enumerate(rows) if row[0].best] == best
    assert not any(row[1].best for row in rows)


def test_slug():
    assert slug("One trial at a time: ranks (a/b)") == "one-trial-at-a-time-ranks-a-b"
