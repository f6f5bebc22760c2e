"""Real tuning of real models on the data that scikit-learn brings: cross validation in some hundredths of a second.

All randomness of training is fixed, so a point has one value; what raises or ends in no number is a failed trial.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from sklearn import datasets
from sklearn.model_selection import KFold, StratifiedKFold

from benchmarks.search.problem import Evaluation, Problem
from benchmarks.search.problems.models import TASKS, Task
from benchmarks.search.problems.parts import exact, failure
from katib.core.trial import Parameters

# Median true loss of random points: python -m benchmarks.search.problems.typical works them out.
TYPICAL: Mapping[str, float] = {
    "svm-digits": -0.550032,
    "forest-breast-cancer": 0.106111,
    "boosting-diabetes": 69.2088,
    "network-digits": 2.25932,
    "elastic-diabetes": 57.8935,
    "pipeline-wine": 0.363056,
}

Array = NDArray[np.float64]
_SMALLEST = 1e-6  # probability that the log loss counts at least


def _accuracy(model: Any, x: Array, y: Array) -> float:
    return float(np.mean(model.predict(x) == y))


def _probabilities(model: Any, x: Array, y: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Of each class, and which one is true; shape (n, classes) both."""
    return np.asarray(model.predict_proba(x)), np.asarray(y)[:, None] == np.asarray(model.classes_)


def _log_loss(model: Any, x: Array, y: Array) -> float:
    probabilities, true = _probabilities(model, x, y)
    return float(np.mean(-np.log(np.maximum(np.sum(probabilities * true, axis=1), _SMALLEST))))


def _brier(model: Any, x: Array, y: Array) -> float:
    probabilities, true = _probabilities(model, x, y)
    return float(np.mean(np.sum((probabilities - true) ** 2, axis=1)))


def _rmse(model: Any, x: Array, y: Array) -> float:
    return math.sqrt(float(np.mean((model.predict(x) - y) ** 2)))


METRICS: Mapping[str, Callable[[Any, Array, Array], float]] = {
    "accuracy": _accuracy,
    "log-loss": _log_loss,
    "brier": _brier,
    "rmse": _rmse,
}


@lru_cache
def _splits(data: str, rows: int, folds: int) -> tuple[tuple[Array, Array, Array, Array], ...]:
    """(x of training, y of training, x of validation, y of validation) of each fold."""
    x, y = getattr(datasets, f"load_{data}")(return_X_y=True)
    chosen = np.random.default_rng(0).permutation(len(x))[:rows]
    x, y = x[chosen], y[chosen]
    kind = KFold if data == "diabetes" else StratifiedKFold
    return tuple((x[a], y[a], x[b], y[b]) for a, b in kind(folds, shuffle=True, random_state=0).split(x, y))


def _value(task: Task, parameters: Parameters) -> float:
    """Mean over the folds."""
    values = []
    for x, y, unseen, wanted in _splits(task.data, task.rows, task.folds):
        model = task.model(parameters).fit(x, y)
        values.append(METRICS[task.metric](model, unseen, wanted))
    return float(np.mean(values))


@dataclass(frozen=True, slots=True)
class Training:
    """The function of a task, by its name."""

    task: str

    def __call__(self, parameters: Parameters, rng: Generator) -> Evaluation:
        """Train and validate."""
        task = TASKS[self.task]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of models that did not converge: their values say so
            try:
                value = _value(task, parameters)
            except (ValueError, ArithmeticError, np.linalg.LinAlgError):
                value = math.nan
        return exact({task.metric: value}, rng) if math.isfinite(value) else failure(rng)


@lru_cache
def problem(name: str) -> Problem:
    """The task of that name."""
    task = TASKS[name]
    return Problem(name, "scikit-learn", task.space, task.objective, Training(name), TYPICAL[name])
