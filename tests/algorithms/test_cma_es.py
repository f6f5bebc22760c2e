"""CMA-ES: generations and restarts worked out from the history, and every kind of parameter."""

from __future__ import annotations

import math
import statistics
import warnings
from collections.abc import Mapping
from dataclasses import replace

import pytest

from algorithms import create_algorithm
from algorithms.cma_distribution import CatCMADistribution
from algorithms.cma_replay import DRAW, GENERATION, Replay, Restarts, Spent, Start
from katib.core.errors import SpecError
from katib.core.space import Choice, Integer, Ordinal, Real, SearchSpace
from katib.core.trial import Parameters, Suggestion, TrialState
from tests.algorithms.problems import BENT, LATTICE, MIXED, SQUARE, TREE, bent, mixed, simulate, tree
from tests.contracts.simulation import MIXED_FATES, Function, Simulation


def searched(
    trials: int,
    settings: Mapping[str, str] | None = None,
    *,
    space: SearchSpace = MIXED,
    function: Function = mixed,
    seed: int = 0,
    parallel: int = 1,
) -> Simulation:
    """A search after ``trials`` trials."""
    simulation = simulate("cmaes", space, function, settings, seed)
    simulation.run(create_algorithm(simulation.spec), trials, parallel=parallel, order=seed)
    return simulation


def generations(simulation: Simulation) -> list[int]:
    """Generation of each trial by number, -1 of those that belong to none."""
    trials = simulation.history.trials
    return [int(trials[number].labels.get(GENERATION, -1)) for number in range(len(trials))]


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        pytest.param({"sigma": "0"}, "[sigma]: got '0', expected a number, greater than 0"),
        pytest.param({"sigma": "wide"}, "[sigma]: got 'wide', expected a number, greater than 0"),
        pytest.param(
            {"restart_strategy": "always"}, "[restart_strategy]: got 'always', expected one of none, ipop, bi"
        ),
        pytest.param({"population_size": "3"}, "[population_size]: got '3', expected an integer, at least 4"),
        pytest.param({"inc_popsize": "1"}, "[inc_popsize]: got '1', expected an integer, at least 2"),
        pytest.param({"variant": "sep"}, "[variant]: got 'sep', expected one of auto, cma, margin, catcma"),
        pytest.param({"random_state": "-1"}, "[random_state]: got '-1', expected an integer, at least 0"),
        pytest.param({"popsize": "9"}, "[popsize]: cmaes has no such setting"),
    ],
)
def test_bad_settings(settings: Mapping[str, str], complaint: str) -> None:
    with pytest.raises(SpecError) as caught:
        create_algorithm(simulate("cmaes", settings=settings).spec)
    assert "spec.algorithm.algorithmSettings" + complaint in str(caught.value)


@pytest.mark.parametrize(
    ("space", "complaint"),
    [
        pytest.param(SearchSpace((Real("x", 0, 1), Integer("n", 3, 3))), "got one (x)", id="one"),
        pytest.param(SearchSpace((Choice("c", ("a",)), Real("x", 2, 2))), "got none", id="none"),
    ],
)
def test_two_parameters_are_needed(space: SearchSpace, complaint: str) -> None:
    with pytest.raises(SpecError) as caught:
        create_algorithm(simulate("cmaes", space).spec)
    assert "spec.parameters: cmaes needs two parameters with more than one value" in str(caught.value)
    assert complaint in str(caught.value)


@pytest.mark.parametrize("variant", ["cma", "margin"])
def test_variants_without_categories_refuse_them(variant: str) -> None:
    with pytest.raises(SpecError) as caught:
        create_algorithm(simulate("cmaes", MIXED, settings={"variant": variant}).spec)
    assert f"[variant]: got '{variant}', which has no categories such as 'c'; catcma has" in str(caught.value)


@pytest.mark.parametrize("text", ["none", "None", "ipop", "IPOP", "bipop"])
def test_katibs_spellings_of_the_strategy(text: str) -> None:
    create_algorithm(simulate("cmaes", settings={"restart_strategy": text}).spec)


