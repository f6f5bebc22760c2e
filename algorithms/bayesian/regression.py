"""Hyperparameters of a Gaussian process: lengthscales, scale and noise of largest posterior density (MAP).

y ~ N(0, s K + q T + v I) with K the Matern correlations (``kernels``) and, where it is asked for, T the covariances of
a quadratic trend (``trend``), for y of mean 0 and variance about 1. Minimised is the negative log marginal likelihood
(Rasmussen & Williams 2006, eq. 2.30) less the log prior density; its gradient is exact (ibid., eq. 5.9). Every fit
starts from the same fixed points, so it depends on its data alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack
from scipy.optimize import minimize

from algorithms.bayesian.encoding import Encoding
from algorithms.bayesian.kernels import Floats, matern52, pairwise
from algorithms.bayesian.trend import QuadraticTrend

LEAST_NOISE = 1e-6
_LOG_BOUNDS = (np.log(1e-4), np.log(1e4))  # of inverse squared lengthscales: 0.01 to 100 cubes
_SCALE_BOUNDS = (np.log(1e-2), np.log(1e2))
_NOISE_BOUNDS = (np.log(LEAST_NOISE), np.log(1.0))
_TREND_BOUNDS = (np.log(1e-4), np.log(1e3))
_TREND_RATE = 0.5  # of the exponential prior of its variance
_STARTS = (1.0, 0.25)  # lengthscales, in units of sqrt(d) / 2
_STEPS = 60


class Hyperparameters(NamedTuple):
    """weights: (p,) inverse squared lengthscale of each feature, or axis. scale: variance of the process. noise:
    variance of an observation around it. Both in units of the variance of y. trend: what is added to the process."""

    weights: Floats
    scale: float
    noise: float
    trend: QuadraticTrend | None = None


def fit(encoding: Encoding, features: Floats, y: Floats, *, trend: bool = False) -> Hyperparameters:
    """Fit to ``features`` (n, p) of n >= 1 points and ``y`` (n,). trend: add a quadratic one."""
    axes = encoding.varying
    distances = pairwise(features, encoding.owner, axes)
    found = _fit_with_trend(distances, y, features, encoding.trend) if trend else fit_axes(distances, y)
    weights = np.zeros(len(encoding.axes))
    weights[axes] = found.weights
    return found._replace(weights=weights[encoding.owner])


def fit_axes(distances: Floats, y: Floats, lengths: Sequence[float] = _STARTS) -> Hyperparameters:
    """Fit a weight for each axis. distances: (pairs, axes) squared ones, of all pairs i < j of points in the order of
    ``pairwise``. lengths: lengthscales to start from, in units of sqrt(d) / 2."""
    count = distances.shape[1]
    starts = [_start(length * count**0.5 / 2, count) for length in lengths]
    best = _minimum(_Problem(distances, y), starts)
    return Hyperparameters(best[:-2], float(best[-2]), float(best[-1]))


def _fit_with_trend(distances: Floats, y: Floats, features: Floats, trend: QuadraticTrend) -> Hyperparameters:
    """One start more than without: a trend that explains most, so that it is found where it is the better account."""
    count = distances.shape[1]
    starts = [np.append(_start(length * count**0.5 / 2, count), np.log(0.1)) for length in _STARTS]
    starts.append(np.array([0.0] * count + [np.log(0.1), np.log(1e-3), np.log(2.0)]))
    best = _minimum(_Problem(distances, y, trend.covariance(features, features)), starts)
    found = trend._replace(variance=float(best[-1]))
    return Hyperparameters(best[:-3], float(best[-3]), float(best[-2]), found)


def _minimum(problem: _Problem, starts: list[Floats]) -> Floats:
    """The best of what was found from ``starts``, no logarithms any more."""
    count = problem.axes
    bounds = ([_LOG_BOUNDS] * count + [_SCALE_BOUNDS, _NOISE_BOUNDS, _TREND_BOUNDS])[: len(starts[0])]
    options = {"maxiter": _STEPS, "gtol": 1e-2, "ftol": 1e-7}
    found = [minimize(problem, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options) for start in starts]
    best: Floats = np.exp(min(found, key=lambda result: float(result.fun)).x)
    return best


def _start(lengthscale: float, count: int) -> Floats:
    return np.array([-2 * np.log(lengthscale)] * count + [0.0, np.log(1e-3)])


class _Problem:
    """The function that is minimised, of (log weights, log scale, log noise) and, with a trend, its log variance."""

    def __init__(self, distances: Floats, y: Floats, trend: Floats | None = None) -> None:
        """distances: (pairs, axes) of ``pairwise``. trend: (n, n) covariances of one of variance 1."""
        self.axes = distances.shape[1]
        self._distances = distances
        self._y = y
        self._upper: tuple[NDArray[np.intp], NDArray[np.intp]] = np.triu_indices(len(y), 1)
        self._trend = None if trend is None else (trend[self._upper], np.diag(trend))  # of pairs, of points

    def __call__(self, logs: Floats) -> tuple[float, Floats]:
        """Value and gradient."""
        values = np.exp(logs)
        weights, (scale, noise), trend = values[: self.axes], values[self.axes : self.axes + 2], values[self.axes + 2 :]
        correlation, slope = matern52(self._distances @ weights)
        covariance = self._covariance(scale * correlation, scale + noise, trend)
        factor, failed = lapack.dpotrf(covariance, lower=0, overwrite_a=True)
        if failed:
            return 1e10, np.zeros_like(logs)
        solved, _ = lapack.dpotrs(factor, self._y, lower=0)
        log_determinant = 2 * np.log(np.diag(factor)).sum()
        inverse, _ = lapack.dpotri(factor, lower=0, overwrite_c=True)
        # half the derivative of the likelihood's value by each covariance; each pair stands for two entries
        pull = inverse[self._upper] - solved[self._upper[0]] * solved[self._upper[1]]
        own = 0.5 * (np.diag(inverse) - solved * solved)
        diagonal = float(own.sum())
        by_weights = self._distances.T @ (pull * scale * slope)
        gradient = [by_weights, [float(pull @ correlation) + diagonal, diagonal]]
        if self._trend is not None:
            of_pairs, of_points = self._trend
            gradient.append([float(pull @ of_pairs + own @ of_points) + _TREND_RATE])
        value = 0.5 * float(self._y @ solved) + 0.5 * log_determinant + _TREND_RATE * float(trend.sum())
        penalty, by_penalty = _penalty(weights, scale, noise)
        total = np.concatenate(gradient)
        total[: self.axes + 2] += by_penalty
        return float(value + penalty), total * values

    def _covariance(self, pairs: Floats, diagonal: float, trend: Floats) -> Floats:
        """The upper triangle. pairs: of ``pairwise``'s. trend: its variance, of shape (1,), or nothing."""
        points: Floats | float = diagonal
        if self._trend is not None:
            of_pairs, of_points = self._trend
            pairs, points = pairs + trend * of_pairs, diagonal + trend * of_points
        n = len(self._y)
        covariance = np.zeros((n, n))
        covariance[self._upper] = pairs
        np.fill_diagonal(covariance, points)
        return covariance


def _penalty(weights: Floats, scale: float, noise: float) -> tuple[float, Floats]:
    """Minus the log prior density and its gradient: exp(-0.1 / w - 0.1 w) of each weight, which keeps lengthscales
    between a tenth of the cube and ten cubes, Gamma(2, 1) of the scale and Gamma(1.1, 30) of the noise, as in Optuna's
    GPSampler (Optuna 5, ``optuna/_gp/prior.py``)."""
    value = 0.1 * float((1 / weights + weights).sum()) + scale - np.log(scale) + 30 * noise - 0.1 * np.log(noise)
    return float(value), np.concatenate([0.1 * (1 - weights**-2), [1 - 1 / scale, 30 - 0.1 / noise]])
