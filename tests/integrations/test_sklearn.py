"""KatibSearchCV beside scikit-learn's own searches: the same conventions, checks and results."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest
from scipy import stats

import katib
from katib.core.errors import SpecError, UnknownNameError
from tests.integrations.needs import needs

needs("sklearn")

import joblib
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.model_selection import KFold, RandomizedSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import check_estimator

from katib.integrations.sklearn import KatibSearchCV

X, Y = load_iris(return_X_y=True)
SPACE = {"C": stats.loguniform(1e-3, 1e3), "gamma": katib.search.double(1e-4, 10, log=True), "kernel": ["rbf", "poly"]}


class Fussy(ClassifierMixin, BaseEstimator):
    """Fits only where ``size`` is large enough; the larger, the better."""

    def __init__(self, size=0.0):
        self.size = size

    def fit(self, X, y):
        if self.size < 0.5:
            raise ValueError(f"too small: {self.size}")
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.zeros(len(X), int)

    def score(self, X, y):
        return self.size


def search(estimator=None, space=None, **settings):
    given = {"n_trials": 4, "random_state": 0, "cv": 3, "algorithm": "random"} | settings
    return KatibSearchCV(estimator if estimator is not None else SVC(), space or SPACE, **given)


def failed_checks(made):
    """Names of scikit-learn's estimator checks that fail."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        checks = check_estimator(made, on_fail=None, on_skip=None)
    assert sum(check["status"] == "passed" for check in checks) > 40
    return {check["check_name"] for check in checks if check["status"] == "failed"}


@pytest.mark.parametrize(
    "estimator",
    [pytest.param(Ridge(), id="Ridge", marks=pytest.mark.slow), pytest.param(RidgeClassifier(), id="classes")],
)
def test_passes_the_checks_that_scikit_learns_own_search_passes(estimator):
    space, settings = {"alpha": [0.1, 1.0]}, {"cv": 2, "random_state": 0}
    if failed := failed_checks(KatibSearchCV(estimator, space, n_trials=2, algorithm="random", **settings)):
        assert failed <= failed_checks(RandomizedSearchCV(estimator, space, n_iter=2, **settings))


def test_attributes_and_columns_are_those_of_other_searches():
    ours = search(return_train_score=True).fit(X, Y)
    theirs = RandomizedSearchCV(
        SVC(), {"C": [0.1, 1.0], "gamma": [0.1, 1.0], "kernel": ["rbf", "poly"]},
        n_iter=4, cv=3, random_state=0, return_train_score=True,
    ).fit(X, Y)  # fmt: skip
    assert set(ours.cv_results_) == set(theirs.cv_results_)
    shapes = [{name: len(column) for name, column in each.cv_results_.items()} for each in (ours, theirs)]
    assert shapes[0] == shapes[1]
    assert set(vars(theirs)) - set(vars(ours)) == {"n_iter", "param_distributions"}
    assert ours.best_score_ == max(ours.cv_results_["mean_test_score"])
    assert ours.best_params_ == ours.cv_results_["params"][ours.best_index_] == ours.result_.best_parameters
    assert ours.best_score_ == ours.result_.best_value
    assert ours.best_estimator_.get_params().items() >= ours.best_params_.items()
    assert ours.score(X, Y) == np.mean(ours.predict(X) == Y) > 0.9


def test_the_same_random_state_gives_the_same_search_however_many_jobs():
    first = search(parallel=2, cv=KFold(3, shuffle=True, random_state=1))
    again = clone(first).set_params(n_jobs=2)
    with joblib.parallel_backend("threading"):
        assert first.fit(X, Y).cv_results_["params"] == again.fit(X, Y).cv_results_["params"]
    assert list(first.cv_results_["mean_test_score"]) == list(again.cv_results_["mean_test_score"])


@pytest.mark.parametrize("algorithm", ["auto", "tpe", "sobol"])
def test_any_algorithm_learns_from_the_scores(algorithm):
    found = search(Fussy(), {"size": katib.search.double(0.5, 1)}, algorithm=algorithm, n_trials=25).fit(X, Y)
    assert found.best_score_ > 0.95


def test_shuffled_splits_are_the_same_for_all_candidates():
    seen = []

    class Splits(KFold):
        def split(self, *data, **more):
            seen.append(1)
            return super().split(*data, **more)

    search(cv=Splits(2, shuffle=True)).fit(X, Y)
    assert len(seen) == 1