@pytest.mark.parametrize(
    "settings",
    [{"sigma": "0.01"}, {"population_size": "12"}, {"random_state": "1"}],
    ids=str,
)
def test_every_setting_matters(settings: Mapping[str, str]) -> None:
    assert [t.parameters for t in searched(30, settings).history.finished] != [
        t.parameters for t in searched(30).history.finished
    ]


def test_a_generation_is_as_many_finished_trials_as_the_population() -> None:
    assert generations(searched(24, {"population_size": "6"})) == [0] * 6 + [1] * 6 + [2] * 6 + [3] * 6
    assert generations(searched(20)) == [0] * 8 + [1] * 8 + [2] * 4  # 4 + floor(3 ln 5)


def test_nothing_waits_for_a_trial_that_takes_long() -> None:
    simulation = simulate("cmaes", SQUARE, lambda p: float(p["x"]), {"population_size": "4"})
    searcher = create_algorithm(simulation.spec)
    simulation.start(searcher.suggest(simulation.history, 3).suggestions)  # number 0 stays
    while len(simulation.history) < 20:
        simulation.evaluate(simulation.running[1].number)
        assert len(simulation.start(searcher.suggest(simulation.history, 1).suggestions)) == 1
    assert generations(simulation)[-1] == 4
    simulation.evaluate(0)
    before = searcher.suggest(simulation.history, 1)
    assert create_algorithm(simulation.spec).suggest(simulation.restarted(), 1) == before


def test_a_late_member_counts_in_the_generation_in_which_it_ends() -> None:
    """Two histories that differ in the value of a late member only: it matters once it has ended, and not before."""
    answers = []
    for late_value in (0.0, 100.0):
        simulation = simulate("cmaes", SQUARE, lambda p: float(p["x"] + p["y"]), {"population_size": "4"})
        searcher = create_algorithm(simulation.spec)
        simulation.start(searcher.suggest(simulation.history, 6).suggestions)
        for number in (1, 2, 3, 4):
            simulation.evaluate(number)
        answers.append([searcher.suggest(simulation.history, 1).suggestions[0].parameters])
        simulation.start(searcher.suggest(simulation.history, 2).suggestions)
        simulation.report(0, late_value)
        simulation.finish(0)
        for number in (5, 6, 7):
            simulation.evaluate(number)
        answers[-1].append(searcher.suggest(simulation.history, 1).suggestions[0].parameters)
    assert answers[0][0] == answers[1][0]
    assert answers[0][1] != answers[1][1]


def test_many_slots_are_used_and_the_search_still_arrives() -> None:
    best = []
    for seed in range(5):
        simulation = searched(200, space=BENT, function=bent, seed=seed, parallel=12)
        best.append(min(bent(t.parameters) for t in simulation.history.finished))
    assert statistics.median(best) < 2.5  # random search: 5.3; one trial at a time: 0.8


@pytest.mark.parametrize("fate", ["Failed", "MetricsUnavailable", "Killed"])
def test_trials_without_a_value_rank_last_and_killed_ones_are_no_members(fate: str) -> None:
    """The right half gives no value. Failed trials push the search to the left; killed ones only cost trials."""
    simulation = simulate("cmaes", SQUARE, lambda p: -float(p["x"]), {"population_size": "8"})
    searcher = create_algorithm(simulation.spec)
    ended = 0
    while len(simulation.history) < 64:
        (trial,) = simulation.start(searcher.suggest(simulation.history, 1).suggestions)
        bad = trial.parameters["x"] > 0.5
        simulation.evaluate(trial.number, TrialState(fate) if bad else TrialState.SUCCEEDED)
        ended += not (bad and fate == "Killed")
    assert generations(simulation)[-1] == (63 // 8 if fate != "Killed" else generations(simulation)[-1])
    assert generations(simulation)[-1] in ((ended - 1) // 8, ended // 8)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([1.0], id="constant"),
        pytest.param([1e300, -1e300, 5.0, 0.0], id="huge"),
        pytest.param([1e-300, 2e-300, -1e-300], id="tiny"),
        pytest.param([1.0, 1.0, 1.0, 1.0, 0.0], id="nearly all equal"),
        pytest.param([math.nan, 1.0, math.nan], id="mostly failed"),
        pytest.param([math.nan], id="all failed"),
    ],
)
def test_odd_values_of_members(values: list[float]) -> None:
    simulation = simulate("cmaes", MIXED, settings={"population_size": "4"})
    searcher = create_algorithm(simulation.spec)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        while len(simulation.history) < 48:
            (trial,) = simulation.start(searcher.suggest(simulation.history, 1).suggestions)
            value = values[trial.number % len(values)]
            simulation.report(trial.number, value)
            simulation.finish(trial.number, TrialState.FAILED if math.isnan(value) else TrialState.SUCCEEDED)
    assert generations(simulation)[-1] == 11
    assert all(MIXED.contains(t.parameters) for t in simulation.history.finished)


