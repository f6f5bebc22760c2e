"""Spaces as scikit-learn's users write them: lists and distributions of scipy.stats beside ``katib.search`` helpers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from katib.core.errors import Problem, SpecError
from katib.sdk import search
from katib.sdk.arguments import is_finite
from katib.sdk.search import Domain

Decoder = Callable[[Any], Any]

# Quantiles of a distribution that are searched: its ends may be infinite.
_TAIL = 1e-6
_EXPECTED = "a katib.search helper, a frozen distribution of scipy.stats, or a list of values"


def search_space(space: Mapping[str, Any]) -> tuple[dict[str, Domain], dict[str, Decoder]]:
    """The space as domains, and what makes the estimator's values of theirs, by parameter, where that is needed.

    Raises SpecError naming each parameter that is none.
    """
    domains: dict[str, Domain] = {}
    decoders: dict[str, Decoder] = {}
    problems: list[Problem] = []
    for name, given in space.items():
        try:
            domains[name], decoder = _domain(given)
        except SpecError as error:
            problems += error.within(f"space.{name}").problems
            continue
        if decoder is not None:
            decoders[name] = decoder
    if problems:
        raise SpecError(problems)
    return domains, decoders


def decoded(parameters: Mapping[str, Any], decoders: Mapping[str, Decoder]) -> dict[str, Any]:
    """The values that the estimator gets."""
    return {name: decoders[name](value) if name in decoders else value for name, value in parameters.items()}


def _domain(given: Any) -> tuple[Domain, Decoder | None]:
    if isinstance(given, Domain):
        return given, None
    if hasattr(given, "ppf") and hasattr(given, "support"):
        return _distribution(given)
    values = list(given) if isinstance(given, Sequence | np.ndarray) and not isinstance(given, str | bytes) else []
    if not values:
        raise SpecError([Problem("", f"got {given!r}, expected {_EXPECTED}")])
    if all(value is None or isinstance(value, str | bool) or is_finite(value) for value in values):
        return search.categorical(values), None
    names = [f"{index}: {str(value)[:60]}" for index, value in enumerate(values)]
    return search.categorical(names), dict(zip(names, values, strict=True)).__getitem__


def _distribution(given: Any) -> tuple[Domain, Decoder | None]:
    """The common distributions as what they are, any other by its quantiles."""
    kind = getattr(getattr(given, "dist", None), "name", "")
    low, high = (float(end) for end in given.support())
    if kind == "uniform":
        return search.double(low, high), None
    if kind in ("loguniform", "reciprocal"):
        return search.double(low, high, log=True), None
    if kind == "randint":
        return search.int(int(low), int(high)), None
    return search.double(_TAIL, 1 - _TAIL), partial(_quantile, given)


def _quantile(distribution: Any, share: float) -> Any:
    value = distribution.ppf(share)
    return int(value) if hasattr(distribution.dist, "pmf") else float(value)
