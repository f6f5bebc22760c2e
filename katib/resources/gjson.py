"""A small subset of the GJSON path language over JSON trees, parsed once and followed often.

    path     := part { "|" part }            the right side sees the whole result of the left
    part     := step { "." step }
    step     := key | index | "#" | query | "@this" | "[" path { "," path } "]"
    query    := "#(" [ path ] [ operator value ] ")" [ "#" ]      first match, or with the last "#" a list of all
    operator := "==" | "=" | "!=" | "<" | "<=" | ">" | ">=" | "%" (like, with * and ?) | "!%"
    value    := a JSON string, or bare text: number, true, false, null, word

A "#" at the end counts a list; before a dot it goes through the list's elements. Keys may hold the wildcards * and ?; a
backslash takes the next character literally. What a value is compared as depends on what is found: a found number is
compared as a number, whether the value was quoted or not. Beyond GJSON, null equals null.
"""

from __future__ import annotations

import fnmatch
import json
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from katib.core.errors import Problem, SpecError

MAX_LENGTH = 4096  # characters of a path
MAX_STEPS = 32  # of a path, those inside of its queries included; bounds the recursion of parsing and following

MISSING = object()  # what a path leads to that leads nowhere
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_OPERATOR = re.compile(r"==|=|!=|!%|<=|<|>=|>|%")
_BARE_VALUE = re.compile(r"[^\"()\[\]{}|]+")


@dataclass(frozen=True, slots=True)
class _Key:
    """A key of an object, or an index into a list. pattern: for fnmatch where the key has wildcards, else empty."""

    name: str
    pattern: str = ""


@dataclass(frozen=True, slots=True)
class _Each:
    """``#``: the length of a list, or its elements where more steps follow."""


@dataclass(frozen=True, slots=True)
class _This:
    """``@this``: the value itself."""


@dataclass(frozen=True, slots=True)
class _Gather:
    """``[a,b]``: a list of what the paths lead to."""

    paths: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class _Query:
    """``#(path operator value)``: elements of a list. operator: empty asks only whether the path exists."""

    path: Path
    operator: str
    value: str
    every: bool


_Step = _Key | _Each | _This | _Gather | _Query
Part = tuple[_Step, ...]
Path = tuple[Part, ...]


def parse_path(text: str) -> Path:
    """The path that ``text`` writes. Raises SpecError that names the position and what was expected there."""
    if len(text) > MAX_LENGTH:
        raise SpecError([Problem("", f"path has {len(text)} characters, at most {MAX_LENGTH} are allowed")])
    parser = _Parser(text)
    path = parser.path(stops="")
    if parser.at < len(text):
        raise parser.error("'.', '|' or the end")
    return path


def follow(value: object, path: Path) -> object:
    """What ``path`` leads to from ``value``, MISSING if nowhere. Never raises."""
    for part in path:
        value = _walk(value, part)
    return value


def _walk(value: object, steps: Part) -> object:
    """What ``steps`` lead to from ``value``, MISSING if nothing. As deep as the path is long, not as the value."""
    for place, step in enumerate(steps):
        if value is MISSING:
            break
        rest = steps[place + 1 :]
        match step:
            case _Key():
                value = _child(value, step)
            case _Gather():
                value = [found for path in step.paths if (found := follow(value, path)) is not MISSING]
            case _Each() if isinstance(value, list):
                return _through(value, rest) if rest else len(value)
            case _Each():
                value = _child(value, _Key("#"))
            case _Query():
                return _select(value, step, rest)
    return value


def _child(value: object, key: _Key) -> object:
    if isinstance(value, Mapping):
        if key.pattern:
            return next((v for k, v in value.items() if fnmatch.fnmatchcase(str(k), key.pattern)), MISSING)
        return value.get(key.name, MISSING)
    if isinstance(value, list) and key.name.isascii() and key.name.isdigit():
        index = int(key.name) if len(key.name) < 10 else len(value)
        return value[index] if index < len(value) else MISSING
    return MISSING


def _through(elements: list[Any], rest: Part) -> list[object]:
    """What ``rest`` leads to from each element that has it."""
    return [found for element in elements if (found := _walk(element, rest)) is not MISSING]


def _select(value: object, query: _Query, rest: Part) -> object:
    if not isinstance(value, list):
        return MISSING
    chosen: Iterator[Any] = (element for element in value if _chosen(element, query))
    if query.every:
        return _through(list(chosen), rest)
    return _walk(next(chosen, MISSING), rest)


def _chosen(element: object, query: _Query) -> bool:
    """Whether an element meets the query; one without a path asks about elements that are no objects or lists."""
    if not query.path and isinstance(element, Mapping | list):
        return False
    found = follow(element, query.path)
    return found is not MISSING and (not query.operator or _holds(found, query.operator, query.value))


