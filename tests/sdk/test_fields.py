"""What goes beyond a plain search from Python: conditions, defaults, constraints, objectives, repeats, limits."""

from __future__ import annotations

import time
from collections import Counter

import pytest

import katib
from katib.core.errors import SpecError
from katib.core.experiment import Verdict
from katib.core.trial import FailureClass, TrialState
from katib.sdk import search

SPACE = {
    "x": search.double(0, 1).default(0.25),
    "optimizer": search.categorical(["adam", "sgd"]).default("adam"),
    "momentum": search.double(0, 1).when("optimizer", ["sgd"]),
    "units": search.int(8, 64, 8),
}


def sleep(p):
    while True:  # until a stop
        katib.report_metrics(naps=1)
        time.sleep(0.05)


def score(p):
    return {"accuracy": 1 - (p["x"] - 0.3) ** 2 - p.get("momentum", 0.0) / 10, "latency": float(p["units"])}


def tune(**arguments):
    return katib.tune(score, SPACE, **{"runner": "inline", "seed": 1, "metric": "accuracy", **arguments})


def test_defaults_come_first_then_the_callers_points_then_the_search():
    result = tune(max_trials=5, initial=[{"optimizer": "sgd"}, {"x": 0.25, "optimizer": "adam"}])
    assert [dict(trial.parameters) for trial in result.trials[:2]] == [
        {"x": 0.25, "optimizer": "adam", "units": 40},
        {"x": 0.25, "optimizer": "sgd", "momentum": 0.5, "units": 40},
    ]
    assert all(("momentum" in t.parameters) == (t.parameters["optimizer"] == "sgd") for t in result.trials)


def test_constraints_and_several_objectives():
    result = tune(
        max_trials=25, metric="objective", objectives={"accuracy": "maximize", "latency": "minimize"},
        constraints=["x * units <= 12", "latency < 30"], algorithm="tpe",
    )  # fmt: skip
    assert all(trial.parameters["x"] * trial.parameters["units"] <= 12 for trial in result.trials)
    assert result.best_trial.parameters["units"] < 30
    assert result.best_trial in result.pareto_front
    losses = [(-score(t.parameters)["accuracy"], score(t.parameters)["latency"]) for t in result.pareto_front]
    assert losses == sorted(losses)
    assert [latency for _, latency in losses] == sorted((latency for _, latency in losses), reverse=True)


def test_repeats():
    result = tune(max_trials=9, repeats=3, direction="maximize")
    assert sorted(Counter(t.parameters["x"] for t in result.trials).values()) == [3, 3, 3]


def test_the_best_value_is_the_mean_of_the_runs():
    noise = iter((1.0, 2.0, 6.0))
    result = katib.tune(lambda p: next(noise), {"x": search.double(0, 1)}, max_trials=3, repeats=3, runner="inline")
    assert result.best_value == result.experiment.status.best_value == 3.0


def test_limits_of_time():
    result = katib.tune(sleep, {"x": search.double(0, 1)}, max_trials=1, max_trial_duration=0.5)
    (trial,) = result.trials
    assert (trial.state, trial.failure) == (TrialState.FAILED, FailureClass.TIME_OUT)
    result = katib.tune(sleep, {"x": search.double(0, 1)}, max_trials=3, max_duration=0.5)
    assert result.experiment.status.verdict is Verdict.MAX_DURATION_REACHED


def test_the_optimizer_takes_them_too():
    with katib.Optimizer(SPACE, max_trials=4, repeats=2, metric="accuracy", constraints=["x < 0.5"]) as optimizer:
        for _ in range(4):
            trial = optimizer.ask()
            assert trial.parameters["x"] < 0.5
            optimizer.tell(trial, score(trial.parameters))
        assert len({trial.parameters["x"] for trial in optimizer.trials}) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param({"objectives": {"accuracy": "max"}}, "objectives: got", id="direction"),
        pytest.param({"objectives": {"a": "minimize", "b": "minimize"}}, "metric: got 'accuracy' beside", id="metric"),
        pytest.param({"constraints": "x < 1"}, "constraints: got 'x < 1', expected a list", id="constraint-alone"),
        pytest.param({"constraints": ["x <"]}, "constraints: constraint 'x <' is no expression", id="constraint"),
        pytest.param({"initial": [{"speed": 1}]}, r"initial\[0\].speed: no such parameter", id="initial-name"),
        pytest.param({"initial": [{"momentum": 1}]}, r"initial\[0\].momentum: has a value but", id="initial-inactive"),
        pytest.param({"constraints": ["x > 0.5"]}, "space: constraint 'x > 0.5' does not hold", id="defaults"),
        pytest.param({"repeats": 0}, "repeats: got 0", id="repeats"),
        pytest.param({"max_duration": -1}, "max_duration: got -1", id="duration"),
        pytest.param({"algorithm": "hyperband", "repeats": 2}, "hyperband cannot use repeated runs", id="algorithm"),
    ],
)
def test_what_is_wrong(arguments, said):
    with pytest.raises(SpecError, match=said):
        tune(**{"max_trials": 3, **arguments})
