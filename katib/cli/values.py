"""Types of option values: lengths of time as kubectl writes them, and counts that may be without limit."""

from __future__ import annotations

from typing import Any

import click

from katib.resources.durations import EXPECTED, parse_duration

NO_LIMIT = "none"


class Duration(click.ParamType):  # type: ignore[type-arg]
    """Seconds, from ``90``, ``90s``, ``5m`` or ``1h30m``. A negative one, if allowed, means no limit: None."""

    name = "duration"

    def __init__(self, *, endless: bool = False) -> None:
        """endless: whether a negative one is allowed."""
        self._endless = endless

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | None:
        """The number of seconds."""
        if isinstance(value, int | float):
            return float(value)
        text = str(value).strip()
        if text.startswith("-") and self._endless:
            return None
        seconds = parse_duration(text)
        if seconds is None:
            self.fail(f"got {text!r}, expected {EXPECTED}", param, ctx)
        return seconds


class Limit(click.ParamType):  # type: ignore[type-arg]
    """A count, or the word ``none`` for no limit: an option that is not given is None."""

    name = "limit"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        """The number, or NO_LIMIT."""
        if isinstance(value, int) or value == NO_LIMIT:
            return value  # type: ignore[no-any-return]
        try:
            return int(value)
        except ValueError:
            self.fail(f"got {value!r}, expected a number, or {NO_LIMIT}", param, ctx)


def count_of(limit: int | str) -> int | None:
    """None where there is to be no limit."""
    return None if isinstance(limit, str) else limit
