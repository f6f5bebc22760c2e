r"""The user's regular expressions (Katib's ``metricsFormat``), with a bound on the time that one line can take.

Python's matcher backtracks and cannot be interrupted, so a pattern is judged before it is used. Where a repeat or an
alternative may go on with the same character as what follows it, the matcher has a choice to come back to: after
``\w+`` the ``=`` of ``(\w+)=`` leaves none, the ``.*`` of ``.*=`` leaves one at each character. A pattern with k such
places takes at most the order of n^(k+2) steps on n characters: one factor for the start, one for running over the
line. So k decides how many characters of a line are searched, and more than two places are refused. Choices within a
repeat multiply without bound (exponential time) and are refused as well, like back-references.

The judgement errs on the safe side: it may refuse a pattern that is harmless. What is told apart is the first character
only, without regard to case.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from re import _constants as op  # type: ignore[attr-defined]  # the parser's own names; there is no public tree
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, NamedTuple

from katib.core.errors import Problem, SpecError

PATH = "spec.metricsCollectorSpec.source.filter.metricsFormat"

SEARCHED = (4096, 512, 256)
"""Characters of a line that are searched by a pattern with 0, 1 or 2 choices. Worst cases stay around a second."""

_REPEATS = (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT)
_GROUPS = (op.SUBPATTERN, op.ATOMIC_GROUP)
_ASSERTIONS = (op.ASSERT, op.ASSERT_NOT)
_CLASSES = {
    op.CATEGORY_DIGIT: r"\d",
    op.CATEGORY_NOT_DIGIT: r"\D",
    op.CATEGORY_SPACE: r"\s",
    op.CATEGORY_NOT_SPACE: r"\S",
    op.CATEGORY_WORD: r"\w",
    op.CATEGORY_NOT_WORD: r"\W",
}
_LATIN = "".join(map(chr, range(0x250)))


@dataclass(frozen=True, slots=True)
class Filter:
    """A pattern with two groups, name and value, and how many characters of a line it is shown."""

    pattern: re.Pattern[str]
    searched: int

    def find(self, line: str) -> Iterator[tuple[str, str]]:
        """The (name, value) pairs in a line, trimmed."""
        for match in self.pattern.finditer(line[: self.searched]):
            yield (match[1] or "").strip(), (match[2] or "").strip()


def compile_filters(filters: Sequence[str]) -> tuple[Filter, ...]:
    """The filters, ready for use. Raises SpecError on patterns that do not compile, lack groups or may be too slow."""
    compiled: list[Filter] = []
    problems: list[Problem] = []
    for index, source in enumerate(filters):
        try:
            compiled.append(_compile(source))
        except SpecError as error:
            problems.extend(error.within(f"{PATH}[{index}]").problems)
    if problems:
        raise SpecError(problems)
    return tuple(compiled)


def _compile(source: str) -> Filter:
    if "[[:" in source:
        raise SpecError(f"{source!r}: classes such as [[:alpha:]] are not supported; write [a-zA-Z]")
    try:
        pattern = re.compile(source)
        choices = _Judge(source).choices
    except (re.error, OverflowError, RecursionError) as error:
        raise SpecError(f"{source!r} is no regular expression: {error}") from error
    if pattern.groups < 2:
        raise SpecError(f"{source!r} has {pattern.groups} groups; expected two, (name) and (value)")
    if choices >= len(SEARCHED):
        raise SpecError(
            f"{source!r} may take too long: {choices} of its repeats or alternatives overlap with what follows them; "
            "write for example [^=]*= in place of .*="
        )
    return Filter(pattern, SEARCHED[choices])


class _Rest(NamedTuple):
    """What follows a place in the pattern. starts: characters it may begin with. fails: whether it can fail at all;
    where it cannot, the matcher never comes back."""

    starts: frozenset[str]
    fails: bool


class _Judge:
    """Walks a parsed pattern from its end to its beginning and counts the choices that the matcher may come back to."""

    def __init__(self, source: str) -> None:
        self.choices = 0
        self._source = source
        self._alphabet = frozenset(_LATIN + source)
        self._walk(parser.parse(source), _Rest(frozenset(), False))

    def _walk(self, nodes: Iterable[Any], rest: _Rest) -> _Rest:
        for code, argument in reversed(list(nodes)):
            rest = self._step(code, argument, rest)
        return rest

    def _step(self, code: Any, argument: Any, rest: _Rest) -> _Rest:
        if code in _REPEATS:
            least, most, body = argument
            return self._repeat(least, most, body, rest)
        if code in _GROUPS:
            return self._walk(argument[-1] if code is op.SUBPATTERN else argument, rest)
        if code is op.BRANCH:
            return self._branch(argument[1], rest)
        if code is op.AT:
            return _Rest(rest.starts, True)
        if code in _ASSERTIONS:
            self._walk(argument[1], _Rest(frozenset(), True))
            return _Rest(rest.starts, True)
        if code in (op.GROUPREF, op.GROUPREF_EXISTS):
            raise SpecError(f"{self._source!r} may take too long: it refers back to a group")
        return _Rest(self._characters(code, argument), True)

    def _repeat(self, least: int, most: int, body: Any, rest: _Rest) -> _Rest:
        if most > 1 and not _is_plain(body):
            raise SpecError(
                f"{self._source!r} may take too long: it has a repeat or an alternative within a repeat; "
                "write for example [ab]+ in place of (a|b)+"
            )
        starts = self._walk(body, rest).starts
        if least != most and rest.fails and starts & rest.starts:
            self.choices += 1
        return _Rest(starts, True) if least else _Rest(starts | rest.starts, rest.fails)

    def _branch(self, alternatives: Sequence[Any], rest: _Rest) -> _Rest:
        ways = [self._walk(nodes, rest) for nodes in alternatives]
        starts = frozenset[str]().union(*(way.starts for way in ways))
        if rest.fails and len(starts) < sum(len(way.starts) for way in ways):
            self.choices += 1
        return _Rest(starts, any(way.fails for way in ways))

    def _characters(self, code: Any, argument: Any) -> frozenset[str]:
        """The characters that a one-character node or a member of a class matches, in both cases."""
        if code is op.LITERAL:
            return _both_cases(chr(argument))
        if code is op.NOT_LITERAL:
            return self._alphabet - {chr(argument)}
        if code is op.RANGE:
            low, high = argument
            return _both_cases(c for c in self._alphabet if low <= ord(c) <= high)
        if code is op.CATEGORY:
            return frozenset(c for c in self._alphabet if re.match(_CLASSES[argument], c))
        if code is op.IN:
            negated = argument[0][0] is op.NEGATE
            listed = [self._characters(*member) for member in argument[negated:]]
            union = frozenset[str]().union(*listed)
            return self._alphabet - union if negated else union
        return self._alphabet


def _is_plain(nodes: Iterable[Any]) -> bool:
    """Whether there is only one way through: characters, classes, anchors and groups of them."""
    for code, argument in nodes:
        if code in _GROUPS:
            if not _is_plain(argument[-1] if code is op.SUBPATTERN else argument):
                return False
        elif code in _REPEATS:
            least, most, body = argument
            if least != most or not _is_plain(body):
                return False
        elif code is op.BRANCH or code in _ASSERTIONS or code in (op.GROUPREF, op.GROUPREF_EXISTS):
            return False
    return True


def _both_cases(characters: Iterable[str]) -> frozenset[str]:
    return frozenset(case for c in characters for case in (c, c.lower(), c.upper()))
