"""The callbacks of XGBoost and LightGBM on real trainings, which end with the trial."""

from __future__ import annotations

import numpy as np
import pytest

import katib
from katib.report import TrialStopped
from tests.integrations.needs import needs
from tests.integrations.reports import trial

needs("xgboost", "lightgbm")

import lightgbm
import xgboost

from katib.integrations import lightgbm as katib_lightgbm
from katib.integrations import xgboost as katib_xgboost

X = np.random.default_rng(0).normal(size=(200, 3))
Y = X @ [1.0, -2.0, 0.5]
ROUNDS = 5
XGB = {"max_depth": 2, "nthread": 1}
LGB = {"num_leaves": 4, "num_threads": 1, "verbosity": -1, "metric": "l2", "objective": "regression"}


def xgb_train(metrics=None):
    data = xgboost.DMatrix(X, Y)
    callback = katib_xgboost.KatibCallback(metrics)
    xgboost.train(XGB, data, ROUNDS, evals=[(data, "valid")], callbacks=[callback], verbose_eval=False)


def xgb_cv(metrics=None):
    xgboost.cv(XGB, xgboost.DMatrix(X, Y), ROUNDS, nfold=2, callbacks=[katib_xgboost.KatibCallback(metrics)])


def xgb_estimator(metrics=None):
    callback = katib_xgboost.KatibCallback(metrics)
    model = xgboost.XGBRegressor(n_estimators=ROUNDS, max_depth=2, n_jobs=1, callbacks=[callback])
    model.fit(X, Y, eval_set=[(X, Y)], verbose=False)


def lgb_train(metrics=None):
    data = lightgbm.Dataset(X, Y)
    callback = katib_lightgbm.KatibCallback(metrics)
    lightgbm.train(LGB, data, ROUNDS, valid_sets=[data], valid_names=["valid"], callbacks=[callback])


def lgb_cv(metrics=None):
    callback = katib_lightgbm.KatibCallback(metrics)
    lightgbm.cv(LGB, lightgbm.Dataset(X, Y), ROUNDS, nfold=2, stratified=False, callbacks=[callback])


def lgb_estimator(metrics=None):
    model = lightgbm.LGBMRegressor(n_estimators=ROUNDS, num_leaves=4, n_jobs=1, verbosity=-1)
    model.fit(X, Y, eval_set=[(X + 0.01, Y)], eval_metric="l2", callbacks=[katib_lightgbm.KatibCallback(metrics)])


CASES = {
    "xgb-train": (xgb_train, {"valid-rmse"}),
    "xgb-cv": (xgb_cv, {"train-rmse", "test-rmse"}),
    "xgb-estimator": (xgb_estimator, {"validation_0-rmse"}),
    "lgb-train": (lgb_train, {"valid-l2"}),
    "lgb-cv": (lgb_cv, {"valid-l2"}),
    "lgb-estimator": (lgb_estimator, {"valid_0-l2"}),
}


@pytest.mark.parametrize(("train", "names"), CASES.values(), ids=CASES)
def test_reports_each_round(train, names):
    with trial() as reports:
        train()
    assert reports.steps == list(range(ROUNDS))
    assert all(set(values) == names for _, values in reports.calls)
    curve = [sum(values.values()) for _, values in reports.calls]
    assert curve == sorted(curve, reverse=True)


@pytest.mark.parametrize(("train", "names"), CASES.values(), ids=CASES)
def test_ends_with_the_trial(train, names):
    with pytest.raises(TrialStopped), trial(stop_at=2) as reports:
        train(names)
    assert reports.steps == [0, 1]


def test_a_search_records_the_curves():
    def objective(p):
        data, callback = xgboost.DMatrix(X, Y), katib_xgboost.KatibCallback({"loss": "valid-rmse"})
        settings = {**XGB, "eta": p["rate"]}
        xgboost.train(settings, data, ROUNDS, evals=[(data, "valid")], callbacks=[callback], verbose_eval=False)

    space = {"rate": katib.search.double(1e-3, 0.5, log=True)}
    result = katib.tune(objective, space, max_trials=3, metric="loss", runner="inline", progress=False)
    assert [trial.observation["loss"].count for trial in result.trials] == [ROUNDS] * 3
    assert result.best_parameters["rate"] == max(trial.parameters["rate"] for trial in result.trials)
