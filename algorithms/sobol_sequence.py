"""The part of ``sobol`` that needs scipy; ``bayesianoptimization`` and ``tpe`` start with the same points."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from algorithms.randomness import integer_seed

_ROWS = 256  # points made at a time


def sobol_point(seed: int, place: int, width: int) -> NDArray[np.float64]:
    """Point ``place`` of the scrambled sequence of ``seed``: (width,) in [0, 1)."""
    if not width:
        return np.empty(0)
    block, row = divmod(place, _ROWS)
    point: NDArray[np.float64] = _block(seed, block, width)[row]
    return point


@lru_cache(maxsize=64)
def _block(seed: int, block: int, width: int) -> NDArray[np.float64]:
    sequence = qmc.Sobol(width, scramble=True, seed=integer_seed(seed, 0))
    if block:
        sequence.fast_forward(block * _ROWS)
    points: NDArray[np.float64] = sequence.random(_ROWS)
    return points
