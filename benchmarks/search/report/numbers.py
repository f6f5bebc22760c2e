"""Numbers as readers see them."""

from __future__ import annotations

import math

from benchmarks.search.report.regret import FLOOR

NOTHING = "–"


def regret_text(value: float) -> str:
    """Two digits; what counts as reached is shown as such."""
    if math.isnan(value):
        return NOTHING
    if value <= FLOOR * (1 + 1e-9):
        return f"≤ {_power(f'{FLOOR:.0e}')}"
    if value >= 10:
        return f"{value:,.0f}"
    return f"{value:#.2g}" if value >= 0.00095 else _power(f"{value:.1e}")


def _power(text: str) -> str:
    """``1e-06`` -> ``1e-6``."""
    return text.replace("e-0", "e-")


def rank_text(value: float) -> str:
    """Two decimals."""
    return NOTHING if math.isnan(value) else f"{value:.2f}"


def seconds_text(value: float) -> str:
    """In the unit that fits: µs, ms or s."""
    if math.isnan(value):
        return NOTHING
    for unit, size in (("µs", 1e-6), ("ms", 1e-3)):
        if value < 999.5 * size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.3g} s" if value < 999.5 else f"{value:,.0f} s"


def share_text(value: float) -> str:
    """As a percentage."""
    return NOTHING if math.isnan(value) else f"{100 * value:.1f} %"


def trials_text(value: float) -> str:
    """A number of trials; infinite: more than the runs had."""
    if math.isnan(value):
        return NOTHING
    return "never" if math.isinf(value) else f"{value:.0f}"


def p_text(value: float) -> str:
    """A p-value; what is too small to matter is shown as a bound."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def count_text(number: int, noun: str) -> str:
    """``1 problem``, ``2 problems``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def between(low: str, high: str) -> str:
    """An interval of two numbers as texts, empty without them."""
    return "" if NOTHING in (low, high) else f"{low} … {high}"
