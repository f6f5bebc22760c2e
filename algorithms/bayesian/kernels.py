"""The covariance of two points: Matern 5/2 over a weighted squared distance (Rasmussen & Williams 2006, eq. 4.17)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_ROOT5 = 5**0.5


def matern52(squared: Floats) -> tuple[Floats, Floats]:
    """Correlation at squared distances r^2 >= 0 in units of the lengthscale, and its derivative by r^2.

    k = (1 + sqrt5 r + 5/3 r^2) exp(-sqrt5 r); dk/d(r^2) = -5/6 (1 + sqrt5 r) exp(-sqrt5 r), which is finite at 0.
    """
    scaled = _ROOT5 * np.sqrt(squared)
    decay = np.exp(-scaled)
    slope = (-5 / 6) * (1 + scaled) * decay
    return (1 + scaled + (5 / 3) * squared) * decay, slope


def squared_distances(a: Floats, b: Floats, weights: Floats) -> Floats:
    """Weighted squared distances (m, n) of rows of ``a`` (m, p) and ``b`` (n, p). weights: (p,) inverse squared
    lengthscales."""
    root = np.sqrt(weights)
    a, b = a * root, b * root
    squared: Floats = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1) - 2 * (a @ b.T)
    return np.maximum(squared, 0.0)


def pairwise(features: Floats, owner: NDArray[np.intp], axes: NDArray[np.intp]) -> Floats:
    """Unweighted squared distances of all pairs i < j of rows along each axis: (n (n - 1) / 2, len(axes))."""
    rows, columns = np.triu_indices(len(features), 1)
    squared = (features[rows] - features[columns]) ** 2
    return np.stack([squared[:, owner == axis].sum(axis=1) for axis in axes], axis=1)
