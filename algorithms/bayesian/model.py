"""What is fitted to a history: a process for each objective, for each outcome constraint, and for failures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from algorithms.bayesian.anchors import Memory, anchor
from algorithms.bayesian.encoding import Encoding
from algorithms.bayesian.kernels import Floats
from algorithms.bayesian.posterior import Posterior
from algorithms.bayesian.recipe import Turn
from algorithms.bayesian.regression import Hyperparameters, fit
from algorithms.bayesian.warp import bilog, by_the_distinct, standardized

MOST = 400
"""Points that a process knows at most; its cost grows with their number cubed."""

_MOST_FAILED = 100  # failed trials that a process knows at most, the newest ones
_MOST_FITTED = 300  # that hyperparameters are fitted to at most
_BEST, _SPREAD = 50, 100  # of those known: the best ones, and some of all times


@dataclass(frozen=True)
class Observed:
    """Finished trials in order of seq, former experiments' first, and pending points; all canonical.

    points: (n, d). losses: (n, objectives) NaN where one failed. violations: (n, constraints). former: how many rows
    are of former experiments. pending: (q, d).
    """

    points: Floats
    losses: Floats
    violations: Floats
    former: int
    pending: Floats

    @property
    def failed(self) -> NDArray[np.bool_]:
        """Which rows have no value to learn from."""
        return np.array(~np.isfinite(self.losses).all(axis=1), dtype=np.bool_)

    @property
    def feasible(self) -> NDArray[np.bool_]:
        """Which rows have values, and keep to every outcome constraint."""
        return ~self.failed & ~(self.violations > 0).any(axis=1)


class Limit(NamedTuple):
    """What must be at most ``threshold`` to its process: an outcome constraint, or that a trial does not fail."""

    process: Posterior
    threshold: float


@dataclass(frozen=True)
class Model:
    """objectives: processes of warped losses. limits: of outcome constraints and failures. losses: (n, objectives)
    warped ones of all rows that have values. rows: which those are."""

    objectives: list[Posterior]
    limits: list[Limit]
    losses: Floats
    rows: NDArray[np.intp]


def build(encoding: Encoding, observed: Observed, memory: Memory, turn: Turn, *, failures: bool = True) -> Model:
    """Fit to at least one row with values. turn: how losses are warped before they are standardised, and whether each
    objective has a trend. failures: model them."""
    rows = np.flatnonzero(~observed.failed)
    fitter = _Fitter(encoding, memory, observed.former)
    everything, pending = encoding.features(observed.points), encoding.features(observed.pending)
    features = everything[rows]
    losses = observed.losses[rows]
    warped = np.stack([_warped(turn, column, features) for column in losses.T], axis=1)
    fitted = [fitter.fit(features, column, turn) for column in losses.T]
    known = _to_know(features * np.sqrt(fitted[0].weights), warped)
    objectives = [
        Posterior(features[known], column[known], found, pending)
        for column, found in zip(warped.T, fitted, strict=True)
    ]
    limits = []
    for column in observed.violations[rows].T:
        found = fitter.fit(features, column, Turn(_damped))
        limits.append(_limit(features[known], _damped(column), known, found, pending))
    if failures and observed.failed.any():
        # 1/2 where a trial failed, -1/2 where it did not; a process of its own, since where trials fail may depend on
        # other parameters than the objective does.
        signs = np.where(observed.failed, 0.5, -0.5)
        chosen = np.union1d(rows[known], np.flatnonzero(observed.failed)[-_MOST_FAILED:])
        found = fitter.fit(everything, signs, Turn(np.positive))
        limits.append(_limit(everything[chosen], signs, chosen, found, pending))
    return Model(objectives, limits, warped, rows)


class _Fitter:
    """Fits hyperparameters at anchors."""

    def __init__(self, encoding: Encoding, memory: Memory, former: int) -> None:
        self._encoding, self._memory, self._former = encoding, memory, former

    def fit(self, features: Floats, values: Floats, turn: Turn) -> Hyperparameters:
        """To standardised values, warped before: those of the prefix up to the anchor. Where former experiments' trials
        are among the rows, which fade with each trial, there is no fixed prefix: all rows are fitted, which are few."""
        end = len(values) if self._former else anchor(len(values))
        chosen = _to_fit(values[:end])
        points, prefix = features[:end], values[:end]
        return self._memory.recall(
            (turn.warp, turn.distinct, turn.trend),
            (points, prefix),
            lambda: fit(self._encoding, points[chosen], _warped(turn, prefix, points)[chosen], trend=turn.trend),
        )


def _warped(turn: Turn, losses: Floats, features: Floats) -> Floats:
    """Of mean 0 and deviation 1."""
    return standardized(by_the_distinct(turn.warp, losses, features) if turn.distinct else turn.warp(losses))


def _limit(features: Floats, values: Floats, known: NDArray[np.intp], found: Hyperparameters, pending: Floats) -> Limit:
    """Values at most 0; standardised by all, of which the process knows some."""
    level, deviation = float(values.mean()), float(values.std()) or 1.0
    return Limit(Posterior(features, (values[known] - level) / deviation, found, pending), -level / deviation)


def _damped(violations: Floats) -> Floats:
    """Violations over their typical size, so that no unit matters, large ones damped; zero stays zero."""
    size = float(np.median(np.abs(violations)))
    return bilog(violations / size if size > 0 else violations)


def _to_fit(losses: Floats) -> NDArray[np.intp]:
    """Rows that hyperparameters are fitted to: all or, of many, the best third and some of all times."""
    if len(losses) <= _MOST_FITTED:
        return np.arange(len(losses))
    best = np.argsort(losses, kind="stable")[: _MOST_FITTED // 3]
    return _filled(best, len(losses), _MOST_FITTED)


def _to_know(scaled: Floats, losses: Floats) -> NDArray[np.intp]:
    """Rows that the processes know: all or, of many, those nearest to the incumbent, the best ones, some of all times.

    scaled: (n, p) features in lengthscales.
    """
    if len(scaled) <= MOST:
        return np.arange(len(scaled))
    order = np.argsort(losses.max(axis=1), kind="stable")
    best = order[:_BEST]
    spread = np.linspace(0, len(scaled) - 1, _SPREAD).astype(np.intp)
    distances = ((scaled - scaled[order[0]]) ** 2).sum(axis=1)
    nearest = np.argsort(distances, kind="stable")
    chosen = np.union1d(best, spread)
    nearest = nearest[~np.isin(nearest, chosen)][: MOST - len(chosen)]
    return np.sort(np.concatenate([chosen, nearest]))


def _filled(chosen: NDArray[np.intp], count: int, most: int) -> NDArray[np.intp]:
    """``chosen`` and evenly spaced others, ``most`` in all, sorted."""
    others = np.setdiff1d(np.arange(count), chosen)
    spaced = others[np.linspace(0, len(others) - 1, most - len(chosen)).astype(np.intp)]
    return np.union1d(chosen, spaced)
