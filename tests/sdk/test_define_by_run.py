"""``katib.tune`` without a space: the objective says what it needs as it goes."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from statistics import median

import numpy as np
import pytest

import katib
from katib import search
from katib.core.errors import SpecError
from katib.core.experiment import Budget, Verdict
from katib.core.trial import FailureClass, Key, TrialState
from katib.engine import lifecycle
from katib.storage import open_store

ROOT = Path(__file__).parents[2]
RUNNERS = pytest.mark.parametrize("runner", ["inline", "process"])
BRANCHES = {"svm": {"C", "gamma"}, "forest": {"depth", "fraction"}, "knn": {"k"}}


def branching(trial):
    """The best branch needs two numbers to be right before it is better than the second one."""
    model = trial.suggest_categorical("model", ["svm", "forest", "knn"])
    if model == "svm":
        cost = math.log10(trial.suggest_float("C", 1e-3, 1e3, log=True))
        gamma = math.log10(trial.suggest_float("gamma", 1e-4, 10, log=True))
        return 0.1 + 0.1 * (cost - 1.3) ** 2 + 0.1 * (gamma + 2) ** 2
    if model == "forest":
        depth, fraction = trial.suggest_int("depth", 1, 30), trial.suggest_float("fraction", 0.1, 1)
        return 0.3 + 0.01 * (depth - 12) ** 2 + (fraction - 0.6) ** 2
    return 0.8 + 0.02 * abs(trial.suggest_int("k", 1, 50) - 7)


def plain(trial):
    return (trial.suggest_float("x", -5, 5) - 1) ** 2 + trial.suggest_int("layers", 1, 4)


def parameters_of(result):
    return [dict(trial.parameters) for trial in result.trials]


def states_of(result):
    return Counter(trial.state for trial in result.trials)


def tune(objective, **arguments):
    return katib.tune(objective, **{"max_trials": 8, "runner": "inline", "algorithm": "random", "seed": 1, **arguments})


@RUNNERS
def test_values_have_their_types_and_keep_to_their_ranges(runner):
    def check(trial: katib.Trial):
        x = trial.suggest_float("x", 0, 1)
        rate = trial.suggest_float("rate", 1e-4, 1, log=True)
        half = trial.suggest_float("half", 0, 2, step=0.5)
        layers = trial.suggest_int("layers", 1, 4)
        units = trial.suggest_int("units", 8, 64, step=8)
        flag = trial.suggest_categorical("flag", [True, None, 3, 0.5, "a"])
        assert [type(value) for value in (x, rate, half, layers, units)] == [float, float, float, int, int]
        assert 0 <= x <= 1
        assert 1e-4 <= rate <= 1
        assert half in (0.0, 0.5, 1.0, 1.5, 2.0)
        assert layers in range(1, 5)
        assert units in range(8, 65, 8)
        assert any(flag is value for value in (True, None)) or flag in (3, 0.5, "a")
        assert trial.suggest_float("x", 0, 1) == x  # asked for again
        assert list(trial.parameters) == ["x", "rate", "half", "layers", "units", "flag"]
        return {"objective": x, "number": trial.number}

    result = tune(check, runner=runner, max_trials=12, parallel=2)
    assert [trial.reason for trial in result.trials if trial.reason] == []
    assert [trial.observation["number"].latest for trial in result.trials] == list(range(12))
    assert [p.name for p in result.experiment.spec.space] == list(parameters_of(result)[0])
    assert result.best_parameters["x"] == result.best_value


@pytest.mark.parametrize("algorithm", ["auto", "tpe", "bayesianoptimization", "random", "sobol"])
def test_the_same_seed_tries_the_same_whatever_runs_it(algorithm):
    first, second = (tune(branching, max_trials=14, algorithm=algorithm, runner=r) for r in ("inline", "process"))
    assert parameters_of(first) == parameters_of(second)
    assert states_of(first) == {TrialState.SUCCEEDED: 14}
    for trial in first.trials:
        assert set(trial.parameters) == {"model", *BRANCHES[trial.parameters["model"]]}
    assert parameters_of(tune(branching, max_trials=3, seed=2)) != parameters_of(first)[:3]


@pytest.mark.parametrize("algorithm", ["auto", "tpe"])
def test_branches_are_learned(algorithm):
    """Excess over the best value: random search has some 0.05 after 40 trials, a model hardly any."""
    searches, others = (
        [tune(branching, max_trials=40, algorithm=name, seed=seed) for seed in range(3)]
        for name in (algorithm, "random")
    )
    ours, theirs = ([result.best_value - 0.1 for result in results] for results in (searches, others))
    assert median(ours) < median(theirs) / 5
    assert max(ours) < median(theirs)
    shares = Counter(p["model"] for p in parameters_of(searches[1]))
    assert shares["svm"] > 20  # a third is what chance gives


def test_repeated_layers_are_there_as_often_as_they_are_used():
    def objective(trial):
        layers = trial.suggest_int("layers", 1, 3)
        units = [trial.suggest_int(f"units_{i}", 4, 64) for i in range(layers)]
        return sum(abs(u - 20) for u in units) / layers + abs(layers - 2)

    result = tune(objective, max_trials=30, algorithm="tpe")
    assert states_of(result) == {TrialState.SUCCEEDED: 30}
    assert all(len(p) == p["layers"] + 1 for p in parameters_of(result))
    assert result.best_value < 6


def test_it_is_kept_and_goes_on(tmp_path):
    where = {"store": f"sqlite:///{tmp_path}/searches.db", "name": "open", "algorithm": "tpe"}
    unbroken = tune(branching, max_trials=25, algorithm="tpe")
    first = tune(branching, max_trials=12, **where)
    assert tune(lambda trial: 1 / 0, max_trials=12, **where).trials == first.trials
    more = tune(branching, max_trials=25, **where)
    assert parameters_of(more) == parameters_of(unbroken)
    assert more.trials[:12] == first.trials
    with pytest.raises(SpecError, match="another space"):
        katib.tune(branching, {"x": search.double(0, 1)}, max_trials=12, seed=1, **where)


def test_a_revision_of_the_space_is_an_event(tmp_path):
    url = f"sqlite:///{tmp_path}/searches.db"
    result = tune(branching, max_trials=10, store=url, name="open")
    space = result.experiment.spec.space
    assert {p.name for p in space} == {"model", *set.union(*BRANCHES.values())}
    opened = open_store(url)
    told = [e.message for e in opened.store.events(Key("default", "open")) if e.reason == "SearchSpaceChanged"]
    opened.store.close()
    assert space.revision == len(told) == 3  # one branch each
    assert told[0].startswith("+ model, + ")


@RUNNERS
@pytest.mark.parametrize(
    ("other", "said"),
    [
        (lambda t: t.suggest_float("x", 0, 2), "suggest_float(0.0, 2.0)"),
        (lambda t: t.suggest_float("x", 5, 6), "suggest_float(5.0, 6.0)"),  # what was chosen is no value of this
        (lambda t: t.suggest_float("x", 0, 1, step=0.5), "suggest_float(0.0, 1.0, step=0.5)"),
        (lambda t: t.suggest_int("x", 0, 1), "suggest_int(0, 1)"),
        (lambda t: t.suggest_categorical("x", [0.5, "a"]), "suggest_categorical([0.5, 'a'])"),
    ],
    ids=["range", "disjoint", "step", "integer", "categorical"],
)
def test_one_name_is_one_parameter(runner, other, said):
    def objective(trial):
        x = other(trial) if trial.number == 2 else trial.suggest_float("x", 0, 1)
        return float(x == 0)

    result = tune(objective, max_trials=4, runner=runner)
    failed = result.trials[2]
    assert [t.state for t in result.trials if t is not failed] == [TrialState.SUCCEEDED] * 3
    assert (failed.state, failed.failure) == (TrialState.FAILED, FailureClass.USER_ERROR)
    assert f"'x' is {said} here, but was declared as suggest_float(0.0, 1.0)" in failed.reason
    assert len(result.experiment.spec.space) == 1


def test_within_a_trial_too():
    def objective(trial):
        return trial.suggest_float("x", 0, 1) + trial.suggest_float("x", 0, 2)

    (trial,) = tune(objective, max_trials=1).trials
    assert trial.state is TrialState.FAILED
    assert "'x' is suggest_float(0.0, 2.0) here, but was declared as suggest_float(0.0, 1.0)" in trial.reason


@pytest.mark.parametrize("same", [True, False])
def test_two_trials_declare_one_parameter_at_once(tmp_path, same):
    """Both have asked before either has reported."""

    def objective(trial):
        x = trial.suggest_float("x", 0, 1 if same else 1 + trial.number)
        (tmp_path / str(trial.number)).touch()
        end = time.monotonic() + 60
        while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < end:
            time.sleep(0.01)
        return x

    result = tune(objective, max_trials=2, parallel=2, runner="process")
    if same:
        assert states_of(result) == {TrialState.SUCCEEDED: 2}
    else:
        assert states_of(result) == {TrialState.SUCCEEDED: 1, TrialState.FAILED: 1}
        reasons = "".join(trial.reason for trial in result.trials)
        assert "suggest_float(0.0, 1.0)" in reasons
        assert "suggest_float(0.0, 2.0)" in reasons
    assert (len(result.experiment.spec.space), result.experiment.spec.space.revision) == (1, 1)


@RUNNERS
def test_a_failed_trial_keeps_what_it_had(runner):
    def objective(trial):
        x = trial.suggest_float("x", 0, 1)
        if x > 0.5:
            raise ValueError("too large")
        return x + 0 * trial.suggest_float("y", 0, 1)

    result = tune(objective, max_trials=30, algorithm="tpe", runner=runner)
    assert set(states_of(result)) == {TrialState.SUCCEEDED, TrialState.FAILED}
    assert all("x" in trial.parameters for trial in result.trials)
    assert all((t.parameters["x"] > 0.5) == (t.reason == "ValueError: too large") for t in result.trials)


@pytest.mark.parametrize("way", ["should_stop", "report"])
def test_it_is_stopped_early(way):
    def train(trial):
        base = trial.suggest_float("base", 0, 1)
        for step in range(12):
            bad = trial.number >= 3 and trial.number % 2 == 1
            time.sleep(0.02 if bad else 0)
            trial.report(base + (10 if bad else 0), step=step)
            for _ in range(100 if bad and step >= 5 else 0):  # until the stop is here
                time.sleep(0.05)
                if way == "should_stop" and trial.should_stop():
                    return None
                if way == "report":
                    trial.report({"nap": 1})
        return None

    settings = {"min_trials_required": 3, "start_step": 4}
    result = tune(train, max_trials=6, runner="process", early_stopping="medianstop", early_stopping_settings=settings)
    stopped = [trial.number for trial in result.trials if trial.state is TrialState.EARLY_STOPPED]
    assert stopped == [3, 5]
    assert all("base" in trial.parameters for trial in result.trials)


def test_metrics_and_objectives():
    def objective(trial):
        x = trial.suggest_float("x", 0, 1)
        trial.report({"loss": x, "size": 1 - x})

    targets = {"loss": "minimize", "size": "minimize"}
    result = tune(objective, max_trials=12, objectives=targets, algorithm="tpe", metric="loss")
    assert len(result.pareto_front) == 12
    assert result.best_trial.observation["loss"].minimum == min(p["x"] for p in parameters_of(result))


def test_a_goal_and_a_space_that_is_used_up_end_it():
    def objective(trial):
        return float(trial.suggest_int("n", 1, 3))

    assert tune(objective, max_trials=99, goal=1).experiment.status.verdict is Verdict.GOAL_REACHED
    result = tune(objective, max_trials=99)
    assert result.experiment.status.verdict is Verdict.SEARCH_EXHAUSTED
    assert sorted(p["n"] for p in parameters_of(result)) == [1, 2, 3]


@pytest.mark.parametrize("text", ["no declaration", '["x"]', "3"], ids=str)
@pytest.mark.parametrize("metric", ["katib/declared", "katib/used"])
def test_a_metric_of_our_names_harms_one_trial_at_most(metric, text):
    def objective(trial):
        x = trial.suggest_float("x", 0, 1)
        if trial.number == 1:
            from katib.report import Report, send

            send((Report(metric, None, text, 0.0),))
        return x

    result = tune(objective, max_trials=3)
    assert [result.trials[i].state for i in (0, 2)] == [TrialState.SUCCEEDED] * 2
    assert len(result.experiment.spec.space) == 1


PROGRAM = """
import sys, time
from pathlib import Path
import katib

