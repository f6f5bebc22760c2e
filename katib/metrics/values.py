"""What counts as a number and as a time in a report. Every format reads them by the same two rules."""

from __future__ import annotations

import math
import re
from datetime import datetime

from katib.core.objective import Measurement
from katib.metrics.lines import clean

MAX_TEXT = 4096
"""Characters of a reported value that are kept."""

NUMBER = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
"""A decimal number with an optional exponent: 3, -.5, 1., 1e-05. No separators between digits, no hexadecimals."""

STEP_KEYS = ("step", "epoch")
"""Names that carry a trial's own count of its progress; the first one that a report has is taken."""

STEP = r"[0-9]{1,18}"
"""A step: fits in 64 bits."""

_NUMBER = re.compile(NUMBER)
_STEP = re.compile(STEP)

# RFC 3339, section 5.6. Digits behind the microseconds are taken too, as far as a float holds them (0.2 us today).
_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def parse_number(text: str) -> float | None:
    """The finite number that ``text`` is, None if it is anything else: "nan", "inf", 1e999, empty, words."""
    if not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def parse_time(text: str) -> float | None:
    """Seconds since the epoch of an RFC 3339 time such as 2024-05-01T12:00:00.123456789+02:00, None if it is none."""
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    day, clock, fraction, zone = match.groups()
    try:
        whole = datetime.fromisoformat(f"{day}T{clock}{'+00:00' if zone in 'Zz' else zone}").timestamp()
    except (ValueError, OverflowError):
        return None
    return whole + float(fraction or 0)


def parse_step(text: str) -> int | None:
    """The step that ``text`` is, None if it is no whole number of at most 18 digits."""
    return int(text) if _STEP.fullmatch(text) else None


def measure(metric: str, text: str, time: float, step: int | None) -> Measurement:
    """One report; its text is kept as it was written, cleaned and at most MAX_TEXT characters long."""
    kept = clean(text)[:MAX_TEXT].strip()
    return Measurement(metric, parse_number(kept), kept, time, step)
