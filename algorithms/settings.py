"""Settings of algorithms: declared once as fields of a frozen dataclass, read from text, shown to users.

Katib carries every setting as text. One declaration of type, default, range and meaning serves the parser, the error
messages and ``katib algorithms NAME``.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field
from typing import Any, TypeVar

from katib.core.errors import Problem, SpecError, nearest_hint
from katib.core.experiment import Component

_NOUNS: dict[type, str] = {int: "an integer", float: "a number", str: "a text"}


@dataclass(frozen=True, slots=True)
class Settings:
    """Base of the settings of one algorithm; each field is made by ``setting``."""


S = TypeVar("S", bound=Settings)


@dataclass(frozen=True, slots=True)
class SettingInfo:
    """One setting, as a user reads of it.

    type: int, float or str. default: None if it is required, or if leaving it out has a meaning of its own (see
    ``help``). low, high: smallest and largest allowed value. above, below: values must be greater, or less, than
    this. choices: the allowed texts.
    or_none: whether the text None is a value, which is None.
    convert: how to read the text where Katib does not do it by type; raises ValueError or OverflowError.
    """

    name: str
    type: type
    default: Any
    required: bool
    help: str
    low: float | None = None
    high: float | None = None
    above: float | None = None
    below: float | None = None
    choices: tuple[str, ...] = ()
    or_none: bool = False
    convert: Callable[[str], Any] | None = None

    @property
    def expected(self) -> str:
        """What a valid value is, in words."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        limits = [f"at least {self.low:g}" if self.low is not None else ""]
        limits.append(f"at most {self.high:g}" if self.high is not None else "")
        limits.append(f"greater than {self.above:g}" if self.above is not None else "")
        limits.append(f"less than {self.below:g}" if self.below is not None else "")
        limits.append("or None" if self.or_none else "")
        return ", ".join([_NOUNS[self.type], *filter(None, limits)])

    @property
    def tree(self) -> dict[str, Any]:
        """What programs are told of it."""
        return {
            "name": self.name,
            "type": self.type.__name__,
            "required": self.required,
            "default": self.default,
            "allowed": self.expected,
            "about": self.help,
        }

    def read(self, text: str) -> Any:
        """The value that ``text`` writes. Raises ValueError or OverflowError if it is none or out of range."""
        if self.or_none and text.strip() == "None":
            return None
        value = (self.convert or _READERS[self.type])(text.strip())
        if self.choices and value not in self.choices:
            raise ValueError(text)
        if (self.low is not None and value < self.low) or (self.above is not None and value <= self.above):
            raise ValueError(text)
        if (self.high is not None and value > self.high) or (self.below is not None and value >= self.below):
            raise ValueError(text)
        return value


def setting(default: Any = MISSING, **rule: Any) -> Any:
    """A field of a Settings class; required without ``default``. ``rule``: help, low, high, above, below,
    choices, or_none, convert."""
    return field(default=default, metadata=rule)


def describe(kind: type[Settings]) -> list[SettingInfo]:
    """The settings that a Settings class declares, in order."""
    hints = typing.get_type_hints(kind)
    return [
        SettingInfo(
            name=f.name,
            type=_plain(hints[f.name]),
            default=None if f.default is MISSING else f.default,
            required=f.default is MISSING,
            **f.metadata,
        )
        for f in dataclasses.fields(kind)
    ]


def parse(kind: type[S], component: Component, path: str = "spec.algorithm.algorithmSettings") -> S:
    """The settings of ``component``, typed. Raises SpecError with every unknown, unreadable or missing one."""
    known = {info.name: info for info in describe(kind)}
    problems: list[Problem] = []
    values: dict[str, Any] = {}
    for name, text in component.settings.items():
        info = known.get(name)
        if info is None:
            have = f"it has: {', '.join(known)}" if known else "it has none"
            unknown = f"{component.name} has no such setting{nearest_hint(name, list(known))}; {have}"
            problems.append(Problem(f"{path}[{name}]", unknown))
            continue
        try:
            values[name] = info.read(str(text))
        except (ValueError, OverflowError):
            problems.append(Problem(f"{path}[{name}]", f"got {text!r}, expected {info.expected}"))
    for info in known.values():
        if info.required and info.name not in component.settings:
            needs = f"{component.name} needs the setting {info.name!r}, {info.expected}: {info.help}"
            problems.append(Problem(path, needs))
    if problems:
        raise SpecError(problems)
    return kind(**values)


def _plain(hint: Any) -> type:
    """``int | None`` -> int."""
    if isinstance(hint, types.UnionType):
        (hint,) = (part for part in hint.__args__ if part is not types.NoneType)
    return typing.cast(type, hint)


def _read_int(text: str) -> int:
    """Also reads 3.0 and 1e3: Katib's services answer integers as floats in places."""
    try:
        return int(text)
    except ValueError:
        number = float(text)
        if not number.is_integer():
            raise
        return int(number)


def _read_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


_READERS: dict[type, Callable[[str], Any]] = {int: _read_int, float: _read_float, str: str}