URL, GO, OUT = sys.argv[1:]

def objective(trial):
    x = trial.suggest_float("x", 0, 1)
    trial.report({"begun": 1})
    y = trial.suggest_float("y", 0, 1)
    with Path(OUT).open("a") as file:
        file.write(f"{trial.number} {x!r} {y!r}\\n")
    if trial.number == 3 and not Path(GO).exists():
        time.sleep(600)
    return x + y

katib.tune(objective, max_trials=6, algorithm="random", store=URL, name="cut", seed=1)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill -9"])
def test_what_ran_runs_again_with_the_same_values(tmp_path, number):
    url, go, out = f"sqlite:///{tmp_path}/searches.db", tmp_path / "go", tmp_path / "out"
    command = [sys.executable, "-c", PROGRAM, url, str(go), str(out)]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while not out.exists() or len(out.read_text().splitlines()) < 4:
        assert time.monotonic() < end
        time.sleep(0.02)
    time.sleep(0.5)
    process.send_signal(number)
    process.wait(60)
    opened = open_store(url)
    lifecycle.set_budget(opened.store, Key("default", "cut"), Budget(1, 5))  # an edit that the next call undoes
    opened.store.close()
    go.touch()
    subprocess.run(command, cwd=ROOT, check=True, timeout=60)
    lines = out.read_text().splitlines()
    assert lines[3] == lines[4]
    assert [line.split()[0] for line in lines] == ["0", "1", "2", "3", "3", "4", "5"]


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"constraints": ["x < 1"]}, "constraints: got ['x < 1'], expected none without a space"),
        ({"initial": [{"x": 1}]}, "initial: got [{'x': 1}], expected none without a space"),
        ({"repeats": 2}, "repeats: got 2, expected 1 without a space"),
        ({"runner": "kubernetes"}, "runner: got 'kubernetes', expected 'process', 'inline' or 'ray' without a space"),
        ({"algorithm": "grid"}, "space: grid cannot use parameters that trials declare"),
        ({"algorithm": "cmaes"}, "space: cmaes cannot use parameters that trials declare"),
        ({"max_trials": 0}, "max_trials: got 0"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_what_needs_a_space(wrong, text):
    with pytest.raises(SpecError) as caught:
        tune(plain, **wrong)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("ask", "text"),
    [
        (lambda t: t.suggest_float("x", 2, 1), "parameter 'x': min 2 is greater than max 1"),
        (lambda t: t.suggest_float("x", 0, 1, log=True), "needs min > 0"),
        (lambda t: t.suggest_int("x", 0, 1.5), "parameter 'x': got 1.5, expected an integer"),
        (lambda t: t.suggest_categorical("x", []), "the list of values is empty"),
        (lambda t: t.suggest_categorical("x", [np.int64(1)]), "expected texts, numbers, booleans or None"),
        (lambda t: t.suggest_categorical("x", [float("nan")]), "expected texts, numbers, booleans or None"),
        (lambda t: t.suggest_float("", 0, 1), "expected the name of a parameter"),
    ],
)
def test_wrong_ranges_fail_the_trial(ask, text):
    (trial,) = tune(lambda t: ask(t) and 1.0, max_trials=1).trials
    assert trial.state is TrialState.FAILED
    assert text in trial.reason
    assert dict(trial.parameters) == {}


@pytest.mark.requires("ray")
@pytest.mark.ray
@pytest.mark.slow
def test_a_ray_cluster_tries_what_this_machine_tries():
    from tests.trial_runners.ray_cluster import running_ray

    with running_ray(cpus=2) as address:
        where = {"runner": "ray", "ray": katib.RaySettings(address=address), "resources": {"cpu": 0.5}}
        theirs = tune(branching, max_trials=8, algorithm="tpe", **where)
    assert parameters_of(theirs) == parameters_of(tune(branching, max_trials=8, algorithm="tpe"))
    assert os.environ.get("RAY_ADDRESS") is None