def test_several_metrics():
    scoring = {"accuracy": "accuracy", "loss": "neg_log_loss"}
    space = {"C": katib.search.double(1e-3, 10, log=True)}
    model = LogisticRegression(max_iter=1000)
    found = search(model, space, scoring=scoring, refit="loss").fit(X, Y)
    assert found.best_score_ == max(found.cv_results_["mean_test_loss"]) == found.result_.best_value
    assert "mean_test_accuracy" in found.cv_results_
    with pytest.raises(ValueError, match="refit must be set to a scorer key"):
        search(model, space, scoring=scoring).fit(X, Y)


def test_what_a_parameter_may_be():
    trees = [DecisionTreeClassifier(max_depth=1), DecisionTreeClassifier(max_depth=3)]
    space = {
        "tree": trees,
        "scaler": ["passthrough", MinMaxScaler(), StandardScaler()],
        "tree__ccp_alpha": stats.expon(scale=0.01),
        "tree__min_samples_leaf": stats.randint(1, 5),
        "tree__min_samples_split": stats.binom(20, 0.5, loc=2),
        "tree__max_features": stats.uniform(0.5, 0.5),
        "tree__class_weight": [None, "balanced"],
    }
    pipeline = make_pipeline(StandardScaler(), DecisionTreeClassifier())
    pipeline.steps = [("scaler", pipeline[0]), ("tree", pipeline[1])]
    found = search(pipeline, space, n_trials=12).fit(X, Y)
    assert all(params["tree"] in trees for params in found.cv_results_["params"])
    assert {type(params["tree__min_samples_split"]) for params in found.cv_results_["params"]} == {int}
    assert {params["tree__min_samples_leaf"] for params in found.cv_results_["params"]} <= {1, 2, 3, 4}
    assert found.best_score_ > 0.9


def test_a_parameter_that_takes_no_part_is_masked():
    space = {"kernel": ["rbf", "linear"], "gamma": katib.search.double(0.01, 1).when("kernel", ["rbf"])}
    found = search(space=space, n_trials=8).fit(X, Y)
    masked = found.cv_results_["param_gamma"].mask
    assert list(masked) == [params["kernel"] == "linear" for params in found.cv_results_["params"]]
    assert set(masked) == {True, False}


def test_candidates_that_cannot_be_fitted():
    space = {"size": katib.search.double(0, 1)}
    found = search(Fussy(), space, n_trials=10).fit(X, Y)
    failed = [trial for trial in found.result_.trials if trial.state == "Failed"]
    assert len(found.cv_results_["params"]) + len(failed) == 10
    assert failed[0].reason.startswith("ValueError:")
    assert "too small" in failed[0].message + failed[0].reason
    with pytest.raises(ValueError, match="too small"):
        search(Fussy(), space, n_trials=10, error_score="raise").fit(X, Y)
    with pytest.raises(ValueError, match="All the 3 fits failed"):
        search(Fussy(), {"size": [0.1, 0.2]}).fit(X, Y)


def test_a_space_that_is_used_up_ends_the_search():
    found = search(space={"C": [0.1, 1.0, 10.0]}, algorithm="grid", n_trials=None, parallel=2).fit(X, Y)
    assert sorted(params["C"] for params in found.cv_results_["params"]) == [0.1, 1.0, 10.0]


def test_part_of_other_estimators():
    pipeline = make_pipeline(StandardScaler(), search(n_trials=2))
    assert cross_val_score(pipeline, X, Y, cv=3).min() > 0.8
    copy = pickle.loads(pickle.dumps(pipeline.fit(X, Y)))
    assert list(copy.predict(X)) == list(pipeline.predict(X))
    assert clone(copy).fit(X, Y)[-1].best_params_ == pipeline[-1].best_params_


@pytest.mark.slow
def test_in_processes_of_joblib():
    assert cross_val_score(search(n_trials=2, n_jobs=2), X, Y, cv=3, n_jobs=2).min() > 0.8


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        pytest.param({"space": {"C": 1.0}}, SpecError, r"space.C: got 1.0, expected a katib.search helper", id="value"),
        pytest.param({"space": {"C": []}}, SpecError, r"space.C: got \[\]", id="empty-list"),
        pytest.param({"algorithm": "tpee"}, UnknownNameError, "did you mean 'tpe'", id="algorithm"),
        pytest.param({"n_trials": 0}, SpecError, "max_trials: got 0, expected an integer >= 1", id="no-trials"),
        pytest.param({"space": [1]}, ValueError, "'space' parameter of KatibSearchCV must be", id="no-dict"),
    ],
)
def test_errors(change, error, message):
    with pytest.raises(error, match=message):
        search().set_params(**change).fit(X, Y)
