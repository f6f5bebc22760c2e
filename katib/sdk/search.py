"""What to vary: ``{"lr": search.double(1e-5, 1e-1, log=True), "layers": search.int(1, 4)}``. The helpers have the
names and arguments of Katib's Python SDK, and a few more."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from katib.core.errors import Problem, SpecError
from katib.core.space import Choice, Distribution, Integer, Parameter, Real, SearchSpace
from katib.core.trial import Value

__all__ = ["Domain", "categorical", "double", "int"]

_Int = int


@dataclass(frozen=True, slots=True)
class Domain:
    """A parameter that has no name yet; ``tune`` takes the name from the mapping it stands in."""

    named: Callable[[str], Parameter]


def double(min: float, max: float, step: float | None = None, *, log: bool = False) -> Domain:
    """A float in [min, max]. step: only min, min + step, ...; log: sampled uniformly in its logarithm (min > 0)."""
    distribution = Distribution.LOG_UNIFORM if log else Distribution.UNIFORM
    return Domain(lambda name: Real(name, min, max, distribution, step))


def int(min: _Int, max: _Int, step: _Int = 1, *, log: bool = False) -> Domain:
    """An integer from min to max, both included. step and log as in ``double``."""
    distribution = Distribution.LOG_UNIFORM if log else Distribution.UNIFORM
    return Domain(lambda name: Integer(name, min, max, distribution, step))


def categorical(list: Sequence[Value]) -> Domain:
    """One of ``list``: texts, numbers, booleans or None; the objective gets the value itself, with its type."""
    values = tuple(list)
    return Domain(lambda name: Choice(name, values))


def space_of(domains: Mapping[str, Domain]) -> SearchSpace:
    """The search space of a mapping from names to domains. Raises SpecError."""
    problems = [
        Problem(name, f"got {domain!r}, expected search.double(...), search.int(...) or search.categorical(...)")
        for name, domain in domains.items()
        if not isinstance(domain, Domain)
    ]
    if not domains:
        problems.append(Problem("space", "the search space is empty"))
    if problems:
        raise SpecError(problems)
    return SearchSpace(tuple(domain.named(name) for name, domain in domains.items()))
