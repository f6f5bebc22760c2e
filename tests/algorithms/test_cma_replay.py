"""CMA-ES: its state worked out from any history, for every variant, and its start at what was known before."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from algorithms import create_algorithm
from algorithms.cma_distribution import CatCMADistribution, CMADistribution, MarginDistribution
from algorithms.cma_es import CMAES
from algorithms.cma_replay import GENERATION, KNOWN, SearchDistribution, Start
from katib.core.constraints import Constraint
from katib.core.objective import Objective
from katib.core.space import Choice, Distribution, Integer, Ordinal, Real, SearchSpace
from katib.core.trial import Parameters, Suggestion, TrialState
from tests.algorithms.problems import MIXED, PLANE, SQUARE, mixed, simulate
from tests.contracts.simulation import MIXED_FATES, Function, Simulation

VARIANTS = {"cma": CMADistribution, "margin": MarginDistribution, "catcma": CatCMADistribution}
NUMBERS = SearchSpace(
    (
        Real("x", 1e-4, 1.0, Distribution.LOG_UNIFORM),
        Real("z", 0, 1, step=0.05),
        Integer("n", 1, 64, Distribution.LOG_UNIFORM),
        Integer("many", 0, 10**6),
        Ordinal("o", (1, 2, 8)),
        Ordinal("two", (1, 5)),
    )
)
SMALL = SearchSpace((Integer("a", 0, 5), Ordinal("o", (1, 2, 8))))


def far(p: Parameters) -> float:
    """Best of NUMBERS on its bounds."""
    return float(sum(NUMBERS.to_unit(p) ** 2))


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    ("variant", "space"),
    [("cma", NUMBERS), ("margin", NUMBERS), ("catcma", NUMBERS), ("catcma", MIXED), ("auto", PLANE)],
)
def test_carried_on_or_replayed_the_state_is_the_same(variant: str, space: SearchSpace, seed: int) -> None:
    """Bit for bit, at every step, with trials that end out of order and fail."""
    settings = {"population_size": "4", "restart_strategy": "ipop", "sigma": "0.001", "variant": variant}
    simulation = simulate("cmaes", space, lambda p: float(sum(space.to_unit(p) ** 2)), settings, seed)
    carried = create_algorithm(simulation.spec)
    assert isinstance(carried, CMAES)

    def compare(proposal: object) -> None:
        count = len(proposal.suggestions)  # type: ignore[attr-defined]
        assert create_algorithm(simulation.spec).suggest(simulation.restarted(), count) == proposal

    simulation.run(carried, 50, parallel=5, order=seed, fates=MIXED_FATES, at_each_step=compare)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_point_is_what_could_be_drawn_at_it(variant: str) -> None:
    start = Start([0.5] * len(NUMBERS), 0.3, None)
    distribution: SearchDistribution = VARIANTS[variant](NUMBERS, start)
    for _, draw in zip(range(50), distribution.draws(3), strict=False):
        point = NUMBERS.to_unit(NUMBERS.from_unit(distribution.point(draw)))
        again = distribution.point(distribution.draw_at(point.tolist()))
        assert NUMBERS.from_unit(again) == NUMBERS.from_unit(point)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_moves_to_where_losses_are_small(variant: str) -> None:
    found = []
    for seed in range(3):
        simulation = simulate("cmaes", NUMBERS, far, {"variant": variant}, seed)
        simulation.run(create_algorithm(simulation.spec), 150, parallel=3, order=seed)
        losses = [far(simulation.history.trials[number].parameters) for number in range(150)]
        found.append(statistics.median(losses[-30:]) / statistics.median(losses[:10]))
    assert statistics.median(found) < 0.4  # 1: nothing learned


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_uses_a_finite_space_up(variant: str) -> None:
    simulation = simulate("cmaes", SMALL, lambda p: float(p["a"] + p["o"]), {"variant": variant})
    assert simulation.run(create_algorithm(simulation.spec), 100, parallel=3, order=1, fates=MIXED_FATES).exhausted
    assert len(simulation.history) == 18


def test_categories_alone_are_searched() -> None:
    space = SearchSpace(tuple(Choice(f"c{i}", tuple("abcdefgh")) for i in range(5)))
    best = []
    for seed in range(3):
        simulation = simulate("cmaes", space, lambda p: sum(v != "b" for v in p.values()), {}, seed)
        simulation.run(create_algorithm(simulation.spec), 300, parallel=2, order=seed)
        best.append(min(sum(v != "b" for v in t.parameters.values()) for t in simulation.history.finished))
    assert statistics.median(best) == 0  # one point in 32,768


def test_the_best_point_on_the_bounds_is_found() -> None:
    """What the default variant is chosen for: ``cma`` draws anew what falls outside, and comes near a corner slowly."""
    space = SearchSpace(tuple(Real(f"p{i}", 0, 1) for i in range(4)))
    medians: dict[str, float] = {}
    for variant in ("auto", "cma"):
        best = []
        for seed in range(3):
            simulation = simulate("cmaes", space, lambda p: float(sum(p.values())), {"variant": variant}, seed)
            simulation.run(create_algorithm(simulation.spec), 200)
            best.append(min(simulation.history.view().Y[:, 0]))
        medians[variant] = statistics.median(best)
    assert medians["auto"] < medians["cma"] / 4


def foreign(
    space: SearchSpace, function: Function, count: int, settings: Mapping[str, str] | None = None
) -> Simulation:
    """An experiment with ``count`` finished trials of no algorithm."""
    simulation = simulate("cmaes", space, function, settings)
    dice = np.random.default_rng(5)
    for trial in simulation.start([Suggestion(space.from_unit(dice.random(len(space)))) for _ in range(count)]):
        simulation.evaluate(trial.number)
    return simulation


def near(p: Parameters) -> float:
    return (float(p["x"]) - 0.85) ** 2 + (float(p["y"]) - 0.15) ** 2


@pytest.mark.parametrize(("count", "known"), [(0, None), (9, None), (10, "10"), (200, "200")])
def test_it_starts_at_the_best_of_what_is_known(count: int, known: str | None) -> None:
    simulation = foreign(SQUARE, near, count)
    answer = create_algorithm(simulation.spec).suggest(simulation.history, 30).suggestions
    assert {suggestion.labels.get(KNOWN) for suggestion in answer} == {known}
    losses = statistics.median(near(suggestion.parameters) for suggestion in answer)
    assert losses < 0.1 if known else losses > 0.15


def test_a_start_at_what_is_known_stays_where_it_was_as_trials_finish() -> None:
    """Those that finish later, with whatever values, move nothing but their generation."""
    simulation = foreign(MIXED, mixed, 40, {"population_size": "4"})
    pending = simulation.start([Suggestion(MIXED.from_unit([u] * len(MIXED))) for u in (0.05, 0.95)])
    algorithm = create_algorithm(simulation.spec)

    def compare(proposal: object) -> None:
        count = len(proposal.suggestions)  # type: ignore[attr-defined]
        assert create_algorithm(simulation.spec).suggest(simulation.restarted(), count) == proposal

    simulation.run(algorithm, 50, parallel=3, at_each_step=compare)
    for trial in pending:
        if trial.number in simulation.history.active:
            simulation.evaluate(trial.number)
    simulation.run(algorithm, 70, parallel=3, order=2, fates=MIXED_FATES, at_each_step=compare)
    labelled = [trial for trial in simulation.history.trials.values() if GENERATION in trial.labels]
    assert {trial.labels[KNOWN] for trial in labelled} == {"40"}


def test_failed_and_infeasible_trials_are_not_among_the_best() -> None:
    objective = Objective("loss", constraints=(Constraint("y >= 0.5"),))
    simulation = simulate("cmaes", SQUARE, near, objective=objective)
    dice = np.random.default_rng(5)
    for trial in simulation.start([Suggestion(SQUARE.from_unit(dice.random(2))) for _ in range(120)]):
        bad = float(trial.parameters["x"]) > 0.5
        simulation.evaluate(trial.number, TrialState.FAILED if bad else TrialState.SUCCEEDED)
    answer = create_algorithm(simulation.spec).suggest(simulation.history, 20).suggestions
    assert statistics.median(float(s.parameters["x"]) for s in answer) < 0.55
    assert statistics.median(float(s.parameters["y"]) for s in answer) > 0.5


def test_the_users_sigma_holds_for_a_start_at_what_is_known() -> None:
    simulation = foreign(SQUARE, near, 100, {"sigma": "0.001"})
    points = [s.parameters for s in create_algorithm(simulation.spec).suggest(simulation.history, 20).suggestions]
    assert statistics.stdev(float(p["x"]) for p in points) < 0.01


def test_categories_start_from_how_often_the_best_have_them() -> None:
    best = np.array([[0.5, 0.5, 0.5, 0.3, 0.1]] * 20)
    distribution = CatCMADistribution(MIXED, Start([0.5] * 5, None, None, best))
    drawn = [distribution.point(draw)[3] for _, draw in zip(range(100), distribution.draws(1), strict=False)]
    assert 0.7 < statistics.mean(value == pytest.approx(0.3) for value in drawn) < 0.95  # 21 / 25


def test_after_the_space_has_changed_it_goes_on() -> None:
    """Generations are kept, in the coordinates of the space as it is now."""
    simulation = simulate("cmaes", SQUARE, near, {"population_size": "4"})
    simulation.run(create_algorithm(simulation.spec), 40)
    wider = SearchSpace((Real("x", 0, 2), Real("y", -1, 1)), revision=1)
    spec = replace(simulation.spec, space=wider)
    moved = simulation.history.within(wider)
    answer = create_algorithm(spec).suggest(moved, 8).suggestions
    assert {suggestion.labels[GENERATION] for suggestion in answer} == {"10"}
    assert statistics.median(near(suggestion.parameters) for suggestion in answer) < 0.02


def test_a_draw_that_cannot_be_repeated_is_learned_from_as_the_point_that_was_tried() -> None:

    def inside(p: Parameters) -> float:
        return (float(p["x"]) - 0.6) ** 2 + (float(p["y"]) - 0.4) ** 2

    simulation = simulate("cmaes", SQUARE, inside, {"population_size": "5"})
    simulation.run(create_algorithm(simulation.spec), 40)
    moved = simulate("cmaes", SQUARE, settings={"population_size": "5"})
    for trial in simulation.history.finished:
        shifted = {"x": trial.parameters["x"] * 0.999, "y": trial.parameters["y"]}
        moved.history.record(replace(trial, parameters=shifted))
    answers = create_algorithm(moved.spec).suggest(moved.history, 1)
    exact = create_algorithm(simulation.spec).suggest(simulation.history, 1)
    assert answers.suggestions[0].labels == exact.suggestions[0].labels
    for name in ("x", "y"):
        assert answers.suggestions[0].parameters[name] == pytest.approx(exact.suggestions[0].parameters[name], abs=0.02)


def test_a_thousand_trials_are_replayed_in_a_second() -> None:
    space = SearchSpace(
        (
            *(Real(f"p{i}", -5, 5) for i in range(8)),
            *(Integer(f"n{i}", 0, 9) for i in range(6)),
            Choice("c", tuple("abc")),
        )
    )
    simulation = simulate("cmaes", space, lambda p: float(sum(v * v for v in p.values() if not isinstance(v, str))))
    simulation.run(create_algorithm(simulation.spec), 1000, parallel=4)
    algorithm, history = create_algorithm(simulation.spec), simulation.restarted()
    begun = time.process_time()
    assert algorithm.suggest(history, 1).suggestions
    assert time.process_time() - begun < 1
