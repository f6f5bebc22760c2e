"""Continuous problems of known optimum: the functions of ``bbob_functions``, shifted, rotated and lifted."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.random import Generator

from benchmarks.search.problem import Evaluation, Problem
from benchmarks.search.problems.bbob_functions import FUNCTIONS, Array, Terrain
from benchmarks.search.problems.parts import RANDOM_POINTS, exact
from katib.core.objective import Objective
from katib.core.space import Real, SearchSpace
from katib.core.trial import Parameters


@dataclass(frozen=True, slots=True, eq=False)
class Landscape:
    """A function on its terrain, lifted by ``offset``, the smallest value it takes."""

    shape: str
    terrain: Terrain
    offset: float

    def values(self, x: Array) -> Array:
        """At points of the box, (n, d) to (n,)."""
        return FUNCTIONS[self.shape].values(x, self.terrain) + self.offset

    def __call__(self, parameters: Parameters, rng: Generator) -> Evaluation:
        """At one point."""
        x = np.array([[parameters[f"x{i + 1}"] for i in range(len(self.terrain.optimum))]], dtype=float)
        return exact({"loss": float(self.values(x)[0])}, rng)


@lru_cache
def problem(shape: str, dimension: int) -> Problem:
    """The function in x1 .. xd, each in [-5, 5]."""
    landscape = Landscape(shape, FUNCTIONS[shape].terrain(dimension), FUNCTIONS[shape].offset(dimension))
    random = landscape.values(np.random.default_rng(0).uniform(-5, 5, (RANDOM_POINTS, dimension)))
    space = SearchSpace(tuple(Real(f"x{i + 1}", -5.0, 5.0) for i in range(dimension)))
    return Problem(
        name=f"{shape}-{dimension}d",
        family="bbob",
        space=space,
        objective=Objective("loss"),
        function=landscape,
        typical=float(np.median(random)),
        best=landscape.offset,
    )
