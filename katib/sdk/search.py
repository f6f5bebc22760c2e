"""What to vary: ``{"lr": search.double(1e-5, 1e-1, log=True), "layers": search.int(1, 4)}``. The helpers have the
names and arguments of Katib's Python SDK, and a few more."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from katib.core.constraints import Constraint
from katib.core.errors import Problem, SpecError
from katib.core.space import Choice, Condition, Distribution, Integer, Parameter, Real, SearchSpace
from katib.core.trial import Value
from katib.sdk.arguments import Rule, check, is_finite, is_whole, optional

__all__ = ["Domain", "categorical", "double", "int"]

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


@dataclass(frozen=True, slots=True)
class Domain:
    """A parameter that has no name yet; ``tune`` takes the name from the mapping it stands in."""

    named: Callable[[str], Parameter]

    def default(self, value: Value) -> Domain:
        """The same parameter with a value to try first: the first trial takes all defaults."""
        return Domain(lambda name: replace(self.named(name), default=_plain(value)))

    def when(self, parent: str, values: Sequence[Value]) -> Domain:
        """The same parameter, in trials only in which ``parent``, listed before it, has one of ``values``. The
        objective's parameters lack it in others. Raises SpecError."""
        check({"values": _VALUES}, {"values": values}, source="when")
        condition = Condition(parent, tuple(map(_plain, values)))
        return Domain(lambda name: replace(self.named(name), condition=condition))


def double(min: float, max: float, step: float | None = None, *, log: bool = False) -> Domain:
    """A float in [min, max]. step: only min, min + step, ...; log: sampled uniformly in its logarithm (min > 0).

    Raises SpecError for what is no number; what is wrong with a range is said by ``tune``, with the parameter's name.
    """
    rules = {"min": _NUMBER, "max": _NUMBER, "step": optional(_NUMBER)}
    check(rules, {"min": min, "max": max, "step": step}, source="search.double")
    distribution = Distribution.LOG_UNIFORM if log else Distribution.UNIFORM
    grid = None if step is None else float(step)
    return Domain(lambda name: Real(name, float(min), float(max), distribution, grid))


def int(min: _Int, max: _Int, step: _Int = 1, *, log: bool = False) -> Domain:
    """An integer from min to max, both included. step, log and errors as in ``double``."""
    check(dict.fromkeys(("min", "max", "step"), _WHOLE), {"min": min, "max": max, "step": step}, source="search.int")
    distribution = Distribution.LOG_UNIFORM if log else Distribution.UNIFORM
    return Domain(lambda name: Integer(name, _Int(min), _Int(max), distribution, _Int(step)))


def categorical(list: Sequence[Value]) -> Domain:
    """One of ``list``: texts, numbers, booleans or None; the objective gets the value itself, with its type.

    Raises SpecError for other values.
    """
    check({"list": _VALUES}, {"list": list}, source="search.categorical")
    values = tuple(map(_plain, list))
    return Domain(lambda name: Choice(name, values))


def _plain(value: Value) -> Value:
    """NumPy's numbers as Python's."""
    if value is None or isinstance(value, str | bool):
        return value
    return _Int(value) if is_whole(value) else float(value)


def space_of(domains: Mapping[str, Domain], constraints: Sequence[Constraint] = ()) -> SearchSpace:
    """The search space of a mapping from names to domains, with constraints on them. Raises SpecError."""
    problems = [
        Problem(name, f"got {domain!r}, expected search.double(...), search.int(...) or search.categorical(...)")
        for name, domain in domains.items()
        if not isinstance(domain, Domain)
    ]
    if problems:
        raise SpecError(problems)
    return SearchSpace(tuple(domain.named(name) for name, domain in domains.items()), constraints=tuple(constraints))
