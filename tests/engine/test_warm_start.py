"""New experiments that learn from former ones: what is copied, what is tried first, and that nothing else counts it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from katib.compose import Workshop
from katib.core.changes import Changes
from katib.core.constraints import Constraint
from katib.core.errors import SpecError
from katib.core.experiment import Budget, Component, ExperimentSpec
from katib.core.objective import Direction, Objective
from katib.core.space import Choice, Integer, Real, SearchSpace
from katib.core.trial import Key, TrialState
from katib.core.warm_start import WarmStart
from katib.engine import lifecycle
from katib.options import Options
from suggestion_service.server import serve

KEY = Key("default", "new")
SPACE = SearchSpace((Real("x", 0.0, 1.0), Choice("c", ("a", "b"))))
SPEC = ExperimentSpec(KEY, SPACE, Objective("loss"), Component("random"), Budget(1, 8), seed=9)


def loss(parameters):
    if parameters["x"] > 0.8:
        raise ValueError("beyond")
    return {"loss": (parameters["x"] - 0.3) ** 2 + (parameters["c"] == "b"), "accuracy": 1 - parameters["x"]}


@pytest.fixture(scope="module")
def address():
    server = serve("127.0.0.1:0")
    yield f"127.0.0.1:{server.port}"
    server.stop(grace=0)


@pytest.fixture
def open_workshop(tmp_path):
    opened = []

    def make(store="memory://", suggestion=""):
        options = Options(tmp_path, store, runner="inline", objective=loss, suggestion=suggestion)
        opened.append(Workshop(options))
        return opened[-1]

    yield make
    for workshop in opened:
        workshop.close()


def run(workshop, name, **fields):
    """Run an experiment to its end; its trials by number."""
    spec = replace(SPEC, key=Key("default", name), **fields)
    lifecycle.create(workshop.store, spec, {})
    workshop.controller().run(spec.key)
    return sorted(workshop.store.trials(spec.key), key=lambda trial: trial.number)


def learn(*names, **fields):
    return WarmStart(tuple(Key("default", name) for name in names), **fields)


def good(trials):
    return sorted((t for t in trials if t.state is TrialState.SUCCEEDED), key=lambda t: t.observation["loss"].latest)


def test_trials_are_copied_and_the_best_are_tried_first(open_workshop):
    workshop = open_workshop()
    former = run(workshop, "old", budget=Budget(1, 20), seed=1)
    assert any(trial.state is TrialState.FAILED for trial in former)
    trials = run(workshop, "new", warm_start=learn("old"))
    stored = workshop.store.get(KEY)
    (source,) = stored.spec.sources
    assert (source.key.name, source.finished) == ("old", 20)
    assert [copy.name for copy in source.trials] == [trial.name for trial in good(former)]
    assert all(copy.parameters["x"] <= 0.8 for copy in source.trials)
    assert trials[0].parameters == good(former)[0].parameters
    known = [trial.parameters for trial in former]
    assert [trial.parameters in known for trial in trials] == [True] * 3 + [False] * 5
    assert len(trials) == sum(stored.status.counts.values()) == 8  # the copies are no trials
    assert stored.status.best_value == min(t.observation["loss"].latest for t in good(trials))
    told = [event.message for event in workshop.store.events(KEY) if event.reason == "WarmStarted"]
    assert told == [f"learns from old ({len(source.trials)} of 20 trials)"]


def test_the_former_experiment_may_go(open_workshop):
    """Before the first trial runs; the copy is the experiment's own."""
    workshop = open_workshop()
    former = run(workshop, "old", budget=Budget(1, 20), seed=1)
    lifecycle.create(workshop.store, replace(SPEC, warm_start=learn("old")), {})
    workshop.store.commit(Changes(Key("default", "old"), delete=True))
    workshop.controller().run(KEY)
    first = workshop.store.trials(KEY)[0]
    assert first.parameters == good(former)[0].parameters


@pytest.mark.parametrize(
    "algorithm",
    [
        pytest.param(Component("random"), id="random"),
        pytest.param(Component("sobol"), id="sobol"),
        pytest.param(Component("hyperband", {"r_l": "9", "resource_name": "n"}), id="hyperband"),
        pytest.param(Component("pbt", {"n_population": "5", "truncation_threshold": "0.4"}), id="pbt"),
        pytest.param(Component("tpe", {"n_startup_trials": "5"}), id="tpe"),
        pytest.param(Component("bayesianoptimization"), id="bayesianoptimization"),
    ],
)
def test_the_same_trials_after_restarts_and_over_grpc(open_workshop, address, tmp_path, algorithm):
    space = SearchSpace((*SPACE, Integer("n", 1, 9)))

    def course(place, suggestion, restart):
        workshop = open_workshop(f"sqlite:///{tmp_path}/{place}.db", suggestion)
        run(workshop, "old", space=space, budget=Budget(1, 30), seed=1)
        spec = replace(SPEC, space=space, algorithm=algorithm, budget=Budget(1, 14), warm_start=learn("old"))
        lifecycle.create(workshop.store, spec, {})
        controller, steps = workshop.controller(), 0
        while controller.reconcile(KEY) is not None:
            controller.wait(KEY, 0.0)
            steps += 1
            assert steps < 500
            if restart and steps % 3 == 0:
                controller.close()
                controller = workshop.controller()
        return {trial.number: trial.parameters for trial in workshop.store.trials(KEY)}

    once = course("once", "", restart=False)
    assert len(once) == 14
    assert course("restarted", "", restart=True) == once
    assert course("remote", address, restart=True) == once


