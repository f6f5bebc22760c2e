"""The kinds of parameters, each with its map between typed values and [0, 1].

The map is the parameter's prior quantile function: uniform coordinates give values distributed as the user asked,
log scales, steps and bounds included.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from katib.core.errors import Problem, SpecError
from katib.core.priors import Distribution, Prior
from katib.core.trial import Value


@dataclass(frozen=True, slots=True)
class Condition:
    """A parameter is active only while ``parent`` is active and has one of ``values``."""

    parent: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class _Numeric:
    """What Real and Integer share: a prior on [low, high], and a grid anchored at low where there is a step.
    default: the value to try first, None if the user named none."""

    name: str
    low: float
    high: float
    distribution: Distribution = Distribution.UNIFORM
    step: float | None = None
    condition: Condition | None = None
    default: Value = None
    prior: Prior = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        problem = _bounds_problem(self.low, self.high, self.distribution, self.step)
        if problem:
            raise SpecError([Problem("", f"parameter {self.name!r}: {problem}")])
        object.__setattr__(self, "prior", Prior.of(self.low, self.high, self.step, self.distribution))
        if self.default is not None:
            object.__setattr__(self, "default", self.check(self.default))

    @property
    def count(self) -> float:
        """Number of different values; math.inf for a range without a step."""
        return self.prior.count

    def _at(self, u: float) -> float:
        """The allowed value nearest to the prior's quantile."""
        return self.low if self.prior.count == 1 else self.nearest(self.prior.quantile(u))

    def nearest(self, number: float) -> float:
        """The allowed value nearest to ``number``, which may lie anywhere."""
        if self.step is None:
            return float(min(max(number, self.low), self.high))
        return self.value_at(min(max(round((number - self.low) / self.step), 0), int(self.prior.count) - 1))

    def value_at(self, index: int) -> float:
        """Value ``index`` of the ``count`` that the step allows: one product, so no error adds up from step to step."""
        if self.step is None or self.prior.count == 1:
            return self.low
        return float(min(float(f"{self.low + index * self.step:.15g}"), self.high))  # 0.7, not 0.7000000000000001

    def to_unit(self, value: Value) -> float:
        """Coordinate of ``value`` in [0, 1]: the middle of its share of the prior if there is a step."""
        number, prior = float(self.check(value)), self.prior
        if prior.count == 1:
            return 0.5
        if self.step is None:
            return min(max(prior.cumulative(min(max(number, self.low), self.high)), 0.0), 1.0)
        below = prior.cumulative(max(number - self.step / 2, prior.bottom))
        above = prior.cumulative(min(number + self.step / 2, prior.top))
        return (below + above) / 2

    def check(self, value: Value) -> float | int:
        """``value`` as a number. Raises SpecError if it is none or lies outside the bounds."""
        number = number_of(self.name, value)
        slack = 1e-9 * max(abs(self.low), abs(self.high), self.high - self.low)
        if not self.low - slack <= number <= self.high + slack:
            raise _bad_value(self.name, value, f"a number from {self.low:g} to {self.high:g}")
        return number


@dataclass(frozen=True, slots=True)
class Real(_Numeric):
    """A float in [low, high] (Katib's ``double``). step: distance of the allowed values, counted from low."""

    def from_unit(self, u: float) -> float:
        """Value at coordinate ``u``; within the bounds and on the grid for every u in [0, 1]."""
        return self._at(u)

    def parse(self, text: str) -> float:
        """The value that ``text`` writes. Raises SpecError."""
        return float(self.check(text))

    def format(self, value: Value) -> str:
        """Shortest text that reads back as exactly ``value``."""
        return repr(float(self.check(value)))


@dataclass(frozen=True, slots=True)
class Integer(_Numeric):
    """An integer in [low, high] (Katib's ``int``); step 1 unless given."""

    step: float | None = 1

    def from_unit(self, u: float) -> int:
        """Value at coordinate ``u``; within the bounds and on the grid for every u in [0, 1]."""
        return round(self._at(u))

    def nearest(self, number: float) -> int:
        """The allowed value nearest to ``number``, which may lie anywhere."""
        return round(_Numeric.nearest(self, number))

    def value_at(self, index: int) -> int:
        """Value ``index`` of the ``count`` that the step allows."""
        return round(_Numeric.value_at(self, index))

    def check(self, value: Value) -> int:
        """``value`` as an integer. Raises SpecError if it is none or lies outside the bounds."""
        number = _Numeric.check(self, value)
        if number != round(number):
            raise _bad_value(self.name, value, f"an integer from {self.low:g} to {self.high:g}")
        return round(number)

    def parse(self, text: str) -> int:
        """The value that ``text`` writes. Raises SpecError."""
        return self.check(text)

    def format(self, value: Value) -> str:
        """``value`` in digits."""
        return str(self.check(value))


