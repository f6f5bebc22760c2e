"""What every algorithm owes, whichever way it is reached.

``class TestSomething(AlgorithmContract)`` runs all of it; override the fixture ``make`` to reach the algorithms another
way, for example through the suggestion service. Each entry of the table must have a sample here.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from algorithms import ALGORITHMS, create_algorithm, features_of
from algorithms.features import Feature
from katib.core.constraints import Constraint
from katib.core.errors import SpecError
from katib.core.experiment import Budget, Component, ExperimentSpec
from katib.core.history import History
from katib.core.objective import Direction, Objective, Target
from katib.core.ports import Algorithm
from katib.core.space import Choice, Condition, Distribution, Integer, Ordinal, Real, SearchSpace
from katib.core.trial import Key, Parameters, Proposal, Suggestion, TrialState
from tests.contracts.simulation import MIXED_FATES, Simulation

Make = Callable[[ExperimentSpec], Algorithm]

SPACE = SearchSpace(
    (
        Real("rate", 1e-5, 1.0, Distribution.LOG_UNIFORM),
        Real("shift", -1.0, 0.0),
        Real("dropout", 0.0, 0.9, step=0.1),
        Real("centred", -2.0, 2.0, Distribution.NORMAL),
        Integer("epochs", 1, 9),
        Integer("units", 16, 256, Distribution.LOG_UNIFORM, step=16),
        Ordinal("batch", (16, 32, 64), ("16", "32", "64")),
        Choice("optimizer", ("sgd", "adam", "ftrl")),
        Real("momentum", 0.0, 1.0, condition=Condition("optimizer", ("sgd",))),
    )
)
STEPPED = SearchSpace(  # the same with a step for every range
    tuple(replace(p, step=(p.high - p.low) / 50) if isinstance(p, Real) and p.step is None else p for p in SPACE)
)
PLAIN = SearchSpace(tuple(p for p in STEPPED if p.condition is None))
FLAT = SearchSpace(tuple(p for p in SPACE if p.condition is None))
GRID = SearchSpace((Integer("epochs", 1, 3), Ordinal("b", (0.1, 0.2, 0.4, 0.8)), Choice("c", tuple("vwxyz"))))


@dataclass(frozen=True)
class Sample:
    """A valid way to use an algorithm. finite: whether it uses a finite space up, point by point.

    trials: how many a test needs to see all that the algorithm does. on_grid: settings that differ where a test needs
    many trials of the small grid, so that costly algorithms think over the last few only. space: a variant of SPACE.
    without: what the algorithm cannot use with these settings, though it can with others. needs: packages of an extra.
    """

    algorithm: str
    settings: Mapping[str, str] = field(default_factory=dict)
    on_grid: Mapping[str, str] = field(default_factory=dict)
    finite: bool = True
    trials: int = 24
    space: SearchSpace = SPACE
    max_trials: int | None = 1000
    without: frozenset[Feature] = frozenset()
    needs: tuple[str, ...] = ()

    @property
    def features(self) -> frozenset[Feature]:
        return features_of(self.algorithm) - self.without

    def spec(self, space: SearchSpace | None = None, direction: Direction = Direction.MINIMIZE) -> ExperimentSpec:
        settings = {**self.settings, **self.on_grid} if space is GRID else self.settings
        component = Component(self.algorithm, settings)
        objective, budget = Objective("loss", direction), Budget(4, self.max_trials)
        key = Key("default", "sample")
        return ExperimentSpec(key, space or self.space, objective, component, budget, seed=7)


SAMPLES = {
    "random": Sample("random"),
    "grid": Sample("grid", space=STEPPED, max_trials=None),
    "sobol": Sample("sobol"),
    "tpe": Sample("tpe", {"n_startup_trials": "5"}, on_grid={"n_startup_trials": "48"}),
    "tpe-hyperopt": Sample(
        "tpe", {"n_startup_trials": "3", "gamma": "0.25", "prior_weight": "2"}, on_grid={"n_startup_trials": "48"}
    ),
    "multivariate-tpe": Sample("multivariate-tpe", {"n_startup_trials": "5"}, on_grid={"n_startup_trials": "48"}),
    "cmaes": Sample("cmaes", {"population_size": "5"}, trials=40),
    "cmaes-bipop": Sample("cmaes", {"population_size": "4", "restart_strategy": "bipop", "sigma": "1e-7"}, trials=60),
    "bayesianoptimization": Sample(
        "bayesianoptimization", {"n_initial_points": "5"}, on_grid={"n_initial_points": "52"}, trials=9
    ),
    "bayesianoptimization-trees": Sample(
        "bayesianoptimization",
        {"n_initial_points": "5", "base_estimator": "ET", "acq_func": "EIps"},
        on_grid={"n_initial_points": "55"},
        trials=7,
        without=frozenset({Feature.OBJECTIVES, Feature.DECLARED}),
    ),
    "auto": Sample("auto", on_grid={"few_points": "60"}, trials=13),
    "auto-cmaes": Sample("auto", {"many_trials": "10"}, on_grid={"few_points": "60"}, trials=24, space=FLAT),
    "hyperband": Sample("hyperband", {"r_l": "9", "resource_name": "epochs"}, finite=False, trials=50),
    "regularized-evolution": Sample("regularized-evolution", {"population_size": "6", "sample_size": "3"}),
    "enas": Sample("enas", space=PLAIN, needs=("torch",)),
    "local-search": Sample("local-search", {"initial_points": "4"}, space=STEPPED, trials=40),
    "pbt": Sample(
        "pbt",
        {"n_population": "5", "truncation_threshold": "0.4", "resample_probability": "0.2"},
        on_grid={"n_population": "30"},
        finite=False,
        trials=40,
    ),
}
# Algorithms that need a nasConfig: tests/algorithms/architecture has their contract.
ARCHITECTURES_ALONE = {"darts", "gp-nas"}


def cases(*names: str) -> list[Any]:
    """The samples with these names, where what they need is there."""
    return [
        pytest.param(SAMPLES[name], id=name, marks=[*map(pytest.mark.requires, SAMPLES[name].needs)]) for name in names
    ]


EVERY = cases(*SAMPLES)
FINITE = cases(*(name for name, sample in SAMPLES.items() if sample.finite))


def able(feature: Feature, *, finite: bool = False) -> list[Any]:
    """The samples whose algorithms can use ``feature``; finite: those that use a finite space up."""
    return cases(*(n for n, sample in SAMPLES.items() if feature in sample.features and (sample.finite or not finite)))


def using(spec: ExperimentSpec, feature: Feature) -> ExperimentSpec:
    """``spec`` (whose space is STEPPED), and no other feature than ``feature``."""
    objective, plain = spec.objective, SearchSpace(tuple(p for p in spec.space if p.condition is None))
    spec = replace(spec, space=plain)
    match feature:
        case Feature.CONDITIONS:
            return replace(spec, space=STEPPED)
        case Feature.CONSTRAINTS:
            return replace(spec, space=replace(plain, constraints=(Constraint("shift <= -0.3"),)))
        case Feature.OUTCOME_CONSTRAINTS:
            return replace(spec, objective=replace(objective, constraints=(Constraint("loss > 0.2"),)))
        case Feature.OBJECTIVES:
            return replace(spec, objective=replace(objective, others=(Target("latency"),)))
        case Feature.REPEATS:
            return replace(spec, objective=replace(objective, repeats=3))
        case Feature.DECLARED:
            return replace(spec, space=replace(plain, open=True))
        case Feature.WIDENING:
            return replace(spec, space=replace(plain, revision=1))


def loss(parameters: Parameters) -> float:
    """A smooth function of all parameters that are there, smallest in the inside."""
    coordinates = SPACE.to_unit({name: value for name, value in parameters.items() if name in SPACE})
    return float(np.nansum((coordinates - 0.3) ** 2))


class AlgorithmContract:
    """The port's contract. Every test takes ``make``, so an algorithm behind a service is tested just the same."""

    @pytest.fixture
    def make(self) -> Make:
        return create_algorithm

    def test_every_algorithm_has_a_sample(self) -> None:
        assert {sample.algorithm for sample in SAMPLES.values()} == set(ALGORITHMS) - ARCHITECTURES_ALONE

    @pytest.mark.parametrize("sample", EVERY)
    def test_proposals_lie_in_the_space_and_are_typed(self, make: Make, sample: Sample) -> None:
        simulation = run(make, sample, parallel=3, order=2)
        assert len(simulation.history) == sample.trials
        for trial in simulation.history.trials.values():
            assert sample.space.check(trial.parameters) == trial.parameters  # also: no inactive and no missing ones
            assert {name: type(v) for name, v in trial.parameters.items() if name != "momentum"} == {
                "rate": float, "shift": float, "dropout": float, "centred": float, "epochs": int,
                "units": int, "batch": int, "optimizer": str,
            }  # fmt: skip
            assert list(trial.parameters) == [p.name for p in sample.space if p.name in trial.parameters]

    @pytest.mark.parametrize("sample", EVERY)
    def test_the_same_history_gives_the_same_answer(self, make: Make, sample: Sample) -> None:
        """Asked again, of a fresh object, after other calls on the same object, and of a history read anew."""
        simulation = Simulation(sample.spec(), loss)
        algorithm = make(sample.spec())
        simulation.run(algorithm, sample.trials // 2, parallel=2)
        answer = algorithm.suggest(simulation.history, 2)
        assert answer.suggestions
        assert algorithm.suggest(simulation.history, 2) == answer
        algorithm.suggest(History(sample.space, sample.spec().objective), 3)
        assert algorithm.suggest(simulation.history, 2) == answer
        assert make(sample.spec()).suggest(simulation.history, 2) == answer
        assert make(sample.spec()).suggest(simulation.restarted(), 2) == answer

    @pytest.mark.parametrize("sample", EVERY)
    def test_a_restart_at_any_moment_changes_nothing(self, make: Make, sample: Sample) -> None:
        simulation = Simulation(sample.spec(), loss)
        algorithm = make(sample.spec())
        steps = itertools.count()

        def restart(proposal: Proposal) -> None:
            if next(steps) % 3 == 0:
                fresh = make(sample.spec()).suggest(simulation.restarted(), max(len(proposal.suggestions), 1))
                assert fresh.suggestions == proposal.suggestions

        simulation.run(algorithm, sample.trials, parallel=3, order=4, fates=MIXED_FATES, at_each_step=restart)
        assert next(steps) > 3

    @pytest.mark.parametrize("sample", EVERY)
    def test_a_failed_trial_that_runs_again_is_pending_again(self, make: Make, sample: Sample) -> None:
        """What an algorithm kept of the history it saw grow must not outlive that history."""
        simulation = Simulation(sample.spec(), loss)
        algorithm = make(sample.spec())
        simulation.run(algorithm, sample.trials // 2, order=1, fates=[TrialState.SUCCEEDED, TrialState.FAILED])
        failed = [t.number for t in simulation.history.finished if t.state is TrialState.FAILED]
        for number in (failed[0], failed[-1]):
            simulation.retry(number)
            answer = algorithm.suggest(simulation.history, 2)
            assert make(sample.spec()).suggest(simulation.restarted(), 2) == answer
            simulation.evaluate(number)
        simulation.run(algorithm, sample.trials, parallel=2, order=3)
        assert len(simulation.history) == sample.trials

    @pytest.mark.parametrize("sample", EVERY)
    def test_maximising_mirrors_minimising(self, make: Make, sample: Sample) -> None:
        down = run(make, sample, order=1)
        up = Simulation(sample.spec(direction=Direction.MAXIMIZE), lambda parameters: -loss(parameters))
        up.run(make(up.spec), sample.trials, order=1, parallel=2)
        assert points(up) == points(down)
        assert len({str(point) for point in points(up)}) > 1

    @pytest.mark.parametrize("sample", EVERY)
    def test_the_seed_matters(self, make: Make, sample: Sample) -> None:
        spec = sample.spec()
        empty = History(spec.space, spec.objective)
        answers = [make(replace(spec, seed=seed)).suggest(empty, 2).suggestions for seed in (None, 0, 1, 2**40, -3)]
        assert answers[0] == answers[1]
        assert len({str(answer) for answer in answers}) == 4

    @pytest.mark.parametrize("sample", EVERY)
    def test_a_batch_is_distinct_and_no_larger_than_asked(self, make: Make, sample: Sample) -> None:
        simulation = run(make, sample, trials=5)
        for count in (0, 1, 3):
            proposal = make(sample.spec()).suggest(simulation.history, count)
            assert len(proposal.suggestions) <= count
            assert len({simulation.history.point(s.parameters) for s in proposal.suggestions}) == len(
                proposal.suggestions
            )
            assert not proposal.exhausted

    @pytest.mark.parametrize("sample", EVERY)
    def test_a_batch_equals_single_calls(self, make: Make, sample: Sample) -> None:
        batch, single = run(make, sample, trials=6), run(make, sample, trials=6)
        algorithm = make(sample.spec())
        for _ in range(2):
            single.start(algorithm.suggest(single.history, 1).suggestions)
        batch.start(algorithm.suggest(batch.history, 2).suggestions)
        assert points(batch) == points(single)

    @pytest.mark.parametrize("sample", EVERY)
    def test_nothing_is_tried_twice_unless_it_has_a_parent(self, make: Make, sample: Sample) -> None:
        """Pending, failed and killed trials included, in a space with few points."""
        simulation = Simulation(sample.spec(GRID), grid_loss)
        simulation.run(make(simulation.spec), 58, parallel=4, order=3, fates=MIXED_FATES)
        new = [simulation.history.point(t.parameters) for t in simulation.history.trials.values() if t.parent is None]
        assert len(new) > 20
        assert len(set(new)) == len(new)

    @pytest.mark.parametrize("sample", FINITE)
    def test_a_finite_space_is_used_up_exactly(self, make: Make, sample: Sample) -> None:
        simulation = Simulation(sample.spec(GRID), grid_loss)
        algorithm = make(simulation.spec)
        last = simulation.run(algorithm, 1000, parallel=7, order=5)
        assert last.exhausted
        assert len({simulation.history.point(point) for point in points(simulation)}) == 60
        assert len(simulation.history) == 60
        assert algorithm.suggest(simulation.history, 3) == Proposal(exhausted=True)

    @pytest.mark.parametrize("sample", EVERY)
    def test_failures_of_all_trials_do_not_end_the_search(self, make: Make, sample: Sample) -> None:
        simulation = Simulation(sample.spec(), loss)
        failing = [state for state in MIXED_FATES if state.value in ("Failed", "MetricsUnavailable", "Killed")]
        simulation.run(make(simulation.spec), 12, parallel=2, order=1, fates=failing)
        assert len(simulation.history) == 12

    @pytest.mark.parametrize("sample", able(Feature.CONSTRAINTS))
    def test_constraints_on_parameters_are_kept(self, make: Make, sample: Sample) -> None:
        allowed = (Constraint("shift <= -0.3"), Constraint("optimizer != 'sgd' or momentum < 0.5"))
        known = tuple(each for each in allowed if all(name in sample.space for name in each.names))
        spec = replace(sample.spec(), space=replace(sample.space, constraints=known))
        simulation = Simulation(spec, loss)
        simulation.run(make(spec), sample.trials, parallel=3, order=1)
        assert len(simulation.history) == sample.trials
        assert all(map(spec.space.allows, points(simulation)))

    @pytest.mark.parametrize("sample", able(Feature.CONSTRAINTS, finite=True))
    def test_a_constrained_finite_space_is_used_up_exactly(self, make: Make, sample: Sample) -> None:
        space = replace(GRID, constraints=(Constraint("epochs * b >= 1"), Constraint("c in ('v', 'w')")))
        spec = replace(sample.spec(GRID), space=space)
        simulation = Simulation(spec, grid_loss)
        assert simulation.run(make(spec), 1000, parallel=3, order=5).exhausted
        assert len(simulation.history) == 2 * 3  # epochs 2 and 3 with 0.8, and 3 with 0.4

    @pytest.mark.parametrize("sample", able(Feature.OUTCOME_CONSTRAINTS))
    def test_constraints_on_metrics_can_be_violated(self, make: Make, sample: Sample) -> None:
        objective = replace(sample.spec().objective, constraints=(Constraint("loss > 0.2"), Constraint("shift < -0.6")))
        spec = replace(sample.spec(), objective=objective)
        simulation = Simulation(spec, loss)
        simulation.run(make(spec), sample.trials, parallel=3, order=1)
        assert len(simulation.history) == sample.trials
        assert (simulation.history.view().violations > 0).any()

    @pytest.mark.parametrize("sample", EVERY)
    def test_trials_that_it_did_not_propose_are_data(self, make: Make, sample: Sample) -> None:
        """The user's own points come before its first one, without labels."""
        simulation = Simulation(sample.spec(), loss)
        simulation.start([Suggestion(sample.space.from_unit([u] * len(sample.space))) for u in (0.2, 0.5)])
        simulation.evaluate(0)
        simulation.run(make(simulation.spec), sample.trials, parallel=3, order=1)
        new = [simulation.history.point(t.parameters) for t in simulation.history.trials.values() if t.parent is None]
        assert len(simulation.history) == sample.trials
        assert len(set(new)) == len(new)

    @pytest.mark.parametrize("sample", EVERY)
    @pytest.mark.parametrize("feature", list(Feature))
    def test_what_it_cannot_use_is_refused(self, make: Make, sample: Sample, feature: Feature) -> None:
        spec = using(sample.spec(STEPPED), feature)
        if feature in sample.features:
            make(spec)
            return
        with pytest.raises(SpecError, match=f"{sample.algorithm} cannot use {feature.value}"):
            make(spec)

    @pytest.mark.parametrize("sample", EVERY)
    def test_the_global_random_generators_are_left_alone(self, make: Make, sample: Sample) -> None:
        run(make, sample, trials=6)  # whatever is seeded on first use is seeded now
        random.seed(1)
        np.random.seed(1)
        before = random.getstate(), np.random.get_state()
        first = points(run(make, sample, trials=7))
        assert random.getstate() == before[0]
        assert all(np.array_equal(x, y) for x, y in zip(np.random.get_state(), before[1], strict=True))
        random.seed(2)
        np.random.seed(2)
        assert points(run(make, sample, trials=7)) == first


def run(
    make: Make, sample: Sample, *, trials: int | None = None, parallel: int = 2, order: int | None = None
) -> Simulation:
    """A simulated experiment after ``trials`` trials."""
    simulation = Simulation(sample.spec(), loss)
    simulation.run(make(simulation.spec), trials or sample.trials, parallel=parallel, order=order)
    return simulation


def grid_loss(parameters: Parameters) -> float:
    return float(((GRID.to_unit(parameters) - 0.4) ** 2).sum())


def points(simulation: Simulation) -> list[Parameters]:
    """Parameters of all trials, by number."""
    return [simulation.history.trials[number].parameters for number in sorted(simulation.history.trials)]
