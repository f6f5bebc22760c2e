"""The Python door: ``katib.tune`` from its arguments to its result, over both runners."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

import katib
from katib import search
from katib.core.errors import PermanentError, SpecError, UnknownNameError
from katib.core.experiment import Verdict
from katib.core.trial import FailureClass, TrialState

ROOT = Path(__file__).parents[2]
SPACE = {
    "x": search.double(-5, 5),
    "rate": search.double(1e-4, 1, log=True),
    "half": search.double(0, 2, step=0.5),
    "layers": search.int(1, 4),
    "units": search.int(8, 64, step=8),
    "kind": search.categorical(["a", "b"]),
    "flag": search.categorical([True, False, None, 3, 0.5]),
}
X = {"x": search.double(0, 1)}
RUNNERS = pytest.mark.parametrize("runner", ["inline", "process"])


def bowl(parameters):
    return (parameters["x"] - 1) ** 2 + parameters["layers"]


def parameters_of(result):
    return [trial.parameters for trial in result.trials]


@RUNNERS
def test_it_finds_the_best_of_what_it_tried(runner):
    result = katib.tune(bowl, SPACE, max_trials=20, runner=runner, seed=1)
    assert [trial.number for trial in result.trials] == list(range(20))
    assert {trial.state for trial in result.trials} == {TrialState.SUCCEEDED}
    values = [bowl(parameters) for parameters in parameters_of(result)]
    assert result.best_value == min(values)
    assert result.best_parameters == parameters_of(result)[values.index(min(values))]
    assert result.best_trial is result.trials[values.index(min(values))]
    assert result.experiment.status.verdict is Verdict.MAX_TRIALS_REACHED


@RUNNERS
def test_values_keep_their_types(runner):
    def check(parameters):
        assert list(parameters) == ["x", "rate", "half", "layers", "units", "kind", "flag"]
        assert [type(parameters[name]) for name in ("x", "rate", "half")] == [float] * 3
        assert [type(parameters[name]) for name in ("layers", "units")] == [int] * 2
        assert type(parameters["kind"]) is str
        assert any(parameters["flag"] is value for value in (True, False, None)) or parameters["flag"] in (3, 0.5)
        assert 1e-4 <= parameters["rate"] <= 1
        assert parameters["half"] in (0.0, 0.5, 1.0, 1.5, 2.0)
        assert parameters["units"] in range(8, 65, 8)
        return 0

    result = katib.tune(check, SPACE, max_trials=25, runner=runner, seed=2)
    assert [trial.reason for trial in result.trials if trial.reason] == []
    assert {type(p["flag"]) for p in parameters_of(result)} == {bool, type(None), int, float}


def test_the_same_seed_tries_the_same_parameters_whatever_runs_them():
    first, second, third = (
        katib.tune(bowl, SPACE, max_trials=8, runner=runner, seed=3) for runner in ("inline", "inline", "process")
    )
    assert parameters_of(first) == parameters_of(second) == parameters_of(third)
    other = katib.tune(bowl, SPACE, max_trials=8, runner="inline", seed=4)
    assert parameters_of(other) != parameters_of(first)


@pytest.mark.requires("skopt")
def test_the_same_seed_learns_the_same():
    runs = [
        katib.tune(bowl, SPACE, max_trials=13, algorithm="bayesianoptimization", runner="inline", seed=3)
        for _ in range(2)
    ]
    assert parameters_of(runs[0]) == parameters_of(runs[1])


def test_without_a_seed_two_runs_differ():
    assert parameters_of(katib.tune(bowl, SPACE, max_trials=3, runner="inline")) != parameters_of(
        katib.tune(bowl, SPACE, max_trials=3, runner="inline")
    )


@RUNNERS
def test_maximise(runner):
    result = katib.tune(bowl, SPACE, max_trials=10, runner=runner, direction="maximize", seed=1)
    assert result.best_value == max(map(bowl, parameters_of(result)))


@RUNNERS
def test_a_goal_ends_it(runner):
    result = katib.tune(lambda p: p["x"], {"x": search.int(1, 100)}, max_trials=500, goal=10, runner=runner, seed=1)
    assert result.experiment.status.verdict is Verdict.GOAL_REACHED
    assert result.best_value <= 10
    assert len(result.trials) < 500


@RUNNERS
def test_a_space_that_is_used_up_ends_it(runner):
    space = {"n": search.int(1, 3), "kind": search.categorical(["a", "b"])}
    result = katib.tune(lambda p: p["n"], space, max_trials=50, parallel=4, runner=runner)
    assert result.experiment.status.verdict is Verdict.SEARCH_EXHAUSTED
    assert sorted((p["n"], p["kind"]) for p in parameters_of(result)) == [(n, k) for n in (1, 2, 3) for k in "ab"]


def test_hopeless_trials_are_stopped_at_a_report(tmp_path):
    """Three good trials; from then on every other one is bad, and reports until it is stopped."""

    def descend(parameters):
        number = len(list(tmp_path.iterdir()))
        (tmp_path / str(number)).touch()
        bad = number >= 3 and number % 2 == 1
        for step in range(100_000 if bad else 6):
            katib.report_metrics({"loss": 9.0 if bad else 1.0 - number / 100, "other": 1.5}, step=step)
            time.sleep(0.01 if bad else 0)

    result = katib.tune(
        descend,
        {"x": search.double(0, 10)},
        max_trials=9,
        metric="loss",
        early_stopping="medianstop",
        early_stopping_settings={"min_trials_required": 3, "start_step": 4},
    )
    for trial in result.trials:
        bad = trial.number >= 3 and trial.number % 2 == 1
        assert trial.state is (TrialState.EARLY_STOPPED if bad else TrialState.SUCCEEDED)
        assert ("median" in trial.reason) == bad
        assert trial.measured >= 8 if bad else trial.measured == 12
    assert result.best_value == 0.92
    assert result.best_trial.number == 8


@RUNNERS
def test_the_best_report_stands_for_a_trial(runner):
    def descend(parameters):
        for step, value in enumerate([3, 1, 2]):
            katib.report_metrics({"loss": value, "other": 10 * value}, step=step)

    result = katib.tune(descend, X, max_trials=2, metric="loss", runner=runner)
    assert result.best_value == 1
    assert [trial.measured for trial in result.trials] == [6, 6]
    assert result.trials[0].observation["loss"].latest == 2


@RUNNERS
@pytest.mark.parametrize(
    ("answer", "value"),
    [
        pytest.param(lambda p: 3, 3.0, id="integer"),
        pytest.param(lambda p: np.float32(0.5), 0.5, id="numpy scalar"),
        pytest.param(lambda p: {"objective": 2, "other": 1}, 2.0, id="dict"),
        pytest.param(lambda p: katib.report_metrics(objective=4), 4.0, id="report alone"),
        pytest.param(lambda p: katib.report_metrics(objective=4) or 3, 3.0, id="report and better answer"),
    ],
)
def test_what_an_objective_may_answer(runner, answer, value):
    assert katib.tune(answer, X, max_trials=2, runner=runner).best_value == value


@RUNNERS
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(lambda p: 1 / 0, "ZeroDivisionError: division by zero", id="raises"),
        pytest.param(lambda p: sys.exit(3), "SystemExit: 3", id="exits"),
        pytest.param(lambda p: None, "not 'objective'", id="nothing"),
        pytest.param(lambda p: "0.5", "returned '0.5'", id="text"),
        pytest.param(lambda p: {"loss": 1}, "not 'objective'", id="another metric"),
        pytest.param(lambda p: p["y"], "KeyError", id="wrong name"),
        pytest.param(lambda p: True, "expected a number", id="truth value"),
    ],
)
def test_a_failing_objective_fails_its_trial(runner, answer, reason):
    result = katib.tune(answer, X, max_trials=2, runner=runner)
    assert [trial.state for trial in result.trials] == [TrialState.FAILED] * 2
    assert {trial.failure for trial in result.trials} == {FailureClass.USER_ERROR}
    assert all(reason in trial.reason for trial in result.trials)
    assert (result.best_value, result.best_parameters, result.best_trial) == (None, None, None)


@RUNNERS
def test_nan_is_no_value(runner):
    result = katib.tune(lambda p: float("nan"), X, max_trials=2, runner=runner)
    assert [trial.state for trial in result.trials] == [TrialState.METRICS_UNAVAILABLE] * 2
    assert all("nan" in trial.reason for trial in result.trials)
    assert result.best_value is None


@RUNNERS
def test_some_failures_are_put_up_with(runner):
    def objective(parameters):
        if parameters["x"] > 0.5:
            raise ValueError("too large")
        return parameters["x"]

    space = {"x": search.double(0, 1)}
    result = katib.tune(objective, space, max_trials=12, runner=runner, seed=1)
    assert {trial.state for trial in result.trials} == {TrialState.SUCCEEDED, TrialState.FAILED}
    assert result.best_value <= 0.5
    strict = katib.tune(objective, space, max_trials=12, max_failed=1, runner=runner, seed=1)
    assert strict.experiment.status.verdict is Verdict.FAILED
    assert len(strict.trials) < 12


def test_a_worker_that_dies_costs_its_trial_only():
    def objective(parameters):
        if parameters["n"] == 3:
            os.abort()
        return parameters["n"]

    result = katib.tune(objective, {"n": search.int(1, 6)}, max_trials=6, parallel=2, seed=1)
    assert {t.parameters["n"]: t.state for t in result.trials} == {
        n: TrialState.FAILED if n == 3 else TrialState.SUCCEEDED for n in range(1, 7)
    }


def test_two_at_a_time_run_in_two_processes(tmp_path):
    """Each of the first two trials waits for the other one."""

    def meet(parameters):
        (tmp_path / str(os.getpid())).touch()
        end = time.monotonic() + 60
        while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < end:
            time.sleep(0.01)
        return len(list(tmp_path.iterdir()))

    result = katib.tune(meet, X, max_trials=4, parallel=2)
    assert result.best_value == 2
    assert str(os.getpid()) not in {path.name for path in tmp_path.iterdir()}


def test_checkpoints_and_output_are_kept_where_asked(tmp_path):
    def train(parameters):
        print("training for", parameters["epochs"])
        file = Path(os.environ["KATIB_CHECKPOINT_DIR"]) / "epochs"
        done = int(file.read_text()) if file.exists() else 0
        file.write_text(str(parameters["epochs"]))
        return {"loss": parameters["x"], "continued": done}

    result = katib.tune(
        train,
        {"x": search.double(0, 1), "epochs": search.int(1, 9)},
        max_trials=13,
        algorithm="hyperband",
        algorithm_settings={"resource_name": "epochs", "r_l": 9},
        metric="loss",
        folder=tmp_path,
        seed=1,
    )
    promoted = [trial for trial in result.trials if trial.parent is not None]
    assert len(promoted) == 4
    for trial in promoted:
        assert trial.observation["continued"].latest == result.trials[trial.parent].parameters["epochs"]
    assert "training for 9" in "".join(path.read_text() for path in tmp_path.rglob("stdout.log"))


@RUNNERS
def test_a_population_trains_on(runner, tmp_path):
    """Progress is what was learned so far, and each trial adds its rate to it."""

    def train(parameters):
        file = Path(os.environ["KATIB_CHECKPOINT_DIR"]) / "progress"
        begun = float(file.read_text()) if file.exists() else 0.0
        file.write_text(repr(begun + parameters["rate"]))
        return {"progress": begun + parameters["rate"], "begun": begun}

    result = katib.tune(
        train,
        {"rate": search.double(0.1, 1)},
        max_trials=25,
        parallel=2 if runner == "process" else 1,
        direction="maximize",
        metric="progress",
        algorithm="pbt",
        algorithm_settings={"n_population": 5, "truncation_threshold": 0.3},
        runner=runner,
        folder=tmp_path,
        seed=1,
    )
    children = [(trial, result.trials[trial.parent]) for trial in result.trials if trial.parent is not None]
    assert len(children) == 20
    for trial, parent in children:
        assert trial.observation["begun"].latest == parent.observation["progress"].latest
    assert any(trial.parameters != parent.parameters for trial, parent in children)


def test_the_result_says_what_it_is():
    result = katib.tune(lambda p: p["n"], {"n": search.int(2, 3)}, max_trials=5, runner="inline", seed=1)
    assert isinstance(result, katib.Result)
    assert repr(result) == (
        "Result(best_value=2.0, best_parameters={'n': 2}, trials=2, end=ExperimentSuggestionEndReached)"
    )
    assert result.experiment.spec.seed == 1


INTERRUPTED = """
import os, sys, time
import katib

