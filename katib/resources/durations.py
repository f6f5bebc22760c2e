"""Times as users write them: ``90s``, ``1h30m``, ``1.5h``, ``250ms``, ``2d``; a bare number is seconds."""

from __future__ import annotations

import re

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_NUMBER = r"[0-9]{1,12}(?:\.[0-9]{1,9})?"
_PART = re.compile(rf"({_NUMBER})(ms|s|m|h|d)", re.ASCII)
_WHOLE = re.compile(rf"(?:{_NUMBER}(?:ms|s|m|h|d))+|{_NUMBER}", re.ASCII)

EXPECTED = "a length of time such as 90s, 5m or 1h30m"


def parse_duration(text: str) -> float | None:
    """Seconds, 0 or more; None if ``text`` is no time."""
    if not _WHOLE.fullmatch(text):
        return None
    parts = _PART.findall(text)
    return sum(float(number) * _SECONDS[unit] for number, unit in parts) if parts else float(text)


def duration_text(seconds: float) -> str:
    """The shortest text of whole units that ``parse_duration`` reads as ``seconds``."""
    for unit in ("d", "h", "m", "s"):
        if seconds >= _SECONDS[unit] and seconds % _SECONDS[unit] == 0:
            return f"{seconds / _SECONDS[unit]:.0f}{unit}"
    return f"{seconds:.9f}".rstrip("0").rstrip(".") + "s"