def _holds(found: object, op: str, value: str) -> bool:
    """Whether ``found op value`` is true, with ``value`` read as the kind of thing that was found."""
    if isinstance(found, str):
        if op in ("%", "!%"):
            return fnmatch.fnmatchcase(found, _fnmatch_pattern(value)) == (op == "%")
        return _COMPARE[op](found, value)
    if found is None:
        return op == "==" and value == "null"
    if op not in _COMPARE or not isinstance(found, bool | int | float):
        return False
    wanted = {"true": True, "false": False}.get(value) if isinstance(found, bool) else _number(value)
    return op == "!=" if wanted is None else _COMPARE[op](found, wanted)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _fnmatch_pattern(text: str) -> str:
    """GJSON wildcards for fnmatch: the same * and ?, but a backslash before literal ones, and no character classes."""
    return re.sub(r"\\(.)|\[", lambda m: f"[{m[1] or '['}]" if (m[1] or "[") in "*?[" else m[1], text, flags=re.DOTALL)


class _Parser:
    """Reads a path from left to right. ``at``: position of the next character."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.steps = 0

    def error(self, expected: str) -> SpecError:
        found = repr(self.text[self.at]) if self.at < len(self.text) else "the end"
        problem = f"{self.text!r}, position {self.at + 1}: expected {expected}, got {found}"
        return SpecError([Problem("", problem)])

    def take(self, token: str) -> bool:
        """Step over ``token`` if it comes next."""
        if self.text.startswith(token, self.at):
            self.at += len(token)
            return True
        return False

    def skip_spaces(self) -> None:
        while self.take(" "):
            pass

    def path(self, stops: str) -> Path:
        """Parts up to one of ``stops`` or the end."""
        parts = [self.part(stops)]
        while self.take("|"):
            parts.append(self.part(stops))
        return tuple(parts)

    def part(self, stops: str) -> Part:
        steps = [self.step(stops)]
        while self.take("."):
            steps.append(self.step(stops))
        return tuple(steps)

    def step(self, stops: str) -> _Step:
        """One step; ``stops`` are the characters that end a key here, beside dot and pipe."""
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise self.error(f"at most {MAX_STEPS} steps")
        if self.take("#("):
            return self.query()
        if self.take("["):
            return self.gather()
        marks: tuple[tuple[str, _Step], ...] = (("#", _Each()), ("@this", _This()))
        for mark, step in marks:
            if self.take(mark):
                if self.at < len(self.text) and self.text[self.at] not in ".|" + stops:
                    raise self.error(f"'.', '|' or the end after {mark!r}")
                return step
        if self.text.startswith("@", self.at):
            raise self.error("'@this', the only modifier here,")
        return self.key(stops)

    def gather(self) -> _Gather:
        paths = [self.path(stops=",]")]
        while self.take(","):
            paths.append(self.path(stops=",]"))
        if not self.take("]"):
            raise self.error("',' or ']'")
        return _Gather(tuple(paths))

    def key(self, stops: str) -> _Key:
        """Characters up to an unescaped dot, pipe or one of ``stops``."""
        start, name, wild = self.at, [], False
        while self.at < len(self.text) and self.text[self.at] not in ".|" + stops:
            character = self.text[self.at]
            if character in '()[]{}"':
                raise self.error(f"a backslash before {character!r} in a key")
            if character == "\\":
                self.at += 1
                if self.at == len(self.text):
                    raise self.error("a character after the backslash")
            wild = wild or character in "*?"
            name.append(self.text[self.at])
            self.at += 1
        if self.at == start:
            raise self.error("a key, an index, '#', '#(...)', '@this' or '['")
        return _Key("".join(name), _fnmatch_pattern(self.text[start : self.at]) if wild else "")

    def query(self) -> _Query:
        """What follows ``#(``."""
        self.skip_spaces()
        path: Path = ()
        if not _OPERATOR.match(self.text, self.at):
            path = self.path(stops=" =!<>%)")
            self.skip_spaces()
        op, value = "", ""
        if path == () or not self.text.startswith(")", self.at):
            op, value = self.comparison()
        if not self.take(")"):
            raise self.error("')'")
        return _Query(path, op, value, every=self.take("#"))

    def comparison(self) -> tuple[str, str]:
        found = _OPERATOR.match(self.text, self.at)
        if not found:
            raise self.error("an operator (== != < <= > >= % !%) or ')'")
        self.at = found.end()
        self.skip_spaces()
        value = self.value()
        self.skip_spaces()
        return ("==" if found[0] == "=" else found[0]), value

    def value(self) -> str:
        if self.text.startswith('"', self.at):
            try:
                value, self.at = json.JSONDecoder(strict=False).raw_decode(self.text, self.at)
            except ValueError:
                raise self.error("a text in double quotes with JSON escapes") from None
            return str(value)
        bare = _BARE_VALUE.match(self.text, self.at)
        if not bare or not bare[0].strip():
            raise self.error("a value: a text in double quotes, a number, true, false or null")
        self.at = bare.end()
        return bare[0].strip()