def objective(parameters):
    print(os.getpid(), flush=True)
    time.sleep(600)

try:
    katib.tune(objective, {"x": katib.search.double(0, 1)}, max_trials=4, parallel=2)
except KeyboardInterrupt:
    sys.exit(77)
"""


@pytest.mark.parametrize(
    ("number", "status"),
    [
        pytest.param(signal.SIGINT, 77, id="KeyboardInterrupt"),
        pytest.param(signal.SIGKILL, -9, id="kill -9"),
    ],
)
def test_no_worker_outlives_it(number, status):
    process = subprocess.Popen([sys.executable, "-c", INTERRUPTED], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    workers = [psutil.Process(int(process.stderr.readline())) for _ in range(2)]
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == status
    end = time.monotonic() + 60
    while any(lives(worker) for worker in workers):
        assert time.monotonic() < end
        time.sleep(0.02)


def lives(process):
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"parallel": 0}, "parallel: got 0, expected an integer >= 1"),
        ({"parallel": 1.5}, "parallel: got 1.5, expected an integer >= 1"),
        ({"parallel": True}, "parallel: got True, expected an integer >= 1"),
        ({"max_trials": 0}, "max_trials: got 0, expected an integer >= 1"),
        ({"max_trials": "5"}, "max_trials: got '5', expected an integer >= 1"),
        ({"max_failed": -1}, "max_failed: got -1, expected an integer >= 0 or None"),
        ({"seed": -1}, "seed: got -1, expected an integer >= 0 or None"),
        ({"direction": "max"}, "direction: got 'max', expected 'minimize' or 'maximize'"),
        ({"runner": "thread"}, "runner: got 'thread', expected 'process' or 'inline' or 'ray' or 'kubernetes'"),
        ({"ray": "host:6379"}, "ray: got 'host:6379', expected katib.RaySettings(...) or None"),
        ({"resources": {"cpu": "lots"}}, "resources.cpu: got 'lots', expected a quantity"),
        ({"workers": 2}, "workers: got 2: the runner 'inline' has one worker a trial, use --runner ray"),
        ({"isolate": 1}, "isolate: got 1, expected True or False"),
        ({"goal": float("nan")}, "goal: got nan, expected a finite number or None"),
        ({"metric": ""}, "metric: got '', expected the name of a metric"),
        ({"objective": 3}, "objective: got 3, expected a function of the parameters"),
        ({"space": {}}, "space: got {}, expected a mapping from parameter names"),
        ({"space": [1]}, "space: got [1], expected a mapping from parameter names"),
        ({"space": {"x": 3}}, "x: got 3, expected a helper of katib.search such as search.double(...)"),
        ({"space": {"x": search.double(2, 1)}}, "parameter 'x': min 2 is greater than max 1"),
        ({"space": {"x": search.double(0, 1, log=True)}}, "parameter 'x': distribution logUniform needs min > 0"),
        ({"space": {"x": search.categorical([])}}, "parameter 'x': the list of values is empty"),
        ({"algorithm_settings": {"nope": 1}}, "spec.algorithm.algorithmSettings[nope]: auto has no such setting"),
        ({"early_stopping_settings": {"start_step": 2}}, "early_stopping_settings: given without early_stopping"),
        (
            {"early_stopping": "medianstop", "early_stopping_settings": {"start_step": 0}},
            "spec.earlyStopping.algorithmSettings[start_step]: got '0', expected an integer, at least 1",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_wrong_arguments(wrong, text):
    with pytest.raises(SpecError) as caught:
        katib.tune(**{"objective": bowl, "space": X, "max_trials": 2, "runner": "inline", **wrong})
    assert text in str(caught.value)


def test_everything_wrong_is_said_at_once():
    with pytest.raises(SpecError) as caught:
        katib.tune(bowl, X, max_trials=0, parallel=0, goal="low")
    assert [problem.path for problem in caught.value.problems] == ["max_trials", "parallel", "goal"]


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"algorithm": "bayesianoptimisation"}, "did you mean 'bayesianoptimization'?"),
        ({"early_stopping": "median"}, "did you mean 'medianstop'?"),
    ],
)
def test_unknown_names(wrong, text):
    with pytest.raises(UnknownNameError) as caught:
        katib.tune(bowl, X, max_trials=2, runner="inline", **wrong)
    assert text in str(caught.value)
    assert isinstance(caught.value, PermanentError)


@pytest.mark.parametrize(
    ("helper", "arguments", "text"),
    [
        (search.double, ("0", 1), "search.double: min: got '0', expected a finite number"),
        (search.double, (0, float("inf")), "search.double: max: got inf, expected a finite number"),
        (search.double, (0, 10**400), "search.double: max: got 1000"),
        (search.int, (1.5, 3), "search.int: min: got 1.5, expected an integer"),
        (search.int, (0, True), "search.int: max: got True, expected an integer"),
        (search.categorical, ("abc",), "search.categorical: list: got 'abc', expected a list"),
        (search.categorical, ([[1]],), "search.categorical: list: got [[1]], expected a list"),
        (search.categorical, ([float("nan")],), "search.categorical: list: got [nan], expected a list"),
    ],
)
def test_wrong_ranges(helper, arguments, text):
    with pytest.raises(SpecError) as caught:
        helper(*arguments)
    assert text in str(caught.value)


@RUNNERS
def test_numpy_numbers_are_numbers(runner):
    space = {
        "x": search.double(np.float32(0), np.int64(1)),
        "n": search.int(np.int64(1), np.int32(2)),
        "kind": search.categorical([np.int64(3), np.float64(0.5), np.str_("a")]),
    }

    def check(parameters):
        assert {type(value) for value in parameters.values()} <= {float, int, str, np.str_}
        return 1

    result = katib.tune(check, space, max_trials=np.int64(6), parallel=np.int64(2), seed=np.int64(1), runner=runner)
    assert {trial.state for trial in result.trials} == {TrialState.SUCCEEDED}


def test_it_learns_from_earlier_results():
    first = katib.tune(bowl, SPACE, max_trials=20, runner="inline", seed=1)
    wider = {**SPACE, "x": search.double(-50, 50), "more": search.int(1, 3)}
    second = katib.tune(lambda p: bowl(p) * 9 + p["more"], wider, max_trials=5, runner="inline", warm_start=[first])
    assert parameters_of(second)[0] == {**first.best_parameters, "more": 2}  # the middle of what is new
    assert len(second.trials) == 5


@pytest.mark.parametrize(
    ("warm_start", "said"),
    [
        pytest.param(["tune-1"], "warm_start: got ['tune-1'], expected a list of results", id="a-name"),
        pytest.param("first", "warm_start[0]: no trial of it has a value of f1", id="another-metric"),
    ],
)
def test_what_it_cannot_learn_from(warm_start, said):
    first = katib.tune(bowl, SPACE, max_trials=2, runner="inline")
    given = [first] if warm_start == "first" else warm_start
    with pytest.raises(SpecError) as caught:
        katib.tune(bowl, SPACE, max_trials=2, metric="f1", runner="inline", warm_start=given)
    assert said in str(caught.value)


@pytest.mark.requires("ray")
@pytest.mark.ray
@pytest.mark.slow
def test_a_ray_cluster_tries_what_this_machine_tries():
    from tests.trial_runners.ray_cluster import running_ray

    def tried(**where):
        result = katib.tune(bowl, SPACE, max_trials=6, algorithm="tpe", seed=3, **where)
        return [(trial.parameters, trial.observation["objective"].latest) for trial in result.trials]

    with running_ray(cpus=2) as address:
        ours = tried(runner="ray", ray=katib.RaySettings(address=address), resources={"cpu": 0.5})
    assert ours == tried(runner="process")
