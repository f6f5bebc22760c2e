"""Real tuning: constants that can be worked out again, spaces that models accept, failures."""

from __future__ import annotations

import sys
import time

import numpy as np
import pytest

from benchmarks.search import problems
from benchmarks.search.problems import SCIKIT_LEARN, problem
from benchmarks.search.problems.parts import random_points
from katib.core.errors import MissingExtraError
from katib.core.objective import Direction

pytestmark = pytest.mark.requires("bench")


def test_every_task_has_a_name():
    from benchmarks.search.problems.models import TASKS

    assert tuple(TASKS) == SCIKIT_LEARN


@pytest.mark.slow
@pytest.mark.parametrize("name", SCIKIT_LEARN)
def test_typical_losses_can_be_worked_out_again(name):
    from benchmarks.search.problems.typical import measure

    assert measure(name) == pytest.approx(problem(name).typical, rel=0.02)  # releases of scikit-learn differ a little


@pytest.mark.parametrize("name", SCIKIT_LEARN)
def test_a_good_point_is_worth_finding(name):
    loaded = problem(name)
    found = [loaded.function(point, np.random.default_rng(0)).true for point in random_points(loaded.space, 12)]
    losses = [loaded.objective.loss(true[loaded.objective.metric]) for true in found if true]
    assert len(losses) >= 10
    assert min(losses) < loaded.typical


def test_accuracy_is_maximised():
    loaded = problem("svm-digits")
    assert loaded.objective.direction is Direction.MAXIMIZE
    good = {"scaler": "range", "kernel": "rbf", "C": 10.0, "gamma": 0.1}
    accuracy = loaded.function(loaded.space.check(good), np.random.default_rng(0)).true["accuracy"]
    assert 0.93 < accuracy < 1
    assert loaded.objective.loss(accuracy) < loaded.typical


def test_inactive_parameters_are_not_looked_at():
    loaded = problem("svm-digits")
    point = {"scaler": "none", "kernel": "linear", "C": 1.0}
    assert loaded.space.check(point) == point
    more = {**point, "gamma": 3.0, "degree": 4, "coef0": 0.5}
    once, again = (loaded.function(p, np.random.default_rng(0)).true for p in (point, more))
    assert once == again


@pytest.mark.parametrize(
    "broken",
    [pytest.param(lambda parameters: 1 / 0, id="raises"), pytest.param(lambda parameters: _Nan(), id="nan")],
)
def test_what_goes_wrong_is_a_failed_trial(broken, monkeypatch):
    from benchmarks.search.problems import scikit_learn

    task = scikit_learn.TASKS["elastic-diabetes"]
    monkeypatch.setattr(scikit_learn, "TASKS", {"elastic-diabetes": task._replace(model=broken)})
    evaluation = scikit_learn.Training("elastic-diabetes")({}, np.random.default_rng(0))
    assert evaluation.failed
    assert evaluation.seconds > 0


class _Nan:
    def fit(self, x, y):
        return self

    def predict(self, x):
        return np.full(len(x), np.nan)


@pytest.mark.slow
@pytest.mark.parametrize("name", SCIKIT_LEARN)
def test_an_evaluation_is_cheap(name):
    loaded = problem(name)
    points = random_points(loaded.space, 21)
    seconds = []
    for point in points:
        began = time.process_time()
        loaded.function(point, np.random.default_rng(0))
        seconds.append(time.process_time() - began)
    assert np.median(seconds) < 0.06


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    for module in ("scikit_learn", "models"):
        monkeypatch.delitem(sys.modules, f"{problems.__name__}.{module}", raising=False)
    with pytest.raises(MissingExtraError, match=r"'sklearn' is not installed.*katib-engine\[bench\]"):
        problem("svm-digits")
