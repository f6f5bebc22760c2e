"""What is searched: a space, an objective, and a function whose true values are known.

A problem never draws from a generator of its own: noise, failures that come by chance and durations are drawn from the
stream that belongs to (problem, seed, trial number), so every algorithm meets the same conditions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from numpy.random import Generator

from katib.core.objective import Objective
from katib.core.space import SearchSpace
from katib.core.trial import Parameters


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What one trial came to.

    observed: value of each metric as the algorithm is told it, noise included; empty if the trial failed. true: the
    same without noise, by which algorithms are judged; of a failed trial empty too. seconds: simulated duration, > 0.
    """

    observed: Mapping[str, float]
    true: Mapping[str, float]
    seconds: float = 1.0

    @property
    def failed(self) -> bool:
        """Whether the trial has no values."""
        return not self.observed


class Function(Protocol):
    """The function of a problem."""

    def __call__(self, parameters: Parameters, rng: Generator) -> Evaluation:
        """Evaluate one point; ``rng``: the trial's own stream."""
        ...


@dataclass(frozen=True, slots=True)
class Problem:
    """A search problem.

    name: of lower-case words and hyphens, unique. family: what it is averaged with in reports ("bbob", "scikit-learn",
    "tables", "special", "multi-objective"). best: the smallest true loss there is (sign turned where the objective
    maximises), None where nobody knows it; of several objectives the largest hypervolume, with regard to ``worst``.
    typical: median true loss of random points, what regret is normalised by: regret 1 is that of a random point; of
    several objectives the median hypervolume of one random point.
    worst: the reference point of the hypervolume, a loss for each objective; empty of a single objective.
    """

    name: str
    family: str
    space: SearchSpace
    objective: Objective
    function: Function
    typical: float
    best: float | None = None
    worst: tuple[float, ...] = field(default=())

    def __post_init__(self) -> None:
        if self.best is not None and not self.worst and not self.best < self.typical:
            raise ValueError(f"{self.name}: the best loss {self.best} is not below the typical one {self.typical}")
