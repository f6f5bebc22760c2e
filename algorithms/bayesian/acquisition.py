"""What a point is worth trying: utilities, each a logarithm, so that several add up, with exact gradients.

Losses are minimised. Of several fantasies for pending trials (``posterior``) the expectation over them is taken.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from scipy.special import erfcx, log_ndtr, logsumexp

from algorithms.bayesian.kernels import Floats
from algorithms.bayesian.posterior import Posterior, PullBack

_LOG_ROOT_2PI = 0.5 * np.log(2 * np.pi)
_LOG_HALF_PI = 0.5 * np.log(np.pi / 2)
_FAR = -1e6


class Graded(NamedTuple):
    """values: (m,). gradients: (m, p) by features."""

    values: Floats
    gradients: Floats


class Utility(Protocol):
    """Something to maximise over points."""

    def values(self, features: Floats) -> Floats:
        """Utility (m,) of points with ``features`` (m, p)."""
        ...

    def graded(self, features: Floats) -> Graded:
        """The same, with gradients."""
        ...


class Sum:
    """Utilities that are logarithms of factors."""

    def __init__(self, parts: list[Utility]) -> None:
        self._parts = parts

    def values(self, features: Floats) -> Floats:
        """The sum."""
        total: Floats = np.sum([part.values(features) for part in self._parts], axis=0)
        return total

    def graded(self, features: Floats) -> Graded:
        """The sum, with gradients."""
        found = [part.graded(features) for part in self._parts]
        return Graded(np.sum([f.values for f in found], axis=0), np.sum([f.gradients for f in found], axis=0))


class Moments:
    """Base of utilities of one process's means and deviations."""

    def __init__(self, process: Posterior) -> None:
        self.process = process

    def values(self, features: Floats) -> Floats:
        """Utility (m,)."""
        return self.of(*self.process.moments(features))[0]

    def graded(self, features: Floats) -> Graded:
        """With gradients."""
        pull: PullBack = self.process.pull_back(features)
        values, by_means, by_deviations = self.of(pull.means, pull.deviations)
        return Graded(values, pull.gradient(by_means, by_deviations))

    def of(self, means: Floats, deviations: Floats) -> tuple[Floats, Floats, Floats]:
        """Utility (m,) of means (m, fantasies) and deviations (m,), and its derivatives by both."""
        raise NotImplementedError


class LogExpectedImprovement(Moments):
    """log E[max(incumbent - f(x), 0)] (Ament et al. 2023, "Unexpected improvements to expected improvement for
    Bayesian optimization", eq. 8). The incumbent is the lowest posterior mean at a known point, which noise does not
    make better than it is."""

    def of(self, means: Floats, deviations: Floats) -> tuple[Floats, Floats, Floats]:
        """See the base."""
        z = (self.process.lowest - means) / deviations[:, None]
        log_h, slope = log_improvement(z)
        values, shares = _mean_of_logs(log_h)
        weighted = shares * slope
        by_deviations = (1 - (weighted * z).sum(axis=1)) / deviations
        return values + np.log(deviations), -weighted / deviations[:, None], by_deviations


class LogProbabilityOfImprovement(Moments):
    """log P(f(x) < incumbent) (Kushner 1964)."""

    def of(self, means: Floats, deviations: Floats) -> tuple[Floats, Floats, Floats]:
        """See the base."""
        return _log_probability_below(self.process.lowest, means, deviations)


class LogProbabilityBelow(Moments):
    """log P(f(x) <= threshold): of a constraint to hold (Gardner et al. 2014, "Bayesian optimization with inequality
    constraints", eq. 4)."""

    def __init__(self, process: Posterior, threshold: float) -> None:
        super().__init__(process)
        self._threshold = np.array([threshold])

    def of(self, means: Floats, deviations: Floats) -> tuple[Floats, Floats, Floats]:
        """See the base."""
        return _log_probability_below(self._threshold, means, deviations)


class LowerConfidenceBound(Moments):
    """-(mean - kappa deviation) (Srinivas et al. 2010); kappa 1.96 as in scikit-optimize."""

    kappa = 1.96

    def of(self, means: Floats, deviations: Floats) -> tuple[Floats, Floats, Floats]:
        """See the base."""
        count = means.shape[1]
        by_means = np.full_like(means, -1 / count)
        return self.kappa * deviations - means.mean(axis=1), by_means, np.full_like(deviations, self.kappa)


