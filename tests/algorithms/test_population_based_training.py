"""Population based training: who replaces whom, from which checkpoint, with which parameters; failures; releases."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import pytest

from algorithms import create_algorithm
from algorithms.population_based_training import GENERATION, MEMBER, PARENT, PopulationBasedTraining
from katib.core.constraints import Constraint
from katib.core.errors import SpecError
from katib.core.experiment import Budget, Component, ExperimentSpec
from katib.core.history import History
from katib.core.objective import Objective
from katib.core.space import Choice, Integer, Real, SearchSpace
from katib.core.trial import Key, Parameters, Proposal, Suggestion, Trial, TrialState
from tests.contracts.simulation import MIXED_FATES, Simulation

SPACE = SearchSpace((Real("rate", 1e-4, 1.0), Integer("units", 1, 64), Choice("kind", ("a", "b", "c"))))
FAILURES = [TrialState.FAILED, TrialState.METRICS_UNAVAILABLE, TrialState.KILLED]


def simulate(
    settings: Mapping[str, str] | None = None,
    *,
    space: SearchSpace = SPACE,
    constraints: tuple[Constraint, ...] = (),
    seed: int = 1,
) -> tuple[Simulation, PopulationBasedTraining]:
    component = Component("pbt", {"n_population": "5", "truncation_threshold": "0.2", **(settings or {})})
    objective = Objective("loss", constraints=constraints)
    spec = ExperimentSpec(Key("d", "e"), space, objective, component, Budget(), seed=seed)
    algorithm = create_algorithm(spec)
    assert isinstance(algorithm, PopulationBasedTraining)
    return Simulation(spec, wavy), algorithm


def wavy(parameters: Parameters) -> float:
    return math.sin(1e3 * float(parameters["rate"])) + float(parameters.get("units", 0)) / 100


def generation(simulation: Simulation, algorithm: PopulationBasedTraining, *losses: float) -> list[Trial]:
    """Run one trial for each loss, all started together; the trials as they ended. NaN: it fails."""
    started = simulation.start(algorithm.suggest(simulation.history, len(losses)).suggestions)
    assert len(started) == len(losses)
    return [end(simulation, trial, loss) for trial, loss in zip(started, losses, strict=True)]


def end(simulation: Simulation, trial: Trial, loss: float) -> Trial:
    if math.isnan(loss):
        return simulation.finish(trial.number, TrialState.FAILED)
    simulation.report(trial.number, loss)
    return simulation.finish(trial.number)


def by_member(suggestions: tuple[Suggestion, ...]) -> dict[int, Suggestion]:
    return {int(suggestion.labels[MEMBER]): suggestion for suggestion in suggestions}


def members(simulation: Simulation) -> Counter[str]:
    return Counter(trial.labels[MEMBER] for trial in simulation.history.trials.values())


def lineage(simulation: Simulation, trial: Trial) -> list[Trial]:
    line = [trial]
    while line[-1].parent is not None:
        line.append(simulation.history.trials[line[-1].parent])
    return line


def test_the_poor_take_a_good_ones_checkpoint_and_parameters_and_move_them() -> None:
    simulation, algorithm = simulate()
    trials = generation(simulation, algorithm, 3, 1, 2, 5, 4)
    assert [(t.labels[MEMBER], t.labels[GENERATION], t.parent) for t in trials] == [
        (str(number), "0", None) for number in range(5)
    ]
    answers = by_member(algorithm.suggest(simulation.history, 5).suggestions)
    for member in (0, 1, 2, 4):  # not among the worst fifth: the same training goes on
        assert answers[member].parent == member
        assert answers[member].parameters == trials[member].parameters
    poor, good = answers[3], trials[1]
    assert poor.parent == good.number
    assert poor.labels == {MEMBER: "3", GENERATION: "1", PARENT: good.name}
    assert poor.parameters != good.parameters
    assert poor.parameters["rate"] in (good.parameters["rate"] * 0.8, min(good.parameters["rate"] * 1.2, 1.0))
    assert poor.parameters["kind"] != good.parameters["kind"]
    assert type(poor.parameters["units"]) is int


@pytest.mark.parametrize(
    ("threshold", "losses", "poor", "good"),
    [
        pytest.param("0", (1, 2, 3, 4, 5), set(), {0}, id="nobody"),
        pytest.param("0.1", (1, 2, 3, 4, 5), {4}, {0}, id="rounded up, as a quantile of five"),
        pytest.param("0.25", (1, 2, 3, 4, 5), {4}, {0}, id="a quantile that is a member is not below itself"),
        pytest.param("0.3", (5, 4, 1, 3, 2), {0, 1}, {2, 4}, id="two of five"),
        pytest.param("0.5", (5, 4, 3, 2, 1), {0, 1}, {3, 4}, id="half"),
        pytest.param("1", (1, 2, 3, 4, 5), {1, 2, 3, 4}, {0, 1, 2, 3}, id="all but the best, each by a better one"),
        pytest.param("0.3", (1, 1, 1, 1, 1), set(), {0}, id="nobody is better than its equal"),
        pytest.param("0.3", (1, 1, 1, 1, 2), {4}, {0, 1}, id="equals are ranked by age"),
    ],
)
def test_truncation(threshold: str, losses: tuple[float, ...], poor: set[int], good: set[int]) -> None:
    replaced, parents = set(), set()
    for seed in range(12):
        simulation, algorithm = simulate({"truncation_threshold": threshold}, seed=seed)
        generation(simulation, algorithm, *losses)
        answers = by_member(algorithm.suggest(simulation.history, 5).suggestions)
        for member, suggestion in answers.items():
            if suggestion.parent != member:
                replaced.add(member)
                parents.add(suggestion.parent)
                assert losses[suggestion.parent or 0] < losses[member]
    assert replaced == poor
    assert parents == (good if poor else set())


def test_a_member_goes_on_while_others_still_run() -> None:
    simulation, algorithm = simulate()
    started = simulation.start(algorithm.suggest(simulation.history, 9).suggestions)
    assert len(started) == 5  # more slots than members
    assert algorithm.suggest(simulation.history, 4) == Proposal()
    end(simulation, started[2], 1.0)
    (next_,) = algorithm.suggest(simulation.history, 4).suggestions
    assert (next_.labels[MEMBER], next_.parent) == ("2", 2)
    simulation.start([next_])
    end(simulation, started[0], 7.0)
    (next_,) = algorithm.suggest(simulation.history, 4).suggestions  # ranked among the two that have a result
    assert (next_.labels[MEMBER], next_.parent, next_.labels[GENERATION]) == ("0", 2, "1")


def test_the_member_with_the_fewest_trials_goes_next() -> None:
    simulation, algorithm = simulate({"n_population": "7"})
    simulation.run(algorithm, 70, parallel=3)  # the oldest finishes first
    turns: Counter[str] = Counter()
    for number in range(70):
        turns[simulation.history.trials[number].labels[MEMBER]] += 1
        assert max(turns.values()) - min(turns[str(m)] for m in range(7)) <= 1
    assert set(turns.values()) == {10}


def test_a_generation_is_the_length_of_the_training_behind_a_trial() -> None:
    simulation, algorithm = simulate({"truncation_threshold": "0.4"})
    simulation.run(algorithm, 60, parallel=4, order=2, fates=MIXED_FATES)
    trials = simulation.history.trials.values()
    assert any(trial.parent is not None and trial.labels[MEMBER] != parent_of(simulation, trial) for trial in trials)
    for trial in trials:
        assert int(trial.labels[GENERATION]) == len(lineage(simulation, trial)) - 1


def parent_of(simulation: Simulation, trial: Trial) -> str:
    return simulation.history.trials[trial.parent].labels[MEMBER]


def test_a_schedule_is_found_that_no_fixed_rate_reaches() -> None:
    """A toy training in which the best rate falls: progress in a step is largest at a rate near the distance left."""

    def distance(trial: Trial) -> float:
        left = 100.0
        for step in reversed(lineage(simulation, trial)):
            left = abs(left - float(step.parameters["rate"]) * 10)
        return left

    space = SearchSpace((Real("rate", 1e-3, 10.0),))
    simulation, algorithm = simulate({"n_population": "10", "truncation_threshold": "0.3"}, space=space)
    while len(simulation.history) < 300:
        for trial in simulation.start(algorithm.suggest(simulation.history, 10).suggestions):
            end(simulation, trial, distance(trial))
    best = min(simulation.history.finished, key=distance)
    assert distance(best) < 0.5
    assert len({step.parameters["rate"] for step in lineage(simulation, best)}) > 3


@pytest.mark.parametrize("state", FAILURES)
def test_a_member_that_failed_takes_over_a_good_one(state: TrialState) -> None:
    simulation, algorithm = simulate({"truncation_threshold": "0"})
    started = simulation.start(algorithm.suggest(simulation.history, 5).suggestions)
    simulation.finish(started[0].number, state)
    for trial in started[1:]:
        end(simulation, trial, float(trial.number))
    answers = by_member(algorithm.suggest(simulation.history, 5).suggestions)
    assert answers[0].parent == 1
    assert answers[0].parameters != started[1].parameters
    assert {m: s.parent for m, s in answers.items() if m} == {1: 1, 2: 2, 3: 3, 4: 4}


def test_a_good_member_that_failed_may_go_back_to_its_own_checkpoint() -> None:
    simulation, algorithm = simulate()
    generation(simulation, algorithm, 1, 2, 3, 4, 5)
    generation(simulation, algorithm, math.nan, 2, 3, 4, 5)
    answers = by_member(algorithm.suggest(simulation.history, 5).suggestions)
    assert answers[0].parent == 0
    assert answers[0].parameters != simulation.history.trials[0].parameters


def test_members_start_anew_while_nothing_has_a_value() -> None:
    simulation, algorithm = simulate()
    for _ in range(4):
        trials = generation(simulation, algorithm, *[math.nan] * 5)
        assert {(t.parent, t.labels[GENERATION]) for t in trials} == {(None, "0")}
    points = {simulation.history.point(t.parameters) for t in simulation.history.trials.values()}
    assert len(points) == 20
    assert set(members(simulation).values()) == {4}


@pytest.mark.parametrize("order", range(4))
def test_no_checkpoint_is_continued_twice_with_the_same_parameters(order: int) -> None:
    """A member that fails for ever is never asked to repeat what failed."""
    simulation, algorithm = simulate({"truncation_threshold": "0.4"})
    simulation.run(algorithm, 150, parallel=4, order=order, fates=[TrialState.SUCCEEDED, *FAILURES])
    history = simulation.history
    assert len(history) == 150
    assert len({(t.parent, history.point(t.parameters)) for t in history.trials.values()}) == 150


@pytest.mark.parametrize("order", range(4))
def test_what_is_continued_was_not_released(order: int) -> None:
    simulation, algorithm = simulate({"truncation_threshold": "0.4", "n_population": "6"})
    released: set[int] = set()

    def watch(proposal: Proposal) -> None:
        nonlocal released
        history = simulation.history
        assert proposal.releases >= released
        released = set(proposal.releases)
        assert not released & {s.parent for s in proposal.suggestions}
        assert not released & {t.parent for t in history.active.values()}
        assert all(history.trials[number].state.finished for number in released)
        valued = [t for t in history.finished if history.value(t) is not None and t.state not in FAILURES]
        if valued:
            assert min(valued, key=lambda t: history.value(t) or 0).number not in released

    simulation.run(algorithm, 90, parallel=3, order=order, fates=MIXED_FATES, at_each_step=watch)
    released = set(algorithm.suggest(simulation.history, 0).releases)
    assert len(simulation.history) - len(released) <= 6 + 1  # a result of each member, and the best


def test_the_rest_is_released() -> None:
    simulation, algorithm = simulate()
    generation(simulation, algorithm, 1, 2, 3, 4, 5)
    assert not algorithm.suggest(simulation.history, 5).releases
    trials = simulation.start(algorithm.suggest(simulation.history, 5).suggestions)
    assert not algorithm.suggest(simulation.history, 5).releases - {4}
    for trial in trials[1:]:
        end(simulation, trial, 1.5)
    assert algorithm.suggest(simulation.history, 0).releases == {1, 2, 3, 4}  # 0 is continued by a trial that runs
    end(simulation, trials[0], 1.5)
    assert algorithm.suggest(simulation.history, 0).releases == {1, 2, 3, 4}  # and is the best
    generation(simulation, algorithm, 0.5, 2, 2, 2, 2)
    assert algorithm.suggest(simulation.history, 0).releases >= {0, 1, 2, 3, 4}


def test_initial_trials_of_the_experiment_are_the_first_members() -> None:
    simulation, algorithm = simulate()
    given = [{"rate": 0.5, "units": 8, "kind": "a"}, {"rate": 0.25, "units": 4, "kind": "b"}]
    simulation.start([Suggestion(parameters) for parameters in given])
    simulation.start(algorithm.suggest(simulation.history, 9).suggestions)
    labels = [trial.labels.get(MEMBER) for trial in simulation.history.trials.values()]
    assert labels == [None, None, "2", "3", "4"]
    for trial in simulation.running:
        end(simulation, trial, float(trial.number))
    answers = by_member(algorithm.suggest(simulation.history, 5).suggestions)
    assert (answers[0].parameters, answers[0].parent, answers[0].labels[GENERATION]) == (given[0], 0, "1")
    assert answers[4].parent == 0
    simulation.start([Suggestion({"rate": 1.0, "units": 1, "kind": "a"})])  # a later one is none of ours
    assert len(algorithm.suggest(simulation.history, 9).suggestions) == 5


def test_trials_outside_of_the_space_are_not_continued() -> None:
    simulation, algorithm = simulate()
    simulation.start([Suggestion({"rate": 5.0, "units": 8, "kind": "a"})])
    end(simulation, simulation.running[0], -9.0)
    generation(simulation, algorithm, 1, 2, 3, 4)
    answers = by_member(algorithm.suggest(simulation.history, 5).suggestions)
    assert all(SPACE.contains(suggestion.parameters) for suggestion in answers.values())
    assert answers[0].parent is not None
    assert answers[0].parent > 0


def test_what_a_constraint_forbids_is_never_reached() -> None:
    space = replace(SPACE, constraints=(Constraint("rate * units < 4"), Constraint("kind != 'b' or units > 10")))
    simulation, algorithm = simulate({"truncation_threshold": "0.5", "resample_probability": "0.2"}, space=space)
    simulation.run(algorithm, 120, parallel=4, order=1, fates=MIXED_FATES)
    trials = simulation.history.trials.values()
    assert all(space.allows(trial.parameters) for trial in trials)
    assert len({simulation.history.point(trial.parameters) for trial in trials}) > 50


def test_results_that_violate_a_constraint_rank_last() -> None:
    simulation, algorithm = simulate({"truncation_threshold": "0.5"}, constraints=(Constraint("loss > 2"),))
    generation(simulation, algorithm, 1, 0, 3, 4, 5)
    answers = by_member(algorithm.suggest(simulation.history, 5).suggestions)
    assert {member: answers[member].parent for member in (2, 3, 4)} == {2: 2, 3: 3, 4: 4}
    assert {answers[member].parent for member in (0, 1)} <= {2, 3}
    proposal = algorithm.suggest(simulation.history, 0)
    assert not proposal.releases


def test_a_space_that_widens_is_used() -> None:
    simulation, algorithm = simulate()
    generation(simulation, algorithm, 1, 2, 3, 4, 5)
    wider = SearchSpace((Real("rate", 1e-4, 1.0), Integer("units", 1, 64), Choice("kind", ("a", "b", "c", "d"))), 1)
    history = History(wider, simulation.spec.objective, simulation.history.trials.values())
    answers = by_member(algorithm.suggest(history, 5).suggestions)
    assert {member: answers[member].parent for member in range(4)} == {0: 0, 1: 1, 2: 2, 3: 3}
    assert answers[4].parent == 0


def test_a_small_space_is_gone_through_again_and_again() -> None:
    space = SearchSpace((Integer("rate", 1, 3),))
    simulation, algorithm = simulate({"truncation_threshold": "0.5"}, space=space)
    simulation.run(algorithm, 60, parallel=3, order=1)
    assert set(members(simulation)) == {"0", "1", "2"}  # of five: there are no more points to start from
    assert {trial.parameters["rate"] for trial in simulation.history.trials.values()} == {1, 2, 3}
    assert not algorithm.suggest(simulation.history, 3).exhausted


def test_the_search_ends_where_every_point_was_tried_without_a_result() -> None:
    simulation, algorithm = simulate(space=SearchSpace((Integer("rate", 1, 7),)))
    last = simulation.run(algorithm, 60, parallel=3, order=1, fates=[TrialState.FAILED])
    assert last.exhausted
    assert len(simulation.history) == 7


def test_everything_is_drawn_anew_where_the_setting_says_so() -> None:
    simulation, algorithm = simulate({"resample_probability": "1"})
    generation(simulation, algorithm, 1, 2, 3, 4, 5)
    poor = by_member(algorithm.suggest(simulation.history, 5).suggestions)[4]
    good = simulation.history.trials[0].parameters
    assert poor.parent == 0
    assert poor.parameters["rate"] not in (good["rate"] * 0.8, good["rate"] * 1.2)


def test_a_trial_name_that_is_too_long_for_a_label_is_left_out() -> None:
    simulation, algorithm = simulate()
    trials = generation(simulation, algorithm, 1, 2, 3, 4, 5)
    names = {0: "x" * 63, 1: "y" * 64}
    renamed = [replace(trial, name=names.get(trial.number, trial.name)) for trial in trials]
    history = History(SPACE, simulation.spec.objective, renamed)
    answers = by_member(algorithm.suggest(history, 5).suggestions)
    assert answers[0].labels[PARENT] == "x" * 63
    assert answers[1].labels == {MEMBER: "1", GENERATION: "1"}
    assert answers[1].parent == 1


@pytest.mark.parametrize("path", ["checkpoints", "./checkpoints", "", "/", "//"])
def test_the_folder_of_a_trial_is_an_absolute_path(path: str) -> None:
    with pytest.raises(SpecError, match=r"algorithmSettings\[suggestion_trial_dir\]: got .* absolute path"):
        simulate({"suggestion_trial_dir": path})


def test_numbers_may_be_written_in_any_way() -> None:
    simulate({"n_population": "5.0", "truncation_threshold": " 2e-1 ", "resample_probability": "0.50"})
