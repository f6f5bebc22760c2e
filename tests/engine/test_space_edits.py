"""The search space of a living experiment changes: with real algorithms, in process, over gRPC and across restarts."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from katib.compose import Workshop
from katib.core.errors import ConflictError, SpecError
from katib.core.experiment import Budget, Component, ExperimentSpec, ResumePolicy, Verdict
from katib.core.objective import Objective
from katib.core.space import Choice, Integer, Ordinal, Real, SearchSpace
from katib.core.trial import Key, TrialState
from katib.engine import lifecycle
from katib.engine.space_edits import with_space
from katib.options import Options
from suggestion_service.server import serve

KEY = Key("default", "exp")
OLD = SearchSpace((Real("x", 0.0, 1.0, step=0.125), Ordinal("n", (1, 2, 3)), Choice("c", ("a", "b"))))
NEW = SearchSpace((Real("x", 0.0, 4.0, step=0.125), Ordinal("n", (1, 2, 3, 4)), Choice("c", ("a", "b", "z"))))
SPEC = ExperimentSpec(
    KEY, OLD, Objective("objective"), Component("random"), Budget(1, 16), seed=4, resume_policy=ResumePolicy.NEVER
)
ALGORITHMS = {
    "random": Component("random"),
    "grid": Component("grid"),
    "sobol": Component("sobol"),
    "tpe": Component("tpe", {"n_startup_trials": "4"}),
    "cmaes": Component("cmaes", {"population_size": "4", "sigma": "0.4"}),
    "auto": Component("auto", {"many_trials": "10"}),
    "pbt": Component("pbt", {"n_population": "5", "truncation_threshold": "0.4"}),
    "bayesianoptimization": Component("bayesianoptimization", {"n_initial_points": "4"}),
}


def loss(parameters) -> float:
    return (parameters["x"] - 3.1) ** 2 + (parameters["c"] != "z") + parameters["n"] / 10


@pytest.fixture(autouse=True)
def look_at_once(monkeypatch):
    """Owners look for edits at every step."""
    monkeypatch.setattr("katib.engine.controller.LOOK_SECONDS", 0.0)


@pytest.fixture(scope="module")
def address():
    server = serve("127.0.0.1:0")
    yield f"127.0.0.1:{server.port}"
    server.stop(grace=0)


@pytest.fixture
def open_workshop(tmp_path):
    """Workshops that run functions in this thread; closed at the end."""
    opened = []

    def make(objective=loss, suggestion=""):
        options = Options(tmp_path, "memory://", runner="inline", objective=objective, suggestion=suggestion)
        opened.append(Workshop(options))
        return opened[-1]

    yield make
    for workshop in opened:
        workshop.close()


def change_space(workshop, space, **fields):
    """Write another space, as any process may."""
    spec = replace(SPEC, space=space, **fields)
    return lifecycle.edit(workshop.store, KEY, lambda old: with_space(old, spec, {"spec": "new"}))


def run(workshop, spec, edits, restart_every=0):
    """Run to the end; ``edits``: the space to change to when so many trials have finished."""
    lifecycle.create(workshop.store, spec, {})
    controller, steps, due = workshop.controller(), 0, dict(edits)
    while controller.reconcile(KEY) is not None:
        steps += 1
        assert steps < 500
        controller.wait(KEY, 0.0)
        finished = sum(trial.state.finished for trial in workshop.store.trials(KEY))
        for count in [count for count in due if count <= finished]:
            change_space(workshop, due.pop(count))
        if restart_every and steps % restart_every == 0:
            controller.close()
            controller = workshop.controller()
    controller.close()
    return {trial.number: trial.parameters for trial in workshop.store.trials(KEY)}


@pytest.mark.parametrize("name", ALGORITHMS)
def test_the_same_trials_with_restarts_and_over_grpc(open_workshop, address, name):
    spec, edits = replace(SPEC, algorithm=ALGORITHMS[name]), {5: NEW, 11: OLD}
    once = run(open_workshop(), spec, edits)
    assert len(once) == 16
    assert all(OLD.contains(once[number]) for number in (*range(5), *range(12, 16)))
    assert all(NEW.contains(point) for point in once.values())
    assert any(not OLD.contains(once[number]) for number in range(6, 11)), "the wider space is not used"
    for every in (2, 3):
        assert run(open_workshop(), spec, edits, restart_every=every) == once
    assert run(open_workshop(suggestion=address), spec, edits, restart_every=4) == once
    assert run(open_workshop(suggestion=address), spec, edits) == once


def test_its_story_and_revision(open_workshop):
    workshop = open_workshop()
    run(workshop, SPEC, {3: NEW, 6: OLD})
    experiment = workshop.store.get(KEY)
    assert (experiment.spec.space.revision, experiment.document) == (2, {"spec": "new"})
    told = [event.message for event in workshop.store.events(KEY) if event.reason == "SearchSpaceChanged"]
    assert told == ["x: max 1 -> 4, n: + 4, c: + z", "x: max 4 -> 1, n: - 4, c: - z"]


def test_trials_outside_count_and_may_be_best(open_workshop):
    """After five trials the space shrinks to where no value is good."""
    workshop = open_workshop()
    spec = replace(SPEC, space=NEW, budget=Budget(2, 12))
    points = run(workshop, spec, {5: OLD})
    experiment = workshop.store.get(KEY)
    outside = {number for number, point in points.items() if not OLD.contains(point)}
    assert outside
    assert experiment.status.counts == {TrialState.SUCCEEDED: 12}
    assert experiment.status.best == min(points, key=lambda number: loss(points[number]))
    assert experiment.status.best in outside


def test_an_exhausted_search_goes_on_when_there_is_more(open_workshop):
    """The edit comes while the last trials run: nothing new had been left to propose."""
    workshop = open_workshop()
    small = SearchSpace((Ordinal("n", (1, 2, 3)),))
    large = SearchSpace((Ordinal("n", (1, 2, 3, 4, 5)),))

    def objective(parameters):
        if parameters["n"] == 3 and workshop.store.get(KEY).spec.space.revision == 0:
            change_space(workshop, large)
        return parameters["n"]

    workshop.options = replace(workshop.options, objective=objective)
    points = run(workshop, replace(SPEC, space=small, budget=Budget(3, 10)), {})
    assert Counter(point["n"] for point in points.values()) == Counter(range(1, 6))
    assert workshop.store.get(KEY).status.verdict is Verdict.SEARCH_EXHAUSTED


def test_two_editors_do_not_undo_each_other_unseen(open_workshop):
    workshop = open_workshop()
    lifecycle.create(workshop.store, SPEC, {})
    seen = workshop.store.get(KEY).spec.space
    change_space(workshop, NEW)
    mine = replace(SPEC, space=SearchSpace((replace(OLD["x"], high=2.0), OLD["n"], OLD["c"])))
    with pytest.raises(ConflictError, match="somebody else"):
        lifecycle.edit(workshop.store, KEY, lambda old: with_space(old, mine, {}, seen=seen))
    assert workshop.store.get(KEY).spec.space == replace(NEW, revision=1)


@pytest.mark.parametrize(
    ("policy", "ends", "refused"),
    [
        pytest.param(ResumePolicy.NEVER, Budget(1, 2), True, id="never"),
        pytest.param(ResumePolicy.LONG_RUNNING, Budget(1, 2), False, id="long-running"),
        pytest.param(ResumePolicy.LONG_RUNNING, Budget(1, None), True, id="exhausted"),
    ],
)
def test_a_finished_experiment_follows_the_restart_rule(open_workshop, policy, ends, refused):
    workshop = open_workshop(lambda parameters: parameters["n"])
    small, large = SearchSpace((Integer("n", 1, 3),)), SearchSpace((Integer("n", 1, 6),))
    run(workshop, replace(SPEC, space=small, budget=ends, resume_policy=policy), {})
    if refused:
        with pytest.raises(SpecError, match=r"spec\.parameters: cannot be changed, the experiment is over"):
            change_space(workshop, large)
        return
    change_space(workshop, large)
    lifecycle.set_budget(workshop.store, KEY, Budget(1, 6))
    workshop.controller().run(KEY)
    assert sorted(trial.parameters["n"] for trial in workshop.store.trials(KEY)) == [1, 2, 3, 4, 5, 6]


def test_an_algorithm_that_cannot_refuses_with_its_reason(open_workshop):
    workshop = open_workshop()
    algorithm = Component("hyperband", {"r_l": "9", "resource_name": "n"})
    spec = replace(SPEC, algorithm=algorithm)
    workshop.check(spec)
    with pytest.raises(SpecError, match="hyperband cannot use a search space that widens"):
        workshop.check(replace(spec, space=replace(NEW, revision=1)))
