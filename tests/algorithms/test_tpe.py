"""TPE: Katib's settings of both its engines, and what becomes of each kind of trial."""

from __future__ import annotations

import statistics
from collections.abc import Mapping

import pytest

from algorithms import create_algorithm
from algorithms.optuna_tpe import _good
from katib.core.errors import SpecError
from katib.core.history import History
from katib.core.space import Real, SearchSpace
from katib.core.trial import Key, Proposal, TrialState
from katib.core.warm_start import FormerTrial, Source
from tests.algorithms.problems import PLANE, SQUARE, TREE, simulate, tree, valley
from tests.contracts.simulation import Simulation

BOTH = pytest.mark.parametrize("algorithm", ["tpe", "multivariate-tpe"])


def answer(algorithm: str, settings: Mapping[str, str], trials: int = 30, count: int = 3) -> Proposal:
    """What is suggested after ``trials`` trials of random search."""
    simulation = simulate("random")
    simulation.run(create_algorithm(simulation.spec), trials)
    searcher = create_algorithm(simulate(algorithm, settings=settings).spec)
    return searcher.suggest(simulation.history, count)


@BOTH
@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        pytest.param({"n_startup_trials": "-1"}, "[n_startup_trials]: got '-1', expected an integer, at least 0"),
        pytest.param({"n_ei_candidates": "0"}, "[n_ei_candidates]: got '0', expected an integer, at least 1"),
        pytest.param({"n_EI_candidates": "x"}, "[n_EI_candidates]: got 'x', expected an integer, at least 1"),
        pytest.param({"gamma": "0"}, "[gamma]: got '0', expected a number, greater than 0, less than 1"),
        pytest.param({"gamma": "1"}, "[gamma]: got '1', expected a number, greater than 0, less than 1"),
        pytest.param({"gamma": "nan"}, "[gamma]: got 'nan'"),
        pytest.param({"prior_weight": "0"}, "[prior_weight]: got '0', expected a number, greater than 0"),
        pytest.param({"random_state": "-3"}, "[random_state]: got '-3', expected an integer, at least 0"),
        pytest.param({"gama": "0.5"}, "[gama]: ALGORITHM has no such setting (did you mean 'gamma'?)"),
        pytest.param(
            {"n_ei_candidates": "9", "n_EI_candidates": "8"}, "[n_EI_candidates]: differs from n_ei_candidates"
        ),
    ],
)
def test_bad_settings(algorithm: str, settings: Mapping[str, str], complaint: str) -> None:
    with pytest.raises(SpecError) as caught:
        create_algorithm(simulate(algorithm, settings=settings).spec)
    assert "spec.algorithm.algorithmSettings" + complaint.replace("ALGORITHM", algorithm) in str(caught.value)


@BOTH
@pytest.mark.parametrize(
    ("settings", "same"),
    [
        pytest.param({"n_EI_candidates": "7"}, {"n_ei_candidates": "7"}, id="two names of one setting"),
        pytest.param({"n_EI_candidates": "7", "n_ei_candidates": "7"}, {"n_ei_candidates": "7"}, id="both names"),
        pytest.param({"n_ei_candidates": "24", "prior_weight": "1", "n_startup_trials": "10"}, {}, id="defaults"),
        pytest.param({"random_state": "0"}, {}, id="the experiment's seed"),
    ],
)
def test_settings_that_mean_the_same(algorithm: str, settings: Mapping[str, str], same: Mapping[str, str]) -> None:
    assert answer(algorithm, settings) == answer(algorithm, same)


@BOTH
@pytest.mark.parametrize(
    "settings",
    [
        {"n_ei_candidates": "1"},
        {"gamma": "0.9"},
        {"prior_weight": "50"},
        {"random_state": "1"},
        {"n_startup_trials": "31"},
    ],
    ids=str,
)
def test_every_setting_matters(algorithm: str, settings: Mapping[str, str]) -> None:
    assert answer(algorithm, settings) != answer(algorithm, {})


@pytest.mark.parametrize(
    ("gamma", "trials", "good"),
    [(0.25, 10, 1), (0.25, 100, 3), (0.25, 10**6, 25), (0.5, 100, 5), (0.01, 1, 1)],
)
def test_hyperopts_rule_of_good_trials(gamma: float, trials: int, good: int) -> None:
    assert _good(gamma, trials) == good


@BOTH
@pytest.mark.parametrize("parallel", [1, 9])
def test_the_model_sets_in_when_enough_trials_have_a_value(algorithm: str, parallel: int) -> None:
    sobol = simulate("sobol")
    sobol.run(create_algorithm(sobol.spec), 40)
    simulation = simulate(algorithm, settings={"n_startup_trials": "6"})
    searcher = create_algorithm(simulation.spec)
    with_value = 0
    for trial in simulation.start(searcher.suggest(simulation.history, parallel).suggestions):
        assert trial.parameters == sobol.history.trials[trial.number].parameters
    while len(simulation.history) < 30:
        failed = len(simulation.history) % 3 == 0
        simulation.evaluate(simulation.running[0].number, TrialState.FAILED if failed else TrialState.SUCCEEDED)
        with_value += not failed
        (trial,) = simulation.start(searcher.suggest(simulation.history, 1).suggestions)
        assert (trial.parameters == sobol.history.trials[trial.number].parameters) == (with_value < 6)


