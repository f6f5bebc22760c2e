"""A Gaussian process that knows values at some points: means, variances and their gradients elsewhere.

Points whose values are still to come (pending trials) shrink the variance around them whatever they will be; the mean
depends on it, so there is a mean for each of several fantasies, drawn from their joint posterior (Snoek et al. 2012,
"Practical Bayesian optimization of machine learning algorithms", section 3.2).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.special import ndtri
from scipy.stats import qmc

from algorithms.bayesian.kernels import Floats, matern52, squared_distances
from algorithms.bayesian.regression import Hyperparameters

FANTASIES = 16
_LEAST_VARIANCE = 1e-12


class Posterior:
    """features: (n, p) of the points that it knows, pending ones last."""

    def __init__(self, features: Floats, y: Floats, hyperparameters: Hyperparameters, pending: Floats) -> None:
        """y: (n - q,) values; pending: (q, p) features of pending points."""
        self._known = hyperparameters
        self.features = np.concatenate([features, pending])
        covariance = self.covariance(self.features)
        covariance[np.diag_indices_from(covariance)] += hyperparameters.noise
        factor = _cholesky(covariance)
        self._inverse = cho_solve((factor, True), np.eye(len(factor)), check_finite=False)
        values = np.repeat(y[:, None], FANTASIES if len(pending) else 1, axis=1)
        if len(pending):
            values = np.concatenate([values, _fantasies(factor, values, len(pending))])
        self._solved = self._inverse @ values
        # what the process is believed to be at the known points, noise taken off: for each fantasy its lowest
        self.lowest = (values - hyperparameters.noise * self._solved).min(axis=0)

    def covariance(self, others: Floats) -> Floats:
        """Covariances (m, n) of ``others`` (m, p) and the known points."""
        return self._sloped(others)[0]

    def _sloped(self, others: Floats) -> tuple[Floats, Floats]:
        """The same, and the slopes of the correlations among them by the squared distances."""
        correlation, slope = matern52(squared_distances(others, self.features, self._known.weights))
        covariance: Floats = self._known.scale * correlation
        if self._known.trend is not None:
            covariance += self._known.trend.covariance(others, self.features)
        return covariance, slope

    def moments(self, others: Floats) -> tuple[Floats, Floats]:
        """Means (m, fantasies) and standard deviations (m,) of the process at ``others`` (m, p)."""
        covariance = self.covariance(others)
        explained = np.einsum("mn,mn->m", covariance @ self._inverse, covariance)
        return covariance @ self._solved, self._deviations(others, explained)

    def pull_back(self, others: Floats) -> PullBack:
        """The same, with what is needed for gradients."""
        return PullBack(self, others)

    def _deviations(self, others: Floats, explained: Floats) -> Floats:
        trend = self._known.trend
        before = self._known.scale if trend is None else self._known.scale + trend.variances(others)
        deviations: Floats = np.sqrt(np.maximum(before - explained, _LEAST_VARIANCE))
        return deviations


class PullBack:
    """Means and deviations at some points, and the way back from derivatives by them to derivatives by the points."""

    def __init__(self, process: Posterior, others: Floats) -> None:
        self._others, self._process = others, process
        covariance, slope = process._sloped(others)
        self._slope = 2 * process._known.scale * slope
        self._weighed = covariance @ process._inverse
        self.means = covariance @ process._solved
        self.deviations = process._deviations(others, np.einsum("mn,mn->m", self._weighed, covariance))

    def gradient(self, by_means: Floats, by_deviations: Floats) -> Floats:
        """Derivatives (m, p) by the features of the points, from those by means (m, fantasies) and deviations (m,)."""
        known, features = self._process._known, self._process.features
        by_variances = (by_deviations / self.deviations)[:, None]
        by_covariance = by_means @ self._process._solved.T - by_variances * self._weighed
        gradient = along(by_covariance * self._slope, self._others, features) * known.weights
        if known.trend is not None:
            gradient += known.trend.along(by_covariance, self._others, features)
            gradient += by_variances / 2 * known.trend.slopes(self._others)
        return gradient


def along(pull: Floats, others: Floats, features: Floats) -> Floats:
    """Sum over the known points j of pull[i, j] (others[i] - features[j]): (m, p)."""
    moved: Floats = others * pull.sum(axis=1)[:, None] - pull @ features
    return moved


def _fantasies(factor: Floats, values: Floats, count: int) -> Floats:
    """Values (count, fantasies) at the pending points, which are the last rows of the lower ``factor``: a posterior
    sample is the factor's last rows times (whitened known values, standard normal numbers)."""
    n = len(factor) - count
    whitened = solve_triangular(factor[:n, :n], values, lower=True, check_finite=False)
    drawn: Floats = factor[n:, :n] @ whitened + factor[n:, n:] @ _normals(count)
    return drawn


@lru_cache(maxsize=64)
def _normals(count: int) -> Floats:
    """Quasi-random standard normal numbers (count, FANTASIES), the same ones at each call."""
    if count > qmc.Sobol.MAXDIM:
        return np.random.Generator(np.random.Philox(key=0)).standard_normal((count, FANTASIES))
    normals: Floats = ndtri(qmc.Sobol(count, scramble=True, seed=0).random(FANTASIES)).T
    return normals


def _cholesky(covariance: Floats) -> Floats:
    """The lower factor; with a little more noise where rounding has made the matrix indefinite."""
    extra = 0.0
    while True:
        try:
            lower: Floats = cholesky(covariance + extra * np.eye(len(covariance)), lower=True, check_finite=False)
        except np.linalg.LinAlgError:
            extra = max(10 * extra, 1e-8 * float(covariance[0, 0]))
        else:
            return lower
