"""What the problems share: evaluations without noise, durations, and the loss of a random point."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from benchmarks.search.problem import Evaluation, Function
from katib.core.objective import MetricSummary, Objective
from katib.core.space import SearchSpace
from katib.core.trial import Parameters

RANDOM_POINTS = 1001  # whose median is a problem's typical loss
_SPREAD = 0.5  # standard deviation of the logarithm of durations


def numbers(parameters: Parameters) -> dict[str, float]:
    """The values of those parameters that are numbers."""
    return {n: float(v) for n, v in parameters.items() if isinstance(v, int | float)}


def duration(rng: Generator, median: float = 1.0) -> float:
    """Simulated seconds, log-normal: trials that start together end out of order."""
    return median * math.exp(_SPREAD * float(rng.standard_normal()))


def exact(values: Mapping[str, float], rng: Generator, seconds: float = 1.0) -> Evaluation:
    """What was observed is true. seconds: median duration."""
    return Evaluation(values, values, duration(rng, seconds))


def failure(rng: Generator, seconds: float = 1.0) -> Evaluation:
    """A failed trial. seconds: median duration."""
    return Evaluation({}, {}, duration(rng, seconds))


def random_points(space: SearchSpace, count: int, seed: int = 0) -> list[Parameters]:
    """Points drawn from the priors of ``space`` that its constraints allow."""
    rng = np.random.default_rng(seed)
    points: list[Parameters] = []
    while len(points) < count:
        point = space.from_unit(rng.random(len(space)))
        if space.allows(point):
            points.append(point)
    return points


def random_losses(
    space: SearchSpace, objective: Objective, function: Function, count: int = RANDOM_POINTS
) -> NDArray[np.float64]:
    """True losses of random points, shape (n, number of objectives); those that failed or violate an outcome constraint
    are left out."""
    losses = []
    for place, point in enumerate(random_points(space, count)):
        true = function(point, np.random.default_rng([1, place])).true
        observation = {metric: MetricSummary(value, value, value) for metric, value in true.items()}
        found = objective.losses(observation)
        if found is not None and all(v <= 0 for v in objective.violations(point, observation)):
            losses.append(found)
    return np.array(losses)


def typical_loss(space: SearchSpace, objective: Objective, function: Function, count: int = RANDOM_POINTS) -> float:
    """Median true loss of random points, see ``random_losses``."""
    return float(np.median(random_losses(space, objective, function, count)[:, 0]))