def searched(algorithm: str, state_of_left_half: TrialState) -> Simulation:
    """Values are far better in the left half of the square, and its trials all end in the given state."""
    simulation = simulate(algorithm, SQUARE, lambda p: float(p["x"]) + (p["x"] > 0.5))
    searcher = create_algorithm(simulation.spec)
    for number in range(50):
        (trial,) = simulation.start(searcher.suggest(simulation.history, 1).suggestions)
        simulation.evaluate(number, state_of_left_half if trial.parameters["x"] < 0.5 else TrialState.SUCCEEDED)
    return simulation


@BOTH
@pytest.mark.parametrize(
    ("state", "least", "most"),
    [
        pytest.param(TrialState.SUCCEEDED, 24, 30, id="succeeded"),
        pytest.param(TrialState.EARLY_STOPPED, 0, 20, id="early stopped ranks behind"),
        pytest.param(TrialState.FAILED, 0, 20, id="failed"),
        pytest.param(TrialState.METRICS_UNAVAILABLE, 0, 20, id="no metric"),
    ],
)
def test_what_becomes_of_trials(algorithm: str, state: TrialState, least: int, most: int) -> None:
    trials = searched(algorithm, state).history.trials
    assert least <= sum(float(trials[number].parameters["x"]) < 0.5 for number in range(20, 50)) <= most


@BOTH
def test_of_the_early_stopped_the_longest_run_is_the_best(algorithm: str) -> None:
    simulation = simulate(algorithm, SearchSpace((Real("x", 0, 1),)), settings={"n_startup_trials": "2"})
    searcher = create_algorithm(simulation.spec)
    while len(simulation.history) < 60:
        (trial,) = simulation.start(searcher.suggest(simulation.history, 1).suggestions)
        simulation.report(trial.number, *[1.0] * (9 if trial.parameters["x"] > 0.6 else 2))
        simulation.finish(trial.number, TrialState.EARLY_STOPPED)
    later = [float(simulation.history.trials[number].parameters["x"]) for number in range(20, 60)]
    assert sum(x > 0.6 for x in later) >= 25  # 16 by chance


@BOTH
def test_a_condition_leaves_what_it_hides_out_of_the_model(algorithm: str) -> None:
    simulation = simulate(algorithm, TREE, tree)
    simulation.run(create_algorithm(simulation.spec), 80, parallel=2, order=1)
    later = [simulation.history.trials[number].parameters for number in range(40, 80)]
    deep = [p for p in later if p["kind"] == "deep"]
    assert len(deep) > 25
    assert sum(abs(p["rate"] - 0.3) < 0.2 for p in deep) > len(deep) / 2


@BOTH
def test_trials_outside_a_narrower_space_are_left_out(algorithm: str) -> None:
    wide = simulate("random", PLANE, valley)
    wide.run(create_algorithm(wide.spec), 30)
    narrow = SearchSpace((Real("x", 0.01, 1.0), Real("y", -1.0, 0.0)))
    simulation = simulate(algorithm, narrow, valley, {"n_startup_trials": "1"})
    for trial in wide.history.trials.values():
        simulation.history.record(trial)
    suggestions = create_algorithm(simulation.spec).suggest(simulation.history, 4).suggestions
    assert all(narrow.contains(s.parameters) for s in suggestions)


@BOTH
@pytest.mark.parametrize(
    ("sign", "learned"), [pytest.param(1, True, id="alike"), pytest.param(-1, False, id="opposite")]
)
def test_former_experiments_are_learned_from_where_own_trials_confirm_them(
    algorithm: str, sign: int, learned: bool
) -> None:
    old = simulate("random")
    old.run(create_algorithm(old.spec), 60)
    former = [FormerTrial(t.name, t.parameters, (sign * valley(t.parameters),)) for t in old.history.finished]
    simulation, plain = simulate(algorithm, seed=3), simulate(algorithm, seed=3)
    source = Source(Key("d", "old"), tuple(former), 60)
    simulation.history = History(PLANE, simulation.spec.objective, sources=(source,))
    for each in (simulation, plain):
        each.run(create_algorithm(each.spec), 9)
    tried, start = ([s.history.trials[number].parameters for number in range(9)] for s in (simulation, plain))
    assert (tried != start) is learned
    if learned:
        assert statistics.median(map(valley, tried[6:])) < statistics.median(map(valley, start[6:]))
