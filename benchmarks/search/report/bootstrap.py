"""Percentile bootstrap intervals (Efron & Tibshirani 1993, chapter 13), vectorised.

Draws are arrays whose last axis, of length RESAMPLES, holds the statistic of each resample. Missing values (NaN) are
no part of a sample. The generator is made anew of a fixed seed for each statistic: the same logs give the same report.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.search.report.runs import Floats, Integers

RESAMPLES = 2000
LEVEL = 0.95
SEED = 20061
_CHUNK = 4_000_000  # numbers drawn at a time
Middle = Callable[[Floats], Floats]


def interval(draws: Floats, level: float = LEVEL) -> tuple[Floats, Floats]:
    """The central interval that holds a share ``level`` of the draws, along the last axis. Infinite draws count."""
    tail = (1 - level) / 2
    low, high = np.quantile(draws, [tail, 1 - tail], axis=-1, method="nearest")
    return low, high


def median(values: Floats) -> Floats:
    """Along the last axis, which must not be empty; of an even number the mean of the two in the middle."""
    ordered = np.sort(values, axis=-1)
    size = values.shape[-1]
    middle: Floats = (ordered[..., (size - 1) // 2] + ordered[..., size // 2]) / 2
    return middle


def lower_median(values: Floats) -> Floats:
    """Along the last axis: the smallest value that at least half of all do not exceed."""
    half: Floats = np.sort(values, axis=-1)[..., (values.shape[-1] - 1) // 2]
    return half


def median_draws(samples: Floats, middle: Middle = median, resamples: int = RESAMPLES) -> Floats:
    """(..., n) samples -> (..., resamples) medians of n values drawn with replacement; NaN of an empty sample."""
    packed, counts = _packed(samples)
    draws = np.full((len(packed), resamples), np.nan)
    for count in np.unique(counts[counts > 0]):
        rows = np.flatnonzero(counts == count)
        picks = np.random.default_rng(SEED).integers(0, count, (resamples, count))
        step = max(1, _CHUNK // picks.size)
        for start in range(0, len(rows), step):
            chunk = rows[start : start + step]
            draws[chunk] = middle(packed[chunk][:, picks])
    return draws.reshape(*samples.shape[:-1], resamples)


def nan_median(samples: Floats, middle: Middle = median) -> Floats:
    """The median of those values that are there; NaN of none."""
    packed, counts = _packed(samples)
    medians = np.full(len(packed), np.nan)
    for count in np.unique(counts[counts > 0]):
        rows = counts == count
        medians[rows] = middle(packed[rows][:, :count])
    return medians.reshape(samples.shape[:-1])


def hierarchical_means(values: Floats, resamples: int = RESAMPLES) -> Floats:
    """(problems, seeds, k) -> (k, resamples) means over problems of means over seeds: problems are drawn with
    replacement, then of each its seeds (Davison & Hinkley 1997, section 3.8). A seed is NaN in all k or in none."""
    problems, seeds, width = values.shape
    there = ~np.isnan(values[..., 0])
    counts = there.sum(axis=1)
    packed = np.take_along_axis(values, np.argsort(~there, axis=1, kind="stable")[..., None], axis=1)
    rng = np.random.default_rng(SEED)
    draws = np.empty((width, resamples))
    step = max(1, _CHUNK // (problems * seeds * width))
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        drawn = rng.integers(0, problems, (size, problems, 1))
        count = counts[drawn]
        seed = np.floor(rng.random((size, problems, seeds)) * count).astype(int)
        used = (np.arange(seeds) < count)[..., None]
        means = np.where(used, packed[drawn, seed], 0.0).sum(axis=2) / count
        draws[:, start : start + size] = means.mean(axis=1).T
    return draws


def _packed(samples: Floats) -> tuple[Floats, Integers]:
    """(rows, n) with what is there moved to the front, and how many those are."""
    flat = samples.reshape(-1, samples.shape[-1])
    return np.sort(flat, axis=-1), (~np.isnan(flat)).sum(axis=-1)
