"""Spaces and functions that searches are tried on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from katib.core.experiment import Component, ExperimentSpec
from katib.core.objective import Objective
from katib.core.space import Choice, Condition, Distribution, Integer, Ordinal, Real, SearchSpace
from katib.core.trial import Key, Parameters
from tests.contracts.simulation import Function, Simulation

D = Distribution
SQUARE = SearchSpace((Real("x", 0, 1), Real("y", 0, 1)))
PLANE = SearchSpace((Real("x", 1e-4, 1.0, D.LOG_UNIFORM), Real("y", -1.0, 1.0)))
BENT = SearchSpace(tuple(Real(f"p{i}", -2, 2) for i in range(3)))
MIXED = SearchSpace(
    (
        Real("x", -5.0, 5.0),
        Real("z", 0, 1, step=0.05),
        Integer("n", 1, 64, D.LOG_UNIFORM),
        Choice("c", tuple("abcde")),
        Ordinal("o", (1, 2, 4, 8)),
    )
)
LATTICE = SearchSpace(tuple(Integer(f"p{i}", 0, 9) for i in range(4)))
TREE = SearchSpace(
    (
        Choice("kind", ("plain", "deep")),
        Real("rate", 0, 1, condition=Condition("kind", ("deep",))),
        Integer("layers", 1, 8, condition=Condition("kind", ("deep",))),
        Choice("act", ("relu", "tanh"), condition=Condition("kind", ("deep",))),
        Real("x", 0, 1),
        Real("y", 0, 1),
    )
)
KINDS_OF_SPACES = {
    "many categories": SearchSpace(
        (Choice("a", tuple("abcdefgh")), Choice("b", tuple(range(100))), Real("x", 0, 1), Real("y", 0, 1))
    ),
    "constants": SearchSpace((Real("a", 2.0, 2.0), Real("b", -1.0, 1.0), Choice("c", ("x",)), Integer("d", 1, 9))),
    "steps": SearchSpace((Ordinal("a", (1, 10, 100)), Real("b", 0, 1, step=0.001), Integer("c", 0, 10**6, step=5))),
    "priors": SearchSpace(
        (Real("a", 1e-6, 1, D.LOG_NORMAL), Real("b", -3, 3, D.NORMAL), Integer("c", 1, 40, D.NORMAL, step=3))
    ),
    "two values": SearchSpace((Integer("a", 0, 1), Ordinal("b", (1, 2)), Real("x", 0, 1), Choice("c", (True, False)))),
    "conditions": TREE,
}

ODD_VALUES = {  # of six trials or fewer; NaN is a failed one
    "constant": [1.0] * 6,
    "huge": [1e300, -1e300, 5.0, 1e300, 2.0, 0.0],
    "tiny": [1e-300, 2e-300, 3e-300, 4e-300, 5e-300, 6e-300],
    "one value": [3.0],
    "one value among failures": [math.nan, math.nan, 7.0, math.nan, math.nan, math.nan],
    "no value": [math.nan] * 6,
    "nothing finished": [],
}


def valley(p: Parameters) -> float:
    """Best at x = 1e-3, y = 0.5 of PLANE."""
    return (math.log10(float(p["x"])) + 3) ** 2 + 4 * (float(p["y"]) - 0.5) ** 2


def bent(p: Parameters) -> float:
    """Rosenbrock's function (1960) over BENT: a curved valley whose floor is nearly flat."""
    v = [float(value) for value in p.values()]
    return sum(100 * (b - a * a) ** 2 + (1 - a) ** 2 for a, b in pairwise(v))


def mixed(p: Parameters) -> float:
    """Best at x = 1, z = 0.7, n = 20, c = b, o = 2 of MIXED."""
    numbers = (p["x"] - 1) ** 2 / 10 + 4 * (p["z"] - 0.7) ** 2 + abs(math.log(p["n"] / 20))
    return float(numbers + (p["c"] != "b") + abs(math.log2(p["o"]) - 1) / 3)


def lattice(p: Parameters) -> float:
    """Best at (3, 4, 5, 6) of LATTICE."""
    return float(sum((value - 3 - i) ** 2 for i, value in enumerate(p.values())))


def tree(p: Parameters) -> float:
    """Best of TREE: deep, with a rate of 0.3 and 5 layers."""
    both = (p["x"] - 0.6) ** 2 + (p["y"] - 0.2) ** 2
    return float(both + ((p["rate"] - 0.3) ** 2 + abs(p["layers"] - 5) / 10 if p["kind"] == "deep" else 0.5))


def anywhere(p: Parameters) -> float:
    """A function of any numbers."""
    return float(np.sum([float(value) for value in p.values() if isinstance(value, int | float)]))


PROBLEMS = {  # space, function, trials
    "valley": (PLANE, valley, 40),
    "bent": (BENT, bent, 120),
    "mixed": (MIXED, mixed, 90),
    "lattice": (LATTICE, lattice, 120),
    "tree": (TREE, tree, 90),
}


def simulate(
    algorithm: str,
    space: SearchSpace = PLANE,
    function: Function = valley,
    settings: Mapping[str, str] | None = None,
    seed: int = 0,
    objective: Objective | None = None,
) -> Simulation:
    """An experiment that has not begun."""
    component = Component(algorithm, settings or {})
    spec = ExperimentSpec(Key("d", "e"), space, objective or Objective("loss"), component, seed=seed)
    return Simulation(spec, function)
