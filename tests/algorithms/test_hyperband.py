"""Hyperband: exact brackets, any parallelism, failures, promotions from the parent's checkpoint."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from fractions import Fraction

import pytest

from algorithms.hyperband import BRACKET, CONFIG, RUNG, Brackets, Hyperband
from katib.core.experiment import Budget, Component, ExperimentSpec
from katib.core.objective import Direction, Objective
from katib.core.space import Choice, Condition, Integer, Ordinal, Parameter, Real, SearchSpace
from katib.core.trial import Key, Parameters, Proposal, Trial, TrialState
from tests.contracts.simulation import MIXED_FATES, Simulation

EPOCHS = Integer("epochs", 1, 1000)


def simulate(
    settings: Mapping[str, str],
    *,
    resource: Parameter = EPOCHS,
    others: tuple[Parameter, ...] = (Real("x", 0, 1),),
    max_trials: int | None = None,
    direction: Direction = Direction.MINIMIZE,
) -> tuple[Simulation, Hyperband]:
    component = Component("hyperband", {"resource_name": "epochs", **settings})
    objective = Objective("loss", direction)
    budget = Budget(1, max_trials)
    spec = ExperimentSpec(Key("d", "e"), SearchSpace((*others, resource)), objective, component, budget, seed=1)
    sign = 1 if direction is Direction.MINIMIZE else -1
    return Simulation(spec, lambda p: sign * noisy(p)), Hyperband(spec)


def noisy(parameters: Parameters) -> float:
    """Differs at each resource, so that the ranking changes from rung to rung."""
    return math.sin(1e4 * float(parameters.get("x", 0)) + float(parameters["epochs"]))


def table(simulation: Simulation) -> dict[tuple[int, int, object], int]:
    """(bracket, rung, resource) -> number of trials."""
    trials = simulation.history.trials.values()
    return dict(Counter((int(t.labels[BRACKET]), int(t.labels[RUNG]), t.parameters["epochs"]) for t in trials))


def rung(simulation: Simulation, bracket: int, number: int) -> list[Trial]:
    labels = str(bracket), str(number)
    return [t for t in simulation.history.trials.values() if (t.labels[BRACKET], t.labels[RUNG]) == labels]


PAPER_81 = {  # Li et al. 2018, table 1, with n = ceil((s_max + 1) / (s + 1) * eta**s)
    (0, 0, 1): 81, (0, 1, 3): 27, (0, 2, 9): 9, (0, 3, 27): 3, (0, 4, 81): 1,
    (1, 0, 3): 34, (1, 1, 9): 11, (1, 2, 27): 3, (1, 3, 81): 1,
    (2, 0, 9): 15, (2, 1, 27): 5, (2, 2, 81): 1,
    (3, 0, 27): 8, (3, 1, 81): 2,
    (4, 0, 81): 5,
}  # fmt: skip


@pytest.mark.parametrize("parallel", [1, 2, 7, 200])
def test_the_brackets_of_the_paper_at_any_parallelism(parallel: int) -> None:
    simulation, algorithm = simulate({"r_l": "81"})
    last = simulation.run(algorithm, 10**6, parallel=parallel, order=parallel)
    assert last.exhausted
    assert table(simulation) == PAPER_81


@pytest.mark.parametrize("eta", range(2, 11))
@pytest.mark.parametrize("least", [Fraction(1), Fraction(3), Fraction("0.1"), Fraction(1, 7)], ids=str)
def test_the_number_of_brackets_is_exact(eta: int, least: Fraction) -> None:
    for k in range(1, 9):
        reach = least * eta**k
        assert Brackets(reach, least, eta).s_max == k
        assert Brackets(reach + Fraction(1, 10**9), least, eta).s_max == k
        assert Brackets(reach - Fraction(1, 10**9), least, eta).s_max == k - 1


def test_resources_end_exactly_at_the_maximum_and_sizes_never_vanish() -> None:
    for most in range(1, 301):
        for eta in range(2, 6):
            brackets = Brackets(Fraction(most), Fraction(1), eta)
            for bracket in range(brackets.s_max + 1):
                s = brackets.rungs_after_first(bracket)
                assert brackets.resource(bracket, s) == most
                assert brackets.resource(bracket, 0) >= 1
                assert brackets.size(bracket, s) >= 1
                work = sum(brackets.size(bracket, i) * brackets.resource(bracket, i) for i in range(s + 1))
                # ceil() adds less than one configuration, so less than most * eta**-s on each of s + 1 rungs
                assert work < (brackets.s_max + 2) * most + (s + 1) * most / Fraction(eta) ** s


@pytest.mark.parametrize(
    ("settings", "resource", "resources"),
    [
        pytest.param({"r_l": "100"}, EPOCHS, {1, 4, 11, 33, 100}, id="not a power of eta"),
        pytest.param({"r_l": "2", "eta": "4"}, EPOCHS, {2}, id="eta above R"),
        pytest.param({"r_l": "1"}, EPOCHS, {1}, id="R is 1"),
        pytest.param({"r_l": "10.0", "eta": "3.9"}, EPOCHS, {1, 3, 10}, id="texts of floats"),
        pytest.param({"r_l": "9", "eta": "-1"}, EPOCHS, {1, 3, 9}, id="eta below 1 is 3"),
        pytest.param({"r_l": "9"}, Integer("epochs", 1, 1), {1}, id="range shorter than R"),
        pytest.param({"r_l": "18"}, Integer("epochs", 2, 18), {2, 6, 18}, id="range that starts above 1"),
        pytest.param({"r_l": "1"}, Real("epochs", 0.1, 1.0), {1 / 9, 1 / 3, 1.0}, id="fractions of the data"),
        pytest.param({"r_l": "9"}, Real("epochs", 0.0, 9.0), {1.0, 3.0, 9.0}, id="range from 0"),
        pytest.param({"r_l": "27"}, Integer("epochs", 5, 50, step=5), {10, 25}, id="steps, the nearest ones"),
        pytest.param({"r_l": "9"}, Ordinal("epochs", (1, 2, 4, 8, 9)), {1, 2, 9}, id="listed, nearest ones"),
    ],
)
def test_resources(settings: dict[str, str], resource: Parameter, resources: set[float]) -> None:
    simulation, algorithm = simulate(settings, resource=resource)
    last = simulation.run(algorithm, 10**6, parallel=3, order=1)
    assert last.exhausted
    found = {trial.parameters["epochs"] for trial in simulation.history.trials.values()}
    assert sorted(found) == pytest.approx(sorted(resources), rel=1e-12)
    assert {type(value) for value in found} == {float if isinstance(resource, Real) else int}


@pytest.mark.parametrize("direction", Direction)
def test_the_best_of_each_rung_go_on_from_their_own_checkpoint(direction: Direction) -> None:
    simulation, algorithm = simulate({"r_l": "27"}, direction=direction)
    simulation.run(algorithm, 10**6, parallel=4, order=3)
    promoted = [t for t in simulation.history.trials.values() if t.labels[RUNG] != "0"]
    assert len(promoted) == 9 + 3 + 1 + 4 + 1 + 2
    assert all(t.parent is None for t in simulation.history.trials.values() if t not in promoted)
    for trial in promoted:
        parent = simulation.history.trials[trial.parent]
        assert trial.parameters["x"] == parent.parameters["x"]
        assert trial.parameters["epochs"] > parent.parameters["epochs"]
        assert trial.labels[CONFIG] == parent.labels[CONFIG]
        assert (int(trial.labels[RUNG]), trial.labels[BRACKET]) == (
            int(parent.labels[RUNG]) + 1,
            parent.labels[BRACKET],
        )
    for bracket, number in {(int(t.labels[BRACKET]), int(t.labels[RUNG]) - 1) for t in promoted}:
        parents = {t.parent for t in rung(simulation, bracket, number + 1)}
        ranked = sorted(rung(simulation, bracket, number), key=lambda t: noisy(t.parameters))
        assert {t.number for t in ranked[: len(parents)]} == parents


def test_free_slots_go_to_the_next_bracket_while_a_rung_waits() -> None:
    simulation, algorithm = simulate({"r_l": "9"})
    simulation.start(algorithm.suggest(simulation.history, 10).suggestions)
    assert table(simulation) == {(0, 0, 1): 9, (1, 0, 3): 1}
    for number in range(8):
        simulation.evaluate(number)
    assert {s.labels[BRACKET] for s in algorithm.suggest(simulation.history, 2).suggestions} == {"1"}
    simulation.evaluate(8)
    promotions = algorithm.suggest(simulation.history, 3).suggestions
    assert {(s.labels[BRACKET], s.labels[RUNG]) for s in promotions} == {("0", "1")}
    more = algorithm.suggest(simulation.history, 5).suggestions
    assert more[:3] == promotions
    assert {(s.labels[BRACKET], s.labels[RUNG]) for s in more[3:]} == {("1", "0")}


def test_the_search_waits_at_its_end_and_then_ends() -> None:
    simulation, algorithm = simulate({"r_l": "3"})
    simulation.start(algorithm.suggest(simulation.history, 50).suggestions)
    assert len(simulation.history) == 3 + 2
    assert algorithm.suggest(simulation.history, 1) == Proposal()
    for trial in simulation.running:
        simulation.evaluate(trial.number)
    simulation.start(algorithm.suggest(simulation.history, 50).suggestions)
    assert len(simulation.history) == 3 + 2 + 1
    assert not algorithm.suggest(simulation.history, 1).exhausted
    simulation.evaluate(5)
    assert algorithm.suggest(simulation.history, 1).exhausted


def test_a_limit_of_trials_makes_the_passes_repeat_with_new_configurations() -> None:
    simulation, algorithm = simulate({"r_l": "9"}, max_trials=100)
    simulation.run(algorithm, 60, parallel=2)
    one_pass = {(0, 0, 1): 9, (0, 1, 3): 3, (0, 2, 9): 1, (1, 0, 3): 5, (1, 1, 9): 1, (2, 0, 9): 3}
    second = {(bracket + 3, r, resource): n for (bracket, r, resource), n in one_pass.items()}
    found = table(simulation)
    assert {**one_pass, **second}.items() <= found.items()
    new = [t.parameters["x"] for t in simulation.history.trials.values() if t.labels[RUNG] == "0"]
    assert len(set(new)) == len(new)


@pytest.mark.parametrize("order", range(5))
def test_failed_killed_and_valueless_trials_never_block(order: int) -> None:
    simulation, algorithm = simulate({"r_l": "27"})
    last = simulation.run(algorithm, 10**6, parallel=5, order=order, fates=MIXED_FATES)
    assert last.exhausted
    found = table(simulation)
    assert (found[0, 0, 1], found[1, 0, 3], found[2, 0, 9], found[3, 0, 27]) == (27, 12, 6, 4)
    good = (TrialState.SUCCEEDED, TrialState.EARLY_STOPPED)
    parents = [simulation.history.trials[t.parent] for t in simulation.history.trials.values() if t.parent is not None]
    assert parents
    assert {parent.state for parent in parents} <= set(good)


def test_a_rung_promotes_no_more_than_survived() -> None:
    simulation, algorithm = simulate({"r_l": "9"})
    simulation.start(algorithm.suggest(simulation.history, 9).suggestions)
    for number in range(9):
        simulation.evaluate(number, TrialState.SUCCEEDED if number in (4, 6) else TrialState.FAILED)
    suggestions = algorithm.suggest(simulation.history, 3).suggestions
    assert {s.parent for s in suggestions[:2]} == {4, 6}
    assert suggestions[2].labels[BRACKET] == "1"


def test_a_rung_that_failed_as_a_whole_ends_its_bracket() -> None:
    simulation, algorithm = simulate({"r_l": "9"})
    last = simulation.run(algorithm, 10**6, order=0, fates=[TrialState.FAILED])
    assert last.exhausted
    assert table(simulation) == {(0, 0, 1): 9, (1, 0, 3): 5, (2, 0, 9): 3}


def test_a_report_that_is_no_number_ranks_last() -> None:
    simulation, algorithm = simulate({"r_l": "3"})
    simulation.start(algorithm.suggest(simulation.history, 3).suggestions)
    for number, value in enumerate((math.nan, 5.0, math.nan)):
        simulation.report(number, value)
        simulation.finish(number)
    assert algorithm.suggest(simulation.history, 1).suggestions[0].parent == 1


def test_equal_values_are_ranked_by_age() -> None:
    simulation, algorithm = simulate({"r_l": "9"})
    simulation.start(algorithm.suggest(simulation.history, 9).suggestions)
    for number in reversed(range(9)):
        simulation.report(number, 1.0)
        simulation.finish(number)
    assert [s.parent for s in algorithm.suggest(simulation.history, 3).suggestions] == [0, 1, 2]


def test_checkpoints_are_released_once_nothing_continues_them() -> None:
    simulation, algorithm = simulate({"r_l": "9"})
    simulation.start(algorithm.suggest(simulation.history, 9).suggestions)
    for number in range(9):
        simulation.report(number, float(number))
        assert not algorithm.suggest(simulation.history, 1).releases
        simulation.finish(number)
    proposal = algorithm.suggest(simulation.history, 3)
    assert proposal.releases == {3, 4, 5, 6, 7, 8}
    simulation.start(proposal.suggestions)
    simulation.evaluate(9)
    assert algorithm.suggest(simulation.history, 1).releases == {0, 3, 4, 5, 6, 7, 8}
    simulation.evaluate(10)
    simulation.evaluate(11)
    proposal = algorithm.suggest(simulation.history, 1)
    assert len(proposal.releases & {9, 10, 11}) == 2
    simulation.start(proposal.suggestions)
    (last,) = rung(simulation, 0, 2)
    simulation.evaluate(last.number)
    assert algorithm.suggest(simulation.history, 1).releases == set(range(12))  # the result itself is kept


def test_the_configurations_of_a_small_space_are_used_once_at_each_resource() -> None:
    simulation, algorithm = simulate({"r_l": "9"}, others=(Choice("c", tuple("abcdef")),), max_trials=1000)
    last = simulation.run(algorithm, 1000, parallel=3, order=2)
    assert last.exhausted
    assert len(simulation.history) < 60
    assert table(simulation)[0, 0, 1] == 6  # of 9, as no more exist
    assert table(simulation)[0, 1, 3] == 3
    new = [(t.parameters["c"], t.parameters["epochs"]) for t in simulation.history.trials.values() if t.parent is None]
    assert len(set(new)) == len(new)


def test_a_resource_others_depend_on_is_refused() -> None:
    with pytest.raises(Exception, match="'x' depends on 'epochs'"):
        simulate(
            {"r_l": "9"},
            resource=Real("x", 0, 1, condition=Condition("epochs", (1,))),
            others=(EPOCHS,),
        )
