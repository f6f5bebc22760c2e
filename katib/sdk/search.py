"""What to vary: ``{"lr": search.double(1e-5, 1e-1, log=True), "layers": search.int(1, 4)}``. The helpers have the
names and arguments of Katib's Python SDK, and a few more, which all of them take by name:

default: a value to try first; the first trial takes all defaults. when: ``{parent: value}`` or ``{parent: [values]}``,
the parameter is there only in trials in which ``parent``, listed before it, has one of these; the objective's
parameters lack it in others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from katib.core.constraints import Constraint
from katib.core.errors import Problem, SpecError
from katib.core.space import Choice, Condition, Distribution, Integer, Ordinal, Parameter, Real, SearchSpace
from katib.core.trial import Value
from katib.sdk.arguments import Rule, check, is_finite, is_whole, optional

__all__ = ["Domain", "When", "categorical", "double", "int", "ordinal"]

When = Mapping[str, Value | Sequence[Value]]

_Int = int  # the helper of this name hides it below

_NUMBER = Rule(is_finite, "a finite number")
_WHOLE = Rule(is_whole, "an integer")
_VALUES = Rule(
    lambda values: (
        isinstance(values, Sequence)
        and not isinstance(values, str | bytes)
        and all(value is None or isinstance(value, str | bool) or is_finite(value) for value in values)
    ),
    "a list of texts, finite numbers, booleans or None",
)
_NUMBERS = Rule(
    lambda values: isinstance(values, Sequence) and not isinstance(values, str | bytes) and all(map(is_finite, values)),
    "a list of finite numbers",
)
_WHEN = Rule(
    lambda when: isinstance(when, Mapping) and len(when) == 1 and all(isinstance(name, str) for name in when),
    "a mapping from the one parameter that it depends on to a value or a list of values",
)


@dataclass(frozen=True, slots=True)
class Domain:
    """A parameter that has no name yet; ``tune`` takes the name from the mapping it stands in."""

    named: Callable[[str], Parameter]

    @classmethod
    def of(cls, parameter: Parameter) -> Domain:
        """The same as ``parameter``, whatever it will be called."""
        return cls(lambda name: replace(parameter, name=name))

    def __reduce__(self) -> tuple[Callable[[Parameter], Domain], tuple[Parameter]]:
        return Domain.of, (self.named("parameter"),)  # the function itself cannot be pickled

    def default(self, value: Value) -> Domain:
        """The same parameter with a value to try first: the first trial takes all defaults."""
        return Domain(lambda name: replace(self.named(name), default=_plain(value)))

    def when(self, parent: str, values: Sequence[Value]) -> Domain:
        """The same parameter, in trials only in which ``parent``, listed before it, has one of ``values``. The
        objective's parameters lack it in others. Raises SpecError."""
        check({"values": _VALUES}, {"values": values}, source="when")
        condition = Condition(parent, tuple(map(_plain, values)))
        return Domain(lambda name: replace(self.named(name), condition=condition))


def double(
    min: float,
    max: float,
    step: float | None = None,
    *,
    log: bool = False,
    default: float | None = None,
    when: When | None = None,
) -> Domain:
    """A float in [min, max]. step: only min, min + step, ...; log: sampled uniformly in its logarithm (min > 0).

    Raises SpecError for what is no number; what is wrong with a range is said by ``tune``, with the parameter's name.
    """
    rules = {"min": _NUMBER, "max": _NUMBER, "step": optional(_NUMBER)}
    check(rules, {"min": min, "max": max, "step": step}, source="search.double")
    distribution = Distribution.LOG_UNIFORM if log else Distribution.UNIFORM
    grid = None if step is None else float(step)
    return _domain(lambda name: Real(name, float(min), float(max), distribution, grid), default, when)


def int(
    min: _Int, max: _Int, step: _Int = 1, *, log: bool = False, default: _Int | None = None, when: When | None = None
) -> Domain:
    """An integer from min to max, both included. step, log and errors as in ``double``."""
    check(dict.fromkeys(("min", "max", "step"), _WHOLE), {"min": min, "max": max, "step": step}, source="search.int")
    distribution = Distribution.LOG_UNIFORM if log else Distribution.UNIFORM
    return _domain(lambda name: Integer(name, _Int(min), _Int(max), distribution, _Int(step)), default, when)


def categorical(list: Sequence[Value], *, default: Value = None, when: When | None = None) -> Domain:
    """One of ``list``: texts, numbers, booleans or None; the objective gets the value itself, with its type.

    Raises SpecError for other values.
    """
    check({"list": _VALUES}, {"list": list}, source="search.categorical")
    values = tuple(map(_plain, list))
    return _domain(lambda name: Choice(name, values), default, when)


def ordinal(list: Sequence[float], *, default: float | None = None, when: When | None = None) -> Domain:
    """One of the numbers in ``list``, whose order means something (Katib's ``discrete``): 16, 32, 64. Each is as likely
    as the others, whatever lies between them.

    Raises SpecError for what is no number.
    """
    check({"list": _NUMBERS}, {"list": list}, source="search.ordinal")
    values = tuple(map(_plain, list))
    return _domain(lambda name: Ordinal(name, values), default, when)


def _domain(named: Callable[[str], Parameter], default: Value, when: When | None) -> Domain:
    """A domain with what all helpers take. Raises SpecError."""
    domain = Domain(named) if default is None else Domain(named).default(default)
    if when is None:
        return domain
    check({"when": _WHEN}, {"when": when}, source="search")
    ((parent, values),) = when.items()
    if isinstance(values, str) or not isinstance(values, Sequence):
        values = [values]
    return domain.when(parent, values)


def _plain(value: Value) -> Value:
    """NumPy's numbers as Python's."""
    if value is None or isinstance(value, str | bool):
        return value
    return _Int(value) if is_whole(value) else float(value)


def space_of(domains: Mapping[str, Domain], constraints: Sequence[Constraint] = ()) -> SearchSpace:
    """The search space of a mapping from names to domains, with constraints on them. Raises SpecError."""
    problems = [
        Problem(name, f"got {domain!r}, expected a helper of katib.search such as search.double(...)")
        for name, domain in domains.items()
        if not isinstance(domain, Domain)
    ]
    if problems:
        raise SpecError(problems)
    return SearchSpace(tuple(domain.named(name) for name, domain in domains.items()), constraints=tuple(constraints))
