"""The automatic choice: which algorithm where, and that changing it on the way does no harm."""

from __future__ import annotations

import statistics
from dataclasses import replace
from typing import Any

import pytest

from algorithms import ALGORITHMS, choices_of, create_algorithm, features_of
from algorithms.auto import ALGORITHM, LINES, RULE, Auto
from algorithms.cma_replay import GENERATION, KNOWN
from algorithms.features import Feature
from katib.core.constraints import Constraint
from katib.core.errors import SpecError
from katib.core.experiment import Budget, Component, ExperimentSpec
from katib.core.history import History
from katib.core.objective import Objective, Target
from katib.core.space import Choice, Condition, Integer, Ordinal, Real, SearchSpace
from katib.core.trial import Key, Suggestion, TrialState
from tests.algorithms.problems import BENT, LATTICE, MIXED, SQUARE, TREE, bent, mixed
from tests.contracts.simulation import Function, Simulation

TINY = SearchSpace((Integer("a", 0, 2), Ordinal("b", (1, 2, 4))))
HALF = SearchSpace((Real("x", 0, 1), Real("y", 0, 1), Choice("c", tuple("abc")), Choice("d", tuple("abc"))))
MOSTLY_WORDS = SearchSpace((Real("x", 0, 1), *(Choice(f"c{i}", tuple("abcdefgh")) for i in range(6))))
LINE = SearchSpace((Real("x", 0, 1), Integer("n", 3, 3)))
DENSE = SearchSpace((Integer("a", 0, 8), Integer("b", 0, 10)))
WIDE = SearchSpace(tuple(Real(f"p{i}", 0, 1) for i in range(101)))
FEW = Component("auto", {"many_trials": "10"})


def spec_of(space: SearchSpace = SQUARE, budget: Budget | None = None, **changes: Any) -> ExperimentSpec:
    spec = ExperimentSpec(Key("d", "e"), space, Objective("loss"), Component("auto"), budget or Budget(4, 5000), seed=3)
    return replace(spec, **changes)


def known(spec: ExperimentSpec, count: int, function: Function = lambda p: 1.0, fate: str = "Succeeded") -> Simulation:
    """An experiment with ``count`` finished trials of no algorithm."""
    simulation = Simulation(spec, function)
    steps = [(0.5 + 0.618034 * i) % 1 for i in range(count)]
    points = [[(step * (place + 1)) % 1 for place in range(len(spec.space))] for step in steps]
    for trial in simulation.start([Suggestion(spec.space.from_unit(point)) for point in points]):
        simulation.evaluate(trial.number, TrialState(fate))
    return simulation


def chosen(spec: ExperimentSpec, history: History) -> tuple[str, str]:
    algorithm = create_algorithm(spec)
    assert isinstance(algorithm, Auto)
    choice = algorithm.choice(history)
    return choice.rule, choice.algorithm


@pytest.mark.parametrize(
    ("spec", "finished", "rule"),
    [
        pytest.param(spec_of(), 0, "default", id="nothing is known"),
        pytest.param(spec_of(MIXED), 0, "default", id="mixed"),
        pytest.param(spec_of(TREE), 0, "default", id="conditional"),
        pytest.param(spec_of(TINY), 0, "few-points", id="nine points"),
        pytest.param(spec_of(TINY, algorithm=Component("auto", {"few_points": "8"})), 0, "default", id="of eight"),
        pytest.param(spec_of(LATTICE, Budget(10_000)), 0, "few-points", id="a worker for each point"),
        pytest.param(spec_of(budget=Budget(16, 16)), 0, "one-round", id="one round"),
        pytest.param(spec_of(budget=Budget(16, 12)), 0, "one-round", id="less than a round"),
        pytest.param(spec_of(budget=Budget(16, 17)), 0, "default", id="one more than a round"),
        pytest.param(spec_of(budget=Budget(16)), 0, "default", id="no limit"),
        pytest.param(spec_of(algorithm=FEW), 9, "default", id="not yet many"),
        pytest.param(spec_of(algorithm=FEW), 10, "many-trials", id="many"),
        pytest.param(spec_of(MIXED, algorithm=FEW), 10, "many-trials", id="many, mixed"),
        pytest.param(spec_of(HALF, algorithm=FEW), 10, "many-trials", id="many, half of it numeric"),
        pytest.param(spec_of(MOSTLY_WORDS, algorithm=FEW), 10, "default", id="many, mostly categories"),
        pytest.param(spec_of(LINE, algorithm=FEW), 10, "default", id="many, one parameter"),
        pytest.param(spec_of(WIDE, algorithm=FEW), 10, "default", id="many, 101 parameters"),
        pytest.param(spec_of(TREE, algorithm=FEW), 10, "default", id="many, conditional"),
        pytest.param(spec_of(algorithm=FEW, budget=Budget(4, 11)), 10, "default", id="many, and the end is near"),
        pytest.param(spec_of(algorithm=FEW, budget=Budget(4, 12)), 10, "many-trials", id="many, and enough to come"),
        pytest.param(spec_of(algorithm=FEW, budget=Budget(4)), 10, "many-trials", id="many, and no limit"),
        pytest.param(
            spec_of(SearchSpace((Integer("a", 0, 8), Integer("b", 0, 10))), algorithm=FEW),
            10,
            "default",
            id="99 points",
        ),
        pytest.param(
            spec_of(algorithm=FEW, objective=Objective("loss", constraints=(Constraint("loss > 2"),))),
            10,
            "many-trials",
            id="many, with an outcome constraint",
        ),
    ],
)
def test_the_choice(spec: ExperimentSpec, finished: int, rule: str) -> None:
    simulation = known(spec, finished)
    (expected,) = (line.algorithm for line in LINES if line.rule == rule)
    assert chosen(spec, simulation.history) == (rule, expected)
    assert chosen(spec, simulation.restarted()) == (rule, expected)
    assert create_algorithm(spec).suggest(simulation.history, 1).suggestions


