r"""The user's regular expressions for metrics (Katib's ``metricsFormat``): group 1 is the name, group 2 the value.

They are RE2's, as Katib's own are (Go has the same syntax): no look-around, no back-references, ``\w`` and ``\d`` are
ASCII. RE2 takes time in proportion to the text whatever the expression, where Python's matcher may take for ever, and
a trial's output must not be able to hold the engine up. What is left to bound is the number of matches in a line, for
each may look at the rest of it: so a MiB of output costs seconds at the very worst, milliseconds as a rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import re2

from katib.core.errors import Problem, SpecError

MAX_FILTERS, MAX_LENGTH = 50, 1000
"""How many filters an experiment may have, and the characters of each."""

MAX_MATCHES = 1000
"""Matches that one filter finds in one line; later ones are not looked for."""

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False  # they are raised; the library would print them as well


class Filter:
    """A compiled expression."""

    __slots__ = ("_pattern",)

    def __init__(self, text: str) -> None:
        """Raises SpecError if ``text`` is no regular expression with two groups, or is too long."""
        if len(text) > MAX_LENGTH:
            raise SpecError(f"got {len(text)} characters, expected at most {MAX_LENGTH}")
        try:
            self._pattern = re2.compile(text.encode(), _OPTIONS)
        except (re2.error, UnicodeEncodeError) as error:
            raise SpecError(f"got {text!r}, expected a regular expression (RE2 syntax): {_why(error)}") from error
        if self._pattern.groups < 2:
            raise SpecError(f"got {text!r} with {self._pattern.groups} group(s), expected two: (name) and (value)")

    def find(self, line: str) -> Iterator[tuple[str, str]]:
        """The (name, value) pairs in a line, trimmed; a group that took no part is empty."""
        for match in islice(self._pattern.finditer(line.encode()), MAX_MATCHES):
            yield _text(match[1]), _text(match[2])


def compile_filters(texts: Sequence[str]) -> tuple[Filter, ...]:
    """The filters, ready for use. Raises SpecError with all that is wrong; paths are indexes: ``[2]``."""
    if len(texts) > MAX_FILTERS:
        raise SpecError(f"got {len(texts)} filters, expected at most {MAX_FILTERS}")
    compiled: list[Filter] = []
    problems: list[Problem] = []
    for index, text in enumerate(texts):
        try:
            compiled.append(Filter(text))
        except SpecError as error:
            problems.extend(error.within(f"[{index}]").problems)
    if problems:
        raise SpecError(problems)
    return tuple(compiled)


def _text(group: bytes | None) -> str:
    return (group or b"").decode("utf-8", "replace").strip()


def _why(error: Exception) -> str:
    reason = error.args[0] if error.args else ""
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(error)
