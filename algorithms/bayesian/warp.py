"""Losses as a Gaussian process can model them: of mean 0 and deviation 1, without the pull of very bad ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata, yeojohnson

from algorithms.bayesian.kernels import Floats, squared_distances

Warp = Callable[[Floats], Floats]

_BESIDE = 0.03  # of the cube's diagonal: a trial nearer to a better one does not count by itself


def half_rank(losses: Floats) -> Floats:
    """Values above the median replaced by normal quantiles of their rank, on the scale of those below.

    How bad a bad point is says little about where the good ones are, and divergence makes it arbitrarily large; the
    good half keeps its distances (the first step of Vizier's output warping; Song et al. 2024, "The Vizier Gaussian
    process bandit algorithm", section 3.3). Ties stay ties. losses: (n,), finite, n >= 1; the order is kept.
    """
    scaled = _within_floats(losses)
    median = float(np.median(scaled))
    bad = scaled > median
    spread = float(np.sqrt(np.mean((scaled[~bad] - median) ** 2)))
    if spread == 0.0:  # the good half is all equal: only ranks tell
        spread = 1.0
    quantiles = ndtri((rankdata(scaled) - 0.5) / len(scaled))
    return np.where(bad, median + spread * quantiles, scaled)


def yeo_johnson(losses: Floats) -> Floats:
    """The power transform of largest normal likelihood (Yeo & Johnson 2000, "A new family of power transformations to
    improve normality or symmetry"), as in HEBO: where losses are skewed, it draws the good ones apart.

    losses: (n,), finite, n >= 1; the order is kept. As they are where fewer than three differ.
    """
    scaled = standardized(losses)
    if len(np.unique(scaled)) < 3:
        return scaled
    transformed: Floats = yeojohnson(scaled)[0]
    return transformed if np.isfinite(transformed).all() and np.ptp(transformed) > 0 else scaled


def standardized(values: Floats) -> Floats:
    """Values less their mean, over their deviation; zeros where all are equal."""
    scaled = _within_floats(values)
    centred = scaled - scaled.mean()
    deviation = float(centred.std())
    return centred / deviation if deviation > 0 else np.zeros_like(centred)


def by_the_distinct(warp: Warp, losses: Floats, features: Floats) -> Floats:
    """What ``warp`` makes of those of the ``losses`` (n,) that are the best of their surroundings; the others are read
    off between them.

    A search that has found an optimum tries points side by side there. If each counted, soon most trials would be good
    ones, and all differences but those among them would seem small: what is known to be bad would look worth trying.
    features: (n, p). The order is kept, but for what is worse than all that counts.
    """
    near = squared_distances(features, features, np.ones(features.shape[1])) < _BESIDE**2 * features.shape[1]
    order = np.argsort(losses, kind="stable")
    places = np.argsort(order)
    crowded = (near & (places < places[:, None])).any(axis=1)  # whether a better one is near
    scaled = _within_floats(losses)
    distinct = scaled[order[~crowded[order]]]
    warped = warp(distinct)
    below = np.searchsorted(distinct, scaled, side="right") - 1
    above = np.minimum(below + 1, len(distinct) - 1)
    gaps = distinct[above] - distinct[below]
    shares = (scaled - distinct[below]) / np.where(gaps > 0, gaps, np.inf)  # no slopes: gaps may be subnormal
    read: Floats = warped[below] + shares * (warped[above] - warped[below])
    return read


def bilog(values: Floats) -> Floats:
    """sign(v) log(1 + |v|): damps large violations and keeps zero, the border, in place (Eriksson & Poloczek 2021,
    "Scalable constrained Bayesian optimization", section 3)."""
    return np.sign(values) * np.log1p(np.abs(values))


def _within_floats(values: Floats) -> Floats:
    """Scaled so that squares and differences do not overflow."""
    largest = float(np.abs(values).max(initial=0.0))
    return values / largest if largest > 1e100 else values
