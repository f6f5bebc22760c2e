"""Two objectives that cannot both be had: three fronts of known shape, and accuracy against latency.

ZDT1, ZDT2 and ZDT3: E. Zitzler, K. Deb, L. Thiele: Comparison of Multiobjective Evolutionary Algorithms: Empirical
Results, 2000; in 6 dimensions instead of 30, so that a search of 100 trials gets near the front.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from benchmarks.search.problem import Evaluation, Function, Problem
from benchmarks.search.problems import latency
from benchmarks.search.problems.parts import exact, random_losses
from benchmarks.search.report.hypervolume import hypervolume
from katib.core.objective import Objective, Target
from katib.core.space import Real, SearchSpace
from katib.core.trial import Parameters

Array = NDArray[np.float64]

ZDT = SearchSpace(tuple(Real(f"x{i + 1}", 0.0, 1.0) for i in range(6)))
ZDT_OBJECTIVE = Objective("f1", others=(Target("f2"),))
ZDT_WORST = (1.1, 11.0)  # a tenth more than f1, and f2 at f1 = 0, reach
_FINE = 200_001  # points of a front without a formula for its area


def zdt1_front(f1: Array) -> Array:
    """f2 / g as a function of f1 / g: convex."""
    return 1 - np.sqrt(f1)


def zdt2_front(f1: Array) -> Array:
    """f2 / g as a function of f1 / g: concave."""
    return 1 - f1**2


def zdt3_front(f1: Array, distance: float = 1.0) -> Array:
    """f2 / g as a function of f1 / g, in pieces. distance: g, as the waves go by f1 itself."""
    return 1 - np.sqrt(f1) - f1 * np.sin(10 * np.pi * f1 * distance)


def _zdt(parameters: Parameters) -> tuple[float, float]:
    """f1, and g: 1 on the front, up to 10 away from it."""
    first, *rest = (float(parameters[f"x{i + 1}"] or 0) for i in range(len(ZDT)))
    return first, 1 + 9 * sum(rest) / len(rest)


def zdt1(parameters: Parameters, rng: Generator) -> Evaluation:
    """A convex front."""
    f1, g = _zdt(parameters)
    return exact({"f1": f1, "f2": g * float(zdt1_front(np.array(f1 / g)))}, rng)


def zdt2(parameters: Parameters, rng: Generator) -> Evaluation:
    """A concave front, which no weighting of the objectives finds."""
    f1, g = _zdt(parameters)
    return exact({"f1": f1, "f2": g * float(zdt2_front(np.array(f1 / g)))}, rng)


def zdt3(parameters: Parameters, rng: Generator) -> Evaluation:
    """A front in five pieces."""
    f1, g = _zdt(parameters)
    return exact({"f1": f1, "f2": g * float(zdt3_front(np.array(f1 / g), g))}, rng)


def _zdt3_best() -> float:
    f1 = np.linspace(0, 1, _FINE)
    return hypervolume(np.column_stack((f1, zdt3_front(f1))), ZDT_WORST)


class _Plan(NamedTuple):
    """best: works out the largest hypervolume."""

    space: SearchSpace
    function: Function
    best: Callable[[], float]
    objective: Objective = ZDT_OBJECTIVE
    worst: tuple[float, float] = ZDT_WORST


# Under the convex front, between it and 0, lies an area of 1/3, under the concave one 2/3.
PLANS: Mapping[str, _Plan] = {
    "zdt1": _Plan(ZDT, zdt1, lambda: ZDT_WORST[0] * ZDT_WORST[1] - 1 / 3),
    "accuracy-latency": _Plan(
        latency.NETWORK,
        latency.network,
        lambda: hypervolume(latency.network_losses(), latency.NETWORK_WORST),
        latency.NETWORK_OBJECTIVE,
        latency.NETWORK_WORST,
    ),
    "zdt2": _Plan(ZDT, zdt2, lambda: ZDT_WORST[0] * ZDT_WORST[1] - 2 / 3),
    "zdt3": _Plan(ZDT, zdt3, _zdt3_best),
}


@lru_cache
def problem(name: str) -> Problem:
    """The problem of that name. Its typical "loss" is the median hypervolume of one random point."""
    plan = PLANS[name]
    gains = np.maximum(np.array(plan.worst) - random_losses(plan.space, plan.objective, plan.function), 0)
    typical = float(np.median(np.prod(gains, axis=1)))
    return Problem(name, "multi-objective", plan.space, plan.objective, plan.function, typical, plan.best(), plan.worst)
