"""One problem for each difficulty that real searches have beside a rugged loss; the optimum of each is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

from benchmarks.search.problem import Function, Problem
from benchmarks.search.problems import discrete, smooth, structured
from benchmarks.search.problems.parts import typical_loss
from katib.core.objective import Objective
from katib.core.space import SearchSpace


class _Plan(NamedTuple):
    """best: works out the smallest loss."""

    space: SearchSpace
    function: Function
    best: Callable[[], float]
    objective: Objective = Objective("loss")


PLANS: Mapping[str, _Plan] = {
    "noisy": _Plan(smooth.UNIT_6, smooth.noisy, lambda: smooth.HARTMANN_BEST),
    "failing": _Plan(smooth.UNIT_4, smooth.failing, lambda: 0.0),
    "categories": _Plan(discrete.CATEGORIES, discrete.categories, lambda: float(discrete.category_losses().min())),
    "mixed": _Plan(discrete.MIXED, discrete.mixed, lambda: 0.0),
    "tree": _Plan(structured.TREE, structured.tree, lambda: 0.0),
    "vessel": _Plan(
        structured.VESSEL,
        structured.vessel,
        lambda: structured.vessel_cost(**structured.vessel_optimum()),
        structured.VESSEL_OBJECTIVE,
    ),
    "cliff": _Plan(structured.CLIFF, structured.cliff, lambda: 0.2),
    "grid": _Plan(discrete.GRID, discrete.grid, lambda: float(discrete.grid_losses().min())),
}


@lru_cache
def problem(name: str) -> Problem:
    """The problem of that name."""
    plan = PLANS[name]
    typical = typical_loss(plan.space, plan.objective, plan.function)
    return Problem(name, "special", plan.space, plan.objective, plan.function, typical, plan.best())