@dataclass(frozen=True, slots=True)
class _Listed:
    """What Ordinal and Choice share: a list of values, each with an equal share of the coordinate."""

    name: str
    values: tuple[Value, ...]
    texts: tuple[str, ...] = ()  # how the user wrote the values, if not as str() does
    condition: Condition | None = None
    default: Value = None  # the value to try first, None if the user named none

    def __post_init__(self) -> None:
        if not self.values:
            raise SpecError([Problem("", f"parameter {self.name!r}: the list of values is empty")])
        if len({(type(v) is bool, v) for v in self.values}) != len(self.values):
            raise SpecError([Problem("", f"parameter {self.name!r}: the list has a value twice: {list(self.values)}")])
        if self.default is not None:
            object.__setattr__(self, "default", self.check(self.default))

    @property
    def count(self) -> float:
        """Number of different values."""
        return len(self.values)

    def from_unit(self, u: float) -> Value:
        """Value at coordinate ``u``."""
        return self.values[min(int(u * len(self.values)), len(self.values) - 1)]

    def value_at(self, index: int) -> Value:
        """Value ``index`` of the list."""
        return self.values[index]

    def to_unit(self, value: Value) -> float:
        """Middle of the share of ``value``."""
        return (self.index(value) + 0.5) / len(self.values)

    def index(self, value: Value) -> int:
        """Place of ``value`` in the list. Raises SpecError if it is not there."""
        for i, candidate in enumerate(self.values):
            if candidate == value and (type(candidate) is bool) == (type(value) is bool):
                return i
        raise _bad_value(self.name, value, f"one of {', '.join(map(str, self.values))}")

    def check(self, value: Value) -> Value:
        """``value`` as it stands in the list. Raises SpecError if it is not there."""
        return self.values[self.index(value)]

    def parse(self, text: str) -> Value:
        """The value that ``text`` writes. Raises SpecError if there is none."""
        for value in self.values:
            if text == self.format(value):
                return value
        raise _bad_value(self.name, text, f"one of {', '.join(map(self.format, self.values))}")

    def format(self, value: Value) -> str:
        """The text of ``value``, as the user wrote it."""
        index = self.index(value)
        return self.texts[index] if self.texts else str(self.values[index])


@dataclass(frozen=True, slots=True)
class Ordinal(_Listed):
    """One of a list of numbers whose order means something (Katib's ``discrete``). Values are sorted."""

    def __post_init__(self) -> None:
        _Listed.__post_init__(self)
        order = sorted(range(len(self.values)), key=lambda i: number_of(self.name, self.values[i]))
        if order != list(range(len(order))):
            object.__setattr__(self, "values", tuple(self.values[i] for i in order))
            object.__setattr__(self, "texts", tuple(self.texts[i] for i in order) if self.texts else ())

    def parse(self, text: str) -> Value:
        """The value that ``text`` writes; 1.0 and 1 are the same. Raises SpecError if there is none."""
        return self.check(number_of(self.name, text))


@dataclass(frozen=True, slots=True)
class Choice(_Listed):
    """One of a list of values without an order (Katib's ``categorical``)."""


Parameter = Real | Integer | Ordinal | Choice


def _bounds_problem(low: float, high: float, distribution: Distribution, step: float | None) -> str:
    if not (math.isfinite(low) and math.isfinite(high)):
        return f"bounds must be finite numbers, got min {low:g} and max {high:g}"
    if low > high:
        return f"min {low:g} is greater than max {high:g}"
    if distribution.log and low <= 0:
        return f"distribution {distribution.value} needs min > 0, got {low:g}"
    if not math.isfinite(float(high) - float(low)):
        return f"min {low:g} and max {high:g} are too far apart: max - min is no finite number"
    if step is not None and not (math.isfinite(step) and step > 0):
        return f"step must be a positive number, got {step:g}"
    if step is not None and not math.isfinite((high - low) / step):
        return f"step {step:g} is too small: (max - min) / step is no finite number"
    return ""


def number_of(name: str, value: Any) -> float | int:
    """``value``, a number or its text, as a finite number. Raises SpecError."""
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return value
    if isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if math.isfinite(number):
            return int(value) if number.is_integer() and "." not in value and "e" not in value.lower() else number
    raise _bad_value(name, value, "a finite number")


def _bad_value(name: str, value: object, expected: str) -> SpecError:
    return SpecError([Problem("", f"parameter {name!r}: got {value!r}, expected {expected}")])
