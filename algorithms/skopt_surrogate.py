"""The part of ``bayesianoptimization`` that talks to scikit-optimize: one cold Optimizer for each suggestion.

Known faults of scikit-optimize 0.10.2 are worked around here and nowhere else:

* GBRT: its class is not a regressor by scikit-learn's newer tags, and calls ``numpy.in1d``, which numpy has removed.
* EIps and PIps: the incumbent is the least of values *and* logarithms of durations; tree surrogates are thought to have
  gradients.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import GradientBoostingRegressor
from skopt import Optimizer
from skopt.acquisition import gaussian_ei, gaussian_lcb, gaussian_pi
from skopt.learning import GradientBoostingQuantileRegressor
from skopt.space import Categorical, Real

from algorithms.bayesian_settings import BayesianOptimizationSettings
from algorithms.skopt_optimization import Observed
from katib.core.space import Choice, SearchSpace

_CANDIDATES = 5000  # random points at which the acquisition function is evaluated


class SkoptSurrogate:
    """A surrogate for one suggestion. Parameters with a single value are left out of it."""

    def __init__(
        self, space: SearchSpace, observed: Observed, settings: BayesianOptimizationSettings, seed: int
    ) -> None:
        """``settings.acq_func`` is one function, not gp_hedge."""
        self._space, self._observed, self._settings, self._seed = space, observed, settings, seed
        self._columns = [i for i, parameter in enumerate(space) if parameter.count > 1]
        self._per_second = settings.acq_func.endswith("ps")

    def best_point(self) -> list[float]:
        """Coordinates (d,) in the unit cube where the acquisition function is best."""
        gradients = self._settings.base_estimator == "GP" and any(
            not isinstance(self._space.parameters[i], Choice) for i in self._columns
        )
        sampling = self._settings.acq_optimizer == "sampling" or not gradients
        with _quiet():
            chosen = self._fitted("sampling" if sampling else "lbfgs", _CANDIDATES).ask()
        point = [0.5] * len(self._space)
        for i, x in zip(self._columns, chosen, strict=True):
            parameter = self._space.parameters[i]
            point[i] = (x + 0.5) / len(parameter.values) if isinstance(parameter, Choice) else float(x)
        return point

    def best_of(self, points: NDArray[np.float64]) -> int:
        """Which of ``points`` (m, d) the acquisition function likes best; the first of equals."""
        with _quiet():
            optimizer = self._fitted("sampling", 1)  # of which only the model is used
            encoded = optimizer.space.transform([self._encode(point) for point in points])
            return int(np.argmax(self._acquisition(encoded, optimizer.models[-1])))

    def _acquisition(self, encoded: NDArray[np.float64], model: Any) -> NDArray[np.float64]:
        """Larger is better, (m,)."""
        values, times = model.estimators_ if self._per_second else (model, None)
        best = float(self._observed.losses.min())
        gain: NDArray[np.float64]
        if self._settings.acq_func == "LCB":
            gain = -gaussian_lcb(encoded, values)
        elif self._settings.acq_func.startswith("PI"):
            gain = gaussian_pi(encoded, values, y_opt=best)
        else:
            gain = gaussian_ei(encoded, values, y_opt=best)
        if times is not None:
            mean, deviation = times.predict(encoded, return_std=True)
            gain = gain * np.exp(-mean + deviation**2 / 2)  # E[1 / t] of a log-normal t
        return gain

    def _fitted(self, maximiser: str, candidates: int) -> Optimizer:
        boosted = self._settings.base_estimator == "GBRT"
        optimizer = Optimizer(
            [self._dimension(i) for i in self._columns],
            base_estimator=_boosted_quantiles(self._seed) if boosted else self._settings.base_estimator,
            n_initial_points=0,
            acq_func=self._settings.acq_func,
            acq_optimizer=maximiser,
            acq_optimizer_kwargs={"n_points": candidates},
            random_state=self._seed,
        )
        optimizer.tell([self._encode(point) for point in self._observed.points], self._targets())
        return optimizer

    def _dimension(self, column: int) -> Any:
        parameter = self._space.parameters[column]
        return Categorical(range(len(parameter.values))) if isinstance(parameter, Choice) else Real(0.0, 1.0)

    def _encode(self, point: Sequence[float] | NDArray[np.float64]) -> list[float | int]:
        """A point of the cube as scikit-optimize has it: numbers of categories, coordinates as they are."""
        encoded: list[float | int] = []
        for i in self._columns:
            parameter = self._space.parameters[i]
            count = len(parameter.values) if isinstance(parameter, Choice) else 0
            encoded.append(min(int(point[i] * count), count - 1) if count else float(point[i]))
        return encoded

    def _targets(self) -> list[float] | list[tuple[float, float]]:
        observed = self._observed
        losses: list[float] = observed.losses.tolist()
        if not self._per_second:
            return losses
        # Only ratios of durations matter, so the shortest is set where its logarithm exceeds all losses: the least of
        # all numbers is then the least loss.
        unit = float(np.exp(observed.losses.max() + 1.0) / observed.seconds.min())
        return list(zip(losses, (observed.seconds * unit).tolist(), strict=True))


class _BoostedQuantiles(GradientBoostingQuantileRegressor):  # type: ignore[misc]
    """scikit-optimize's GBRT surrogate as scikit-learn and numpy want it today."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.estimator_type = "regressor"
        return tags

    def predict(self, X: NDArray[np.float64], return_std: bool = False, return_quantiles: bool = False) -> Any:
        """Median, with half the distance between the 16 % and 84 % quantiles as deviation if asked for."""
        low, middle, high = (regressor.predict(X) for regressor in self.regressors_)
        if return_quantiles:
            return np.stack([low, middle, high], axis=1)
        return (middle, np.maximum(high - low, 0.0) / 2) if return_std else middle


def _boosted_quantiles(seed: int) -> _BoostedQuantiles:
    trees = GradientBoostingRegressor(n_estimators=30, loss="quantile")
    return _BoostedQuantiles(base_estimator=trees, random_state=seed)


@contextmanager
def _quiet() -> Iterator[None]:
    """Warnings about fits that did not fully converge are of no use to a user."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
