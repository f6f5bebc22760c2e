"""Two functions of pymoo 0.6.0, which is pure Python, at a fraction of their cost and with the same results.

HEBO spends most of its time in them. ``install()`` puts them in the place of pymoo's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pymoo.util.nds.fast_non_dominated_sort as sorting
from pymoo.core.mixed import MixedVariableDuplicateElimination


def fronts(values: Any, **_: Any) -> list[list[int]]:
    """Non-dominated sorting (Deb et al. 2002, section III.A), each front in the order in which pymoo's has it.

    values: (individuals, objectives), minimised.
    """
    dominates = _dominates(values)
    dominated_by = dominates.sum(axis=0)
    dominated = [np.flatnonzero(row) for row in dominates]
    front = [int(i) for i in np.flatnonzero(dominated_by == 0)]
    found: list[list[int]] = []
    while front:
        found.append(front)
        following: list[int] = []
        for i in front:
            worse = dominated[i]
            dominated_by[worse] -= 1
            following.extend(int(j) for j in worse[dominated_by[worse] == 0])
        front = following
    return found


def _dominates(values: Any) -> Any:
    """Whether the individual of a row is better than that of a column in one objective and worse in none."""
    better = np.zeros((len(values), len(values)), dtype=bool)
    for objective in values.T:
        better |= objective[:, None] < objective
    return better & ~better.T


def mark_duplicates(_: Any, population: Any, others: Any, is_duplicate: Any) -> Any:
    """Mark individuals that are equal to one of ``others``, or, where that is None, to one that comes after them."""
    seen = set() if others is None else {_key(each) for each in others}
    for i in reversed(range(len(population))):
        key = _key(population[i])
        is_duplicate[i] |= key in seen
        if others is None:
            seen.add(key)
    return is_duplicate


def _key(individual: Any) -> frozenset[tuple[str, Any]]:
    return frozenset(individual.X.items())


def install() -> None:
    """Let pymoo use these from now on."""
    sorting.fast_non_dominated_sort = fronts
    MixedVariableDuplicateElimination._do = mark_duplicates