@pytest.mark.parametrize(
    ("objective", "best"),
    [
        pytest.param(Objective("loss", Direction.MAXIMIZE), max, id="other-direction"),
        pytest.param(Objective("accuracy", Direction.MAXIMIZE), max, id="other-metric-that-was-measured"),
    ],
)
def test_former_trials_are_valued_by_the_new_objective(open_workshop, objective, best):
    workshop = open_workshop()
    former = run(workshop, "old", budget=Budget(1, 20), seed=1)
    spec = replace(SPEC, objective=objective, warm_start=learn("old"))
    sources = lifecycle.create(workshop.store, spec, {}).spec.sources
    values = {t.name: t.observation[objective.metric].latest for t in good(former)}
    first = sources[0].trials[0]
    assert values[first.name] == best(values.values())
    assert objective.from_loss(first.losses[0]) == values[first.name]


def test_what_violates_a_constraint_on_metrics_is_no_example(open_workshop):
    workshop = open_workshop()
    run(workshop, "old", budget=Budget(1, 20), seed=1)
    objective = Objective("loss", constraints=(Constraint("accuracy < 0.5"),))
    spec = replace(SPEC, objective=objective, algorithm=Component("random"), warm_start=learn("old"))
    (source,) = lifecycle.create(workshop.store, spec, {}).spec.sources
    assert source.trials
    assert all(copy.parameters["x"] > 0.5 for copy in source.trials)


def test_the_selector_finds_what_fits(open_workshop):
    workshop = open_workshop()
    for name, metric, team in (("one", "loss", "a"), ("two", "accuracy", "a"), ("three", "loss", "b")):
        run(workshop, name, objective=Objective(metric), labels={"team": team})
    lifecycle.create(workshop.store, replace(SPEC, key=Key("default", "never-run"), labels={"team": "a"}), {})
    lifecycle.create(workshop.store, replace(SPEC, key=Key("other", "elsewhere"), labels={"team": "a"}), {})
    spec = replace(SPEC, labels={"team": "a"}, warm_start=learn("three", selector={"team": "a"}, max_trials=5))
    sources = lifecycle.create(workshop.store, spec, {}).spec.sources
    assert [source.key.name for source in sources] == ["three", "one", "two"]  # named ones first; "two" has loss too
    assert all(len(source.trials) <= 5 for source in sources)


def test_a_selector_may_find_nothing_yet(open_workshop):
    workshop = open_workshop()
    trials = run(workshop, "new", warm_start=learn(selector={"team": "z"}))
    assert len(trials) == 8
    assert "learns from no former experiment" in [event.message for event in workshop.store.events(KEY)]


def test_a_named_one_must_be_there_and_of_use(open_workshop):
    workshop = open_workshop()
    run(workshop, "old")
    lifecycle.create(workshop.store, replace(SPEC, key=Key("default", "never-run")), {})
    spec = replace(SPEC, objective=Objective("f1"), warm_start=learn("old", "gone", "never-run"))
    with pytest.raises(SpecError) as caught:
        lifecycle.create(workshop.store, spec, {})
    problems = {problem.path: problem.message for problem in caught.value.problems}
    assert problems == {
        "spec.warmStart.experiments[0]": "no trial of 'default/old' has a value of f1; it measures loss",
        "spec.warmStart.experiments[1]": "there is no experiment 'default/gone'",
        "spec.warmStart.experiments[2]": "no trial of 'default/never-run' has a value of f1; it measures loss",
    }


def test_runs_of_the_same_parameters_are_one_example(open_workshop):
    workshop = open_workshop()
    run(workshop, "old", objective=Objective("loss", repeats=2), budget=Budget(1, 8), seed=3)
    spec = replace(SPEC, warm_start=learn("old"))
    (source,) = lifecycle.create(workshop.store, spec, {}).spec.sources
    points = [tuple(copy.parameters.items()) for copy in source.trials]
    assert (len(points), len(set(points)), source.finished) == (4, 4, 8)