def test_losses_matter_by_their_order_alone() -> None:
    straight = searched(60)
    bent_scale = searched(60, function=lambda p: math.exp(50 * mixed(p)))
    assert [t.parameters for t in straight.history.finished] == [t.parameters for t in bent_scale.history.finished]


def test_categories_are_learned() -> None:
    """Katib draws them at random: then one in five would be right."""
    shares = []
    for seed in range(5):
        trials = searched(120, seed=seed).history.trials
        shares.append(statistics.mean(trials[number].parameters["c"] == "b" for number in range(80, 120)))
    assert statistics.median(shares) > 0.6


def test_integers_are_found_and_keep_a_chance_to_change() -> None:
    simulation = searched(200, space=LATTICE, function=lambda p: sum((float(v) - 7) ** 2 for v in p.values()))
    assert {"p0": 7, "p1": 7, "p2": 7, "p3": 7} in [dict(t.parameters) for t in simulation.history.finished]
    assert len(simulation.history) == 200  # no point came twice, though the best one is surrounded by tried ones


def test_the_search_starts_at_the_defaults() -> None:
    space = SearchSpace((Real("x", 0, 1, default=0.9), Real("y", 0, 1)))
    points = [t.parameters for t in searched(8, {"sigma": "0.02"}, space=space, function=bent).history.finished]
    assert all(abs(p["x"] - 0.9) < 0.1 and abs(p["y"] - 0.5) < 0.1 for p in points)


def test_initial_trials_are_no_members_and_are_not_repeated() -> None:
    simulation = simulate("cmaes", SQUARE, lambda p: float(p["x"]), {"population_size": "4"})
    for trial in simulation.start([Suggestion({"x": 0.5, "y": i / 10}) for i in range(6)]):
        simulation.evaluate(trial.number)
    simulation.run(create_algorithm(simulation.spec), 16)
    assert generations(simulation) == [-1] * 6 + [0] * 4 + [1] * 4 + [2] * 2


def test_tried_draws_are_drawn_again_and_the_number_of_the_draw_is_kept() -> None:
    space = SearchSpace((Integer("a", 0, 5), Integer("b", 0, 5)))
    simulation = simulate("cmaes", space, lambda p: float(p["a"] + p["b"]))
    last = simulation.run(create_algorithm(simulation.spec), 100, parallel=3, order=1, fates=MIXED_FATES)
    assert last.exhausted
    assert len(simulation.history) == 36
    assert any(int(t.labels.get(DRAW, 0)) > 0 for t in simulation.history.trials.values())


