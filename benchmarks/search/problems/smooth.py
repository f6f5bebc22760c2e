"""Smooth functions that something comes between: noise, and regions where trials fail."""

from __future__ import annotations

import math

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from benchmarks.search.problem import Evaluation
from benchmarks.search.problems.parts import duration, exact, failure
from katib.core.space import Real, SearchSpace
from katib.core.trial import Parameters

# Hartmann's function in six dimensions (L. C. W. Dixon, G. P. Szego: The global optimisation problem, 1978).
_HARTMANN_HEIGHTS = np.array([1.0, 1.2, 3.0, 3.2])
_HARTMANN_WIDTHS = np.array(
    [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
)
_HARTMANN_CENTRES = np.array(
    [
        [0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886],
        [0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991],
        [0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650],
        [0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381],
    ]
)
HARTMANN_BEST = -3.322368011415515
HARTMANN_OPTIMUM = (0.20168951, 0.15001069, 0.47687398, 0.27533243, 0.31165162, 0.65730054)
UNIT_6 = SearchSpace(tuple(Real(f"x{i + 1}", 0.0, 1.0) for i in range(6)))
UNIT_4 = SearchSpace(tuple(Real(f"x{i + 1}", 0.0, 1.0) for i in range(4)))


def _vector(parameters: Parameters, dimension: int) -> NDArray[np.float64]:
    return np.array([parameters[f"x{i + 1}"] for i in range(dimension)], dtype=float)


def hartmann(x: NDArray[np.float64]) -> float:
    """Its value at a point of the unit cube, shape (6,)."""
    return -float(_HARTMANN_HEIGHTS @ np.exp(-np.sum(_HARTMANN_WIDTHS * (x - _HARTMANN_CENTRES) ** 2, axis=1)))


def noisy(parameters: Parameters, rng: Generator) -> Evaluation:
    """Hartmann's function with normal noise whose deviation grows from 0.05 to 0.5 along the first coordinate."""
    x = _vector(parameters, 6)
    true = hartmann(x)
    noise = (0.05 + 0.45 * x[0]) * float(rng.standard_normal())
    return Evaluation({"loss": true + noise}, {"loss": true}, duration(rng))


# Where trials fail: in two balls, (centre, radius), and behind a plane, (normal, distance): the optimum lies 0.07
# in front of that plane.
FAILING_BALLS = ((np.array([0.25, 0.3, 0.3, 0.7]), 0.4), (np.array([0.6, 0.85, 0.75, 0.2]), 0.42))
FAILING_PLANE = (np.array([0.6, 0.2, -0.1, 0.5]), 0.86)
FAILING_OPTIMUM = np.array([0.85, 0.35, 0.55, 0.55])


def fails(x: NDArray[np.float64]) -> bool:
    """Whether a point of the unit cube, shape (4,), is one where trials fail."""
    normal, distance = FAILING_PLANE
    in_ball = any(float(np.sum((x - centre) ** 2)) < radius**2 for centre, radius in FAILING_BALLS)
    return in_ball or float(normal @ x) > distance


def failing(parameters: Parameters, rng: Generator) -> Evaluation:
    """A wavy bowl of which about a third is out of bounds: its optimum of 0 lies close to the edge."""
    x = _vector(parameters, 4)
    if fails(x):
        return failure(rng, 0.3)
    away = x - FAILING_OPTIMUM
    loss = float(np.array([4.0, 2.0, 1.0, 3.0]) @ away**2 + 0.1 * np.sum(1 - np.cos(3 * math.pi * away)))
    return exact({"loss": loss}, rng)