class Direction(NamedTuple):
    """A trade-off between objectives. reference: (objectives,) losses that count for nothing. weights: (objectives,)
    all > 0, of length 1."""

    reference: Floats
    weights: Floats

    def worth(self, losses: Floats) -> Floats:
        """What ``losses`` (m, objectives) are worth: (m,). The expectation over random directions is the hypervolume
        (Zhang & Golovin 2020, "Random hypervolume scalarizations for provable multi-objective black box optimization",
        eq. 1)."""
        worth: Floats = self.gains(losses).min(axis=1)
        return worth

    def gains(self, losses: Floats) -> Floats:
        """The same for each objective by itself: (m, objectives)."""
        return (self.reference - losses) / self.weights


class HypervolumeScalarization:
    """What lower confidence bounds are worth in a direction (Song et al. 2024, section 3.6)."""

    kappa = 1.8

    def __init__(self, processes: list[Posterior], direction: Direction) -> None:
        self._processes, self._direction = processes, direction

    def values(self, features: Floats) -> Floats:
        """Utility (m,)."""
        least: Floats = self._gains([process.moments(features) for process in self._processes]).min(axis=1)
        return least

    def graded(self, features: Floats) -> Graded:
        """With gradients, those of the objective that is the least."""
        pulls = [process.pull_back(features) for process in self._processes]
        gains = self._gains([(pull.means, pull.deviations) for pull in pulls])
        least = gains.argmin(axis=1)
        gradients = np.zeros_like(features)
        for k, pull in enumerate(pulls):
            chosen = (least == k) / self._direction.weights[k]
            by_means = np.repeat(-chosen[:, None] / pull.means.shape[1], pull.means.shape[1], axis=1)
            gradients += pull.gradient(by_means, self.kappa * chosen)
        return Graded(gains.min(axis=1), gradients)

    def _gains(self, moments: list[tuple[Floats, Floats]]) -> Floats:
        bounds = [means.mean(axis=1) - self.kappa * deviations for means, deviations in moments]
        return self._direction.gains(np.stack(bounds, axis=1))


def log_improvement(z: Floats) -> tuple[Floats, Floats]:
    """log h(z) with h(z) = phi(z) + z Phi(z), and its derivative Phi(z) / h(z), for any finite z.

    Three branches, so that nothing underflows (Ament et al. 2023, eq. 9). From -1 down phi(z) is taken out of h, and
    what is left is written with erfcx; further down that is 1 / z^2 to rounding.
    """
    z = np.maximum(z, _FAR)
    middle = np.clip(z, -1e4, -1.0)
    rest = 1 + middle * np.exp(_LOG_HALF_PI) * erfcx(-middle / np.sqrt(2))
    near = np.maximum(z, -1.0)
    direct = np.log(np.exp(-0.5 * near**2 - _LOG_ROOT_2PI) + near * np.exp(log_ndtr(near)))
    tail = -0.5 * z**2 - _LOG_ROOT_2PI
    # 1 + z sqrt(pi/2) erfcx(-z/sqrt2) loses its digits to cancellation: beyond 300 the series (1 - 3/z^2)/z^2 is exact
    away = np.minimum(z, -2.0)
    by_series = -2 * np.log(-away) + np.log1p(-3 / away**2)
    far = np.where(z < -300.0, by_series, np.log(np.maximum(rest, 1e-300)))
    value = np.where(z > -1.0, direct, tail + far)
    return value, np.exp(np.minimum(log_ndtr(z) - value, 700.0))


def _log_probability_below(threshold: Floats, means: Floats, deviations: Floats) -> tuple[Floats, Floats, Floats]:
    z = np.maximum((threshold - means) / deviations[:, None], _FAR)
    logs = log_ndtr(z)
    slope = np.exp(np.minimum(-0.5 * z**2 - _LOG_ROOT_2PI - logs, 700.0))
    values, shares = _mean_of_logs(logs)
    weighted = shares * slope
    return values, -weighted / deviations[:, None], -(weighted * z).sum(axis=1) / deviations


def _mean_of_logs(logs: Floats) -> tuple[Floats, Floats]:
    """log of the mean of exp(logs) over fantasies (m,), and each one's share of it (m, fantasies)."""
    if logs.shape[1] == 1:
        return logs[:, 0], np.ones_like(logs)
    total = logsumexp(logs, axis=1)
    return total - np.log(logs.shape[1]), np.exp(logs - total[:, None])