@pytest.mark.parametrize("strategy", ["ipop", "bipop"])
def test_after_convergence_it_starts_again_elsewhere(strategy: str) -> None:
    """Steps this small converge at once."""
    settings = {"restart_strategy": strategy, "sigma": "1e-8", "population_size": "4"}
    simulation = searched(120, settings, space=SQUARE, function=lambda p: float(p["x"] + p["y"]), parallel=2)
    cells = [(round(t.parameters["x"], 3), round(t.parameters["y"], 3)) for t in simulation.history.finished]
    assert cells[0] == (0.5, 0.5)
    assert len(set(cells)) >= 4
    assert -1 not in generations(simulation)
    seen = create_algorithm(simulation.spec).suggest(simulation.history, 2)
    assert create_algorithm(simulation.spec).suggest(simulation.restarted(), 2) == seen


def test_without_a_strategy_the_rest_is_drawn_at_random() -> None:
    simulation = searched(60, {"sigma": "1e-8"}, space=SQUARE, function=lambda p: float(p["x"] + p["y"]))
    labels = generations(simulation)
    first = labels.index(-1)
    assert set(labels[first:]) == {-1}
    rest = [t.parameters["x"] for t in simulation.history.finished[first:]]
    assert statistics.stdev(rest) > 0.2


def test_ipop_doubles_the_population_and_bipop_alternates() -> None:
    ipop, bipop = Restarts("ipop", 0.2, None, 2), Restarts("bipop", 0.2, None, 2)
    assert [ipop.large(8, Spent(large_runs=i)) for i in range(3)] == [(0.2, 16), (0.2, 32), (0.2, 64)]
    assert Restarts("ipop", 0.2, None, 3).large(8, Spent(large_runs=1)) == (0.2, 72)
    assert ipop.is_large(Spent(small=1, large=10**6))
    assert bipop.is_large(Spent(small=80, large=80))
    assert not bipop.is_large(Spent(small=80, large=81))
    assert bipop.small(8, Spent(large_runs=3), [0.0, 0.0]) == (0.2, 8)
    sigma, population = bipop.small(8, Spent(large_runs=3), [0.5, 1.0])
    assert (sigma, population) == (pytest.approx(0.02), 32)  # half of the largest population so far


@pytest.mark.parametrize("strategy", ["ipop", "bipop"])
def test_restarts_grow_the_population_that_the_history_shows(strategy: str) -> None:
    simulation = simulate("cmaes", SQUARE, lambda p: float(p["x"] + p["y"]))
    populations: list[int] = []

    def begin(space: SearchSpace, start: Start) -> CatCMADistribution:
        populations.append(start.population or 4)
        return CatCMADistribution(space, replace(start, population=populations[-1]))

    settings = {"restart_strategy": strategy, "sigma": "1e-8", "population_size": "4"}
    simulation = searched(200, settings, space=SQUARE, function=lambda p: float(p["x"] + p["y"]))
    replay = Replay(simulation.history, Restarts(strategy, 1e-8, 4, 2), 0, begin)
    replay.catch_up(simulation.history)
    if strategy == "ipop":
        assert populations == [4 * 2**i for i in range(len(populations))]
        assert len(populations) >= 5
    else:
        assert populations[:2] == [4, 8]
        assert max(populations) >= 16
        assert sum(4 <= p < max(populations) for p in populations) > len(populations) / 2


def test_conditions_hide_coordinates_that_are_drawn_all_the_same() -> None:
    simulation = searched(90, space=TREE, function=tree)
    assert all(TREE.contains(t.parameters) for t in simulation.history.finished)
    later = [simulation.history.trials[number].parameters for number in range(50, 90)]
    assert sum(p["kind"] == "deep" for p in later) > 30


def test_large_grids_are_continuous_and_small_ones_integers() -> None:
    space = SearchSpace(
        (Integer("many", 0, 10**9), Integer("few", 0, 9), Integer("two", 0, 1), Ordinal("o", (1, 5, 7)))
    )

    def many(p: Parameters) -> float:
        return abs(float(p["many"]) / 1e8 - 3) + abs(float(p["few"]) - 8) + float(p["two"])

    simulation = searched(100, space=space, function=many)
    best = min(simulation.history.finished, key=lambda t: simulation.function(t.parameters)).parameters
    assert abs(best["many"] / 1e9 - 0.3) < 0.1
    assert best["two"] == 0
