"""The protocol that rivals are spoken to in: JSON lines over the standard streams of a process of their own.

Each rival is one file in ``benchmarks/search/adapters`` that imports the standard library, its own package and its
neighbours ``axes`` and ``serve``, nothing of katib's, so it runs in an environment that holds its package alone. It is
started as ``python -P adapters/serve.py ADAPTER`` and answers each line with a line:

- ``{"setup": {...}}`` -> ``{"versions": {"package": "1.2"}}``. The setup has ``variant`` (where an adapter has several
  optimisers), ``seed``, ``budget``, ``workers``, ``parameters`` (see ``Description``), ``objectives`` (how many losses,
  all minimised) and ``constraints`` (how many outcome constraints).
- ``{"ask": N}`` -> ``{"points": [{"name": value, ...}, ...], "exhausted": false, "seconds": 0.12}``; fewer than N
  points: it waits for results, unless exhausted.
- ``{"tell": [[point, losses, violations], ...]}`` -> ``{"seconds": 0.01}``; losses empty: the trial failed. ``point``
  is as it was answered; its key ``"#"`` holds an id by which the rival finds its own record of it.
- ``{"error": "..."}`` answers what went wrong, in place of any of these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from katib.core.errors import AlgorithmError, SpecError
from katib.core.parameters import Choice, Integer, Ordinal, Parameter, Real
from katib.core.space import SearchSpace
from katib.core.trial import Value


class Description(TypedDict):
    """One parameter, as rivals are told of it. kind: "real", "integer", "ordinal" or "categorical". low, high: bounds
    of numbers. log: sampled and modelled on a log scale. step: distance of the allowed values, None without. values:
    of ordinals and categories. parent, parent_values: active only where the parent has one of the values; None if it is
    always active. Priors other than uniform ones, and defaults, are not told."""

    name: str
    kind: str
    low: float | None
    high: float | None
    log: bool
    step: float | None
    values: Sequence[Any] | None
    parent: str | None
    parent_values: Sequence[Any] | None


def described(space: SearchSpace) -> list[Description]:
    """Every parameter, in order."""
    return [_described(parameter) for parameter in space]


def parameters_of(space: SearchSpace, answer: Mapping[str, Any]) -> dict[str, Value]:
    """The point that a rival answered: its active values, typed, and on the grid where there is a step.

    Values of inactive parameters are left out: a rival without conditions has them. Raises AlgorithmError on a missing
    value and on one that lies outside the space.
    """
    chosen: dict[str, Value] = {}
    for parameter in space:
        if not space.active(parameter, chosen):
            continue
        if parameter.name not in answer:
            raise AlgorithmError(f"the rival gives no value of {parameter.name}")
        try:
            chosen[parameter.name] = _typed(parameter, answer[parameter.name])
        except SpecError as error:
            raise AlgorithmError(f"the rival's point lies outside the space: {error}") from error
    return chosen


def _described(parameter: Parameter) -> Description:
    condition = parameter.condition
    return Description(
        name=parameter.name,
        kind=_KINDS[type(parameter)],
        low=parameter.low if isinstance(parameter, (Real, Integer)) else None,
        high=parameter.high if isinstance(parameter, (Real, Integer)) else None,
        log=isinstance(parameter, (Real, Integer)) and parameter.distribution.log,
        step=parameter.step if isinstance(parameter, (Real, Integer)) else None,
        values=None if isinstance(parameter, (Real, Integer)) else parameter.values,
        parent=condition.parent if condition else None,
        parent_values=condition.values if condition else None,
    )


_KINDS: Mapping[type, str] = {Real: "real", Integer: "integer", Ordinal: "ordinal", Choice: "categorical"}


def _typed(parameter: Parameter, value: Any) -> Value:
    if isinstance(parameter, (Real, Integer)):
        return parameter.nearest(parameter.check(value))
    return parameter.check(value)
