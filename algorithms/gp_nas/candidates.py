"""Architectures to compare: changes of good ones, and random ones."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from algorithms.gp_nas.encoding import Row

_NEAR = 25  # of each good one, with one choice changed
_FAR = 150  # with two
_RANDOM = 100

Rows = NDArray[np.intp]


def candidates(good: Rows, counts: Row, rng: Generator) -> Rows:
    """Choices (m, d) of architectures to compare. good: (k, d) those to change. counts: (d,) values of each choice."""
    near = changed(np.repeat(good, _NEAR, axis=0), counts, rng)
    far = changed(near[rng.integers(len(near), size=_FAR)], counts, rng)
    return np.concatenate([near, far, rng.integers(counts, size=(_RANDOM, len(counts)))])


def changed(rows: Rows, counts: Row, rng: Generator) -> Rows:
    """The rows (n, d), each with another value of one of the choices that have two values or more."""
    free = np.flatnonzero(counts > 1)
    if not len(free):
        return rows
    moved, lines = rows.copy(), np.arange(len(rows))
    columns = free[rng.integers(len(free), size=len(rows))]
    steps = rng.integers(1, counts[columns])
    moved[lines, columns] = (moved[lines, columns] + steps) % counts[columns]
    return moved