@pytest.mark.parametrize(
    ("operations", "changes", "rule"),
    [
        pytest.param(("nor_conv_3x3", "skip_connect"), {}, "architectures", id="networks"),
        pytest.param(("nor_conv_3x3",), {}, "few-points", id="one network"),
        pytest.param(
            ("nor_conv_3x3", "none"), {"objective": Objective("loss", others=(Target("size"),))}, "default",
            id="a trade-off",
        ),
    ],
)  # fmt: skip
def test_the_choice_where_networks_are_searched(
    operations: tuple[str, ...], changes: dict[str, Any], rule: str
) -> None:
    nas = {"graphConfig": {"numLayers": 1}, "operations": [{"operationType": name} for name in operations]}
    spec = spec_of(SearchSpace(), nas=nas, **changes)
    (suggestion,) = create_algorithm(spec).suggest(History(spec.space, spec.objective), 1).suggestions
    assert suggestion.labels[RULE] == rule
    assert list(suggestion.parameters) == ["architecture"]


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        pytest.param({"many_trials": "9"}, "[many_trials]: got '9', expected an integer, at least 10"),
        pytest.param({"few_points": "some"}, "[few_points]: got 'some', expected an integer, at least 1"),
        pytest.param({"n_initial_points": "5"}, "[n_initial_points]: auto has no such setting"),
    ],
)
def test_bad_settings(settings: dict[str, str], complaint: str) -> None:
    with pytest.raises(SpecError) as caught:
        create_algorithm(spec_of(algorithm=Component("auto", settings)))
    assert "spec.algorithm.algorithmSettings" + complaint in str(caught.value)


def test_failed_trials_do_not_count() -> None:
    assert chosen(spec_of(algorithm=FEW), known(spec_of(algorithm=FEW), 30, fate="Failed").history)[0] == "default"


def test_repeated_runs_count_once() -> None:
    spec = spec_of(algorithm=FEW, objective=Objective("loss", repeats=2), budget=Budget(4, 23))
    assert chosen(spec, known(spec, 10).history)[0] == "default"  # a limit of eleven points
    spec = replace(spec, budget=Budget(4, 24))
    runs = known(spec, 10)
    assert chosen(spec, runs.history)[0] == "default"  # half of the runs have finished
    for trial in runs.start([Suggestion(runs.history.trials[number].parameters) for number in range(10)]):
        runs.evaluate(trial.number)
    assert chosen(spec, runs.history)[0] == "many-trials"


