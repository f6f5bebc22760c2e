"""The Gaussian process of trials' losses, over features of several kinds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from algorithms.bayesian.anchors import Memory, anchor
from algorithms.bayesian.kernels import Floats, squared_distances
from algorithms.bayesian.posterior import Posterior
from algorithms.bayesian.regression import Hyperparameters, fit_axes
from algorithms.bayesian.warp import half_rank, standardized

MOST = 300  # trials that the process knows at most
_EACH, _GROWTH = 10, 1.15  # anchors: hyperparameters are fitted at each of so many trials, then at 15 % more
_LENGTHS = (0.5,)  # lengthscale that a fit starts from

Indices = NDArray[np.intp]


def predictor(features: Floats, owner: Indices, losses: Floats, pending: Floats, memory: Memory) -> Posterior:
    """The process that knows ``losses`` (n,) of points with ``features`` (n, p), n >= 2, in order of their ends.

    owner: (p,) kind of each feature, counted from 0; each kind has a lengthscale. pending: (q, p) features of points
    whose losses are still to come.
    """
    end = anchor(len(losses), _EACH, _GROWTH)
    known = _spread(losses[:end], MOST)
    prefix = features[:end][known]
    values = standardized(half_rank(losses[:end]))[known]
    found = memory.recall(half_rank, (prefix, values), lambda: _fit(prefix, owner, values))
    known = _spread(losses, MOST)
    return Posterior(features[known], standardized(half_rank(losses))[known], found, pending)


def _fit(features: Floats, owner: Indices, values: Floats) -> Hyperparameters:
    """Hyperparameters with a weight for each feature. Distances of each kind are measured by their mean."""
    pairs = np.triu_indices(len(features), 1)
    kinds = range(owner.max() + 1)
    distances = np.stack([_squared(features[:, owner == kind])[pairs] for kind in kinds], axis=1)
    means = distances.mean(axis=0)
    scales = np.where(means > 0, means, 1.0)
    found = fit_axes(distances / scales, values, _LENGTHS)
    return found._replace(weights=(found.weights / scales)[owner])


def _squared(features: Floats) -> Floats:
    return squared_distances(features, features, np.ones(features.shape[1]))


def _spread(losses: Floats, most: int) -> Indices:
    """Rows to learn from: all or, of many, the best half and some of all times."""
    if len(losses) <= most:
        return np.arange(len(losses))
    best = np.argsort(losses, kind="stable")[: most // 2]
    others = np.setdiff1d(np.arange(len(losses)), best)
    spaced = others[np.linspace(0, len(others) - 1, most - len(best)).astype(np.intp)]
    return np.union1d(best, spaced)
