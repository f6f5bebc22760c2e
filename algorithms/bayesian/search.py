"""The maximiser of a utility over a mixed space: many points are compared, the best ones climb.

Smooth axes climb along the gradient, all starts in one L-BFGS-B problem (their utilities are summed, so each kernel
evaluation serves all of them; Wilson et al. 2018, "Maximizing acquisition functions for Bayesian optimization");
discrete ones move to the best of their values, one at a time, in turns with the smooth ones.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.optimize import minimize

from algorithms.bayesian.acquisition import Utility
from algorithms.bayesian.encoding import Encoding
from algorithms.bayesian.kernels import Floats

_RANDOM = 512
_NEAR = 96  # perturbations of each good point
_STARTS = 8
_CLIMB = 30  # steps of L-BFGS-B
_ROUNDS = 3
_MOST_MOVES = 16  # values tried along a discrete axis
_WIDTHS = (0.2, 0.05, 0.01)  # deviations of perturbations, in lengthscales of half a cube


class Region(NamedTuple):
    """A box in the cube. lower, upper: (d,) its bounds."""

    lower: Floats
    upper: Floats

    @classmethod
    def around(cls, encoding: Encoding, centre: Floats, reach: float | None) -> Region:
        """``reach`` to both sides of ``centre`` along numeric axes, all of the others; the whole cube for None."""
        free = [axis.categorical or reach is None for axis in encoding.axes] | np.isnan(centre)
        reached = reach or 0.0
        lower = np.where(free, 0.0, np.maximum(centre - reached, 0.0))
        return cls(lower, np.where(free, 1.0, np.minimum(centre + reached, 1.0)))

    def fixed(self, axes: NDArray[np.intp], coordinates: Floats) -> Region:
        """The part of it where ``axes`` (k,) have these ``coordinates`` (k,)."""
        lower, upper = self.lower.copy(), self.upper.copy()
        lower[axes] = upper[axes] = coordinates
        return Region(lower, upper)

    def clip(self, points: Floats) -> Floats:
        """Points moved to the nearest place inside; NaN stays."""
        return np.clip(points, self.lower, self.upper)


def candidates(encoding: Encoding, good: Floats, region: Region, rng: Generator) -> Floats:
    """Canonical points (m, d) of the region to compare: random ones, and perturbations of the ``good`` ones (k, d)."""
    d = len(encoding.axes)
    points = [region.lower + (region.upper - region.lower) * rng.random((_RANDOM, d)), good]
    for row in good:
        moved = rng.random((_NEAR, d)) < max(0.3, 2.0 / max(d, 1))
        width = np.array(_WIDTHS)[rng.integers(len(_WIDTHS), size=(_NEAR, 1))]
        near = np.clip(row + width * rng.standard_normal((_NEAR, d)), 0.0, 1.0)
        for j in encoding.discrete:
            near[:, j] = rng.random(_NEAR)
        points.append(np.where(moved | np.isnan(row), near, row))
    return encoding.canonical(region.clip(np.concatenate(points)))


def maximize(utility: Utility, encoding: Encoding, region: Region, points: Floats) -> Floats:
    """Canonical points (m, d), the most useful first: ``points`` and what their best ones climbed to."""
    values = utility.values(encoding.features(points))
    order = np.argsort(-values, kind="stable")
    best = points[order[:_STARTS]]
    best = _climb(utility, encoding, region, best)
    for _ in range(_ROUNDS if encoding.discrete else 0):
        moved, changed = _sweep(utility, encoding, region, best)
        if not changed:
            break
        best = _climb(utility, encoding, region, moved)
    everything = np.concatenate([best, points[order]])
    best_values = utility.values(encoding.features(best))
    return everything[np.argsort(-np.concatenate([best_values, values[order]]), kind="stable")]


def _climb(utility: Utility, encoding: Encoding, region: Region, points: Floats) -> Floats:
    """Smooth coordinates of all points moved uphill together; inactive ones do not matter."""
    smooth = encoding.smooth
    if not len(smooth):
        return points
    features = encoding.features(points)
    columns = encoding.smooth_features

    def negative(flat: Floats) -> tuple[float, Floats]:
        features[:, columns] = flat.reshape(len(points), -1)
        values, gradients = utility.graded(features)
        return -float(values.sum()), -gradients[:, columns].ravel()

    found = minimize(
        negative,
        features[:, columns].ravel(),
        jac=True,
        method="L-BFGS-B",
        bounds=list(zip(region.lower[smooth], region.upper[smooth], strict=True)) * len(points),
        options={"maxiter": _CLIMB, "gtol": 1e-3, "maxcor": 10},
    )
    moved = points.copy()
    moved[:, smooth] = np.where(np.isnan(points[:, smooth]), np.nan, found.x.reshape(len(points), -1))
    return moved


def _sweep(utility: Utility, encoding: Encoding, region: Region, points: Floats) -> tuple[Floats, bool]:
    """Each point moved to the best of its neighbours along one discrete axis, if one is better."""
    free = [j for j in encoding.discrete if region.lower[j] < region.upper[j]]
    moves = [_neighbours(encoding, free, row) for row in points]
    sizes = [len(move) for move in moves]
    values = utility.values(encoding.features(encoding.canonical(np.concatenate(moves))))
    chosen, changed, begin = points.copy(), False, 0
    for i, size in enumerate(sizes):
        best = int(np.argmax(values[begin : begin + size]))
        if best > 0 and values[begin + best] > values[begin] + 1e-9:
            chosen[i], changed = moves[i][best], True
        begin += size
    return encoding.canonical(chosen), changed


def _neighbours(encoding: Encoding, axes: list[int], row: Floats) -> Floats:
    """The point itself, then all that differ from it along one of the discrete ``axes``, on long ones at growing
    distances. An axis that becomes active starts in its middle."""
    base = np.where(np.isnan(row), 0.5, row)
    found = [base]
    for j in axes:
        axis = encoding.axes[j]
        if np.isnan(row[j]) or axis.levels is None:
            continue
        here = int(axis.level(row[j : j + 1])[0])
        for level in _levels_near(here, len(axis.levels), axis.categorical):
            moved = base.copy()
            moved[j] = axis.levels[level]
            found.append(moved)
    return np.array(found)


def _levels_near(here: int, count: int, categorical: bool) -> list[int]:
    if count <= _MOST_MOVES or categorical:
        return [level for level in range(count) if level != here]
    steps = [sign * 2**k for k in range(count.bit_length()) for sign in (1, -1)]
    return [here + step for step in steps if 0 <= here + step < count]