@pytest.mark.parametrize("feature", list(Feature))
def test_whatever_the_model_cannot_use_another_can(feature: Feature, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("algorithms.auto.features_of", lambda name: features_of(name) - {feature})
    objective = Objective("loss")
    condition = Real("rate", 0, 1, condition=Condition("c", ("a",)))
    asking = {
        Feature.CONDITIONS: spec_of(SearchSpace((*HALF, condition))),
        Feature.CONSTRAINTS: spec_of(replace(SQUARE, constraints=(Constraint("x < y"),))),
        Feature.OUTCOME_CONSTRAINTS: spec_of(objective=replace(objective, constraints=(Constraint("loss > 1"),))),
        Feature.OBJECTIVES: spec_of(objective=replace(objective, others=(Target("size"),))),
        Feature.REPEATS: spec_of(objective=replace(objective, repeats=2)),
        Feature.WIDENING: spec_of(replace(SQUARE, revision=1)),
        Feature.DECLARED: spec_of(replace(SQUARE, open=True)),
    }
    assert chosen(asking[feature], History(asking[feature].space, asking[feature].objective))[0] == "no-model"
    few = replace(asking[feature], algorithm=FEW)
    assert chosen(few, known(few, 20).history)[0] == "no-model"  # what cmaes cannot use either


def test_every_choice_exists_and_can_use_all_that_only_it_is_left_for() -> None:
    assert {line.algorithm for line in LINES} <= set(ALGORITHMS)
    assert [choice.rule for choice in choices_of("auto")] == [line.rule for line in LINES]
    assert choices_of("tpe") == choices_of("medianstop") == ()
    for name in ("sobol", "multivariate-tpe"):
        assert features_of(name) == frozenset(Feature)
    assert features_of("grid") == frozenset(Feature) - {Feature.DECLARED}  # so few points of these are not its own


@pytest.mark.parametrize(
    ("spec", "settings"),
    [
        (spec_of(TINY), {}),
        (spec_of(budget=Budget(6, 6)), {}),
        (spec_of(algorithm=FEW), {"restart_strategy": "bipop"}),
    ],
    ids=["grid", "sobol", "cmaes"],
)
def test_it_suggests_what_the_chosen_one_does(spec: ExperimentSpec, settings: dict[str, str]) -> None:
    simulation = known(spec, 10 if spec.algorithm == FEW else 0)
    rule, name = chosen(spec, simulation.history)
    alone = replace(spec, algorithm=Component(name, settings), budget=Budget(4))
    expected = create_algorithm(alone).suggest(simulation.history, 4).suggestions
    answer = create_algorithm(spec).suggest(simulation.history, 4).suggestions
    assert [suggestion.parameters for suggestion in answer] == [suggestion.parameters for suggestion in expected]
    for mine, theirs in zip(answer, expected, strict=True):
        assert mine.labels == {**theirs.labels, ALGORITHM: name, RULE: rule}


def test_the_seed_reaches_the_chosen_one() -> None:
    specs = [spec_of(budget=Budget(4, 4), algorithm=Component("auto", {"random_state": seed})) for seed in ("1", "2")]
    specs.append(spec_of(budget=Budget(4, 4), seed=1))
    history = History(SQUARE, specs[0].objective)
    first, second, third = (create_algorithm(spec).suggest(history, 4) for spec in specs)
    assert first != second
    assert first == third


@pytest.mark.parametrize(("space", "function"), [(BENT, bent), (MIXED, mixed)], ids=["numeric", "mixed"])
def test_after_a_change_on_the_way_it_goes_on_from_the_best(space: SearchSpace, function: Function) -> None:
    """Trials of the other algorithm have no generation; those that were running at the change finish after it."""
    gains = []
    for seed in range(3):
        spec = spec_of(space, algorithm=Component("auto", {"many_trials": "60", "random_state": str(seed)}))
        simulation = known(spec, 59, function)
        simulation.start([Suggestion(space.from_unit([u] * len(space))) for u in (0.21, 0.55, 0.8)])
        algorithm = create_algorithm(spec)
        simulation.evaluate(59)
        simulation.run(algorithm, 180, parallel=4, order=seed)
        trials = [simulation.history.trials[number] for number in range(62, 180)]
        assert {trial.labels[ALGORITHM] for trial in trials} == {"cmaes"}
        assert {trial.labels.get(KNOWN, "60") for trial in trials} == {"60"}
        assert sum(GENERATION in trial.labels for trial in trials) > 100
        assert create_algorithm(spec).suggest(simulation.restarted(), 2) == algorithm.suggest(simulation.history, 2)
        before = statistics.median(function(simulation.history.trials[number].parameters) for number in range(59))
        gains.append(statistics.median(function(trial.parameters) for trial in trials[-40:]) / before)
    assert statistics.median(gains) < 0.2


def test_an_edited_budget_may_change_the_choice_and_the_search_goes_on() -> None:
    spec = spec_of(MIXED, Budget(8, 8))
    simulation = Simulation(spec, mixed)
    simulation.run(create_algorithm(spec), 8, parallel=8)
    larger = replace(spec, budget=Budget(4, 40), algorithm=Component("auto", {"many_trials": "10"}))
    simulation.run(create_algorithm(larger), 25, parallel=4, order=1)
    rules = [simulation.history.trials[number].labels[RULE] for number in range(25)]
    assert rules[:8] == ["one-round"] * 8
    assert sorted(set(rules), key=rules.index) == ["one-round", "default", "many-trials"]
    assert len({simulation.history.point(t.parameters) for t in simulation.history.trials.values()}) == 25
