"""Regularized evolution: who is a member, who becomes a parent, and what a child is."""

from __future__ import annotations

import numpy as np
import pytest

from algorithms.mutation import mutated, neighbours
from algorithms.regularized_evolution import RegularizedEvolution, population
from katib.core.experiment import Budget, Component, ExperimentSpec
from katib.core.objective import Objective
from katib.core.space import Choice, Condition, Integer, Ordinal, Real, SearchSpace
from katib.core.trial import Key
from tests.contracts.simulation import MIXED_FATES, Simulation

LETTERS = SearchSpace(tuple(Choice(f"p{i}", tuple("abcde")) for i in range(6)))
MIXED = SearchSpace(
    (
        Choice("kind", ("plain", "deep")),
        Integer("depth", 1, 9, condition=Condition("kind", ("deep",))),
        Real("rate", 0.0, 1.0, step=0.25),
        Ordinal("size", (8, 16, 32)),
    )
)


def simulation(space: SearchSpace = LETTERS, **settings: object) -> Simulation:
    component = Component("regularized-evolution", {name: str(value) for name, value in settings.items()})
    spec = ExperimentSpec(Key("d", "e"), space, Objective("loss"), component, Budget(1, 500), seed=3)
    return Simulation(spec, lambda parameters: sum(value != "a" for value in parameters.values()))


def differing(one, other) -> int:
    return sum(one.get(name) != other.get(name) for name in {**one, **other})


def test_the_population_is_the_newest_trials_with_a_value():
    searched = simulation(population_size=5)
    searched.run(RegularizedEvolution(searched.spec), 20, parallel=2, order=3, fates=MIXED_FATES)
    values = [t for t in searched.history.finished if searched.history.value(t) is not None]
    newest = [trial.parameters for trial in values if trial.state.value in ("Succeeded", "EarlyStopped")][-5:]
    assert [member.parameters for member in population(searched.history, 5)] == newest


@pytest.mark.parametrize("sample", [1, 200], ids=["any-member", "nearly-always-the-best"])
def test_a_child_differs_from_its_parent_in_one_choice(sample):
    searched = simulation(population_size=8, sample_size=sample)
    algorithm = RegularizedEvolution(searched.spec)
    for _ in range(30):
        members = population(searched.history, 8)
        proposal = algorithm.suggest(searched.history, 1)
        if len(searched.history) >= 8:
            child = proposal.suggestions[0].parameters
            near = [m for m in members if differing(m.parameters, child) == 1]
            assert near
            if sample == 200:
                assert min(m.loss for m in members) in [m.loss for m in near]
        searched.start(proposal.suggestions)
        searched.evaluate(len(searched.history) - 1)


@pytest.mark.parametrize("space", [LETTERS, MIXED], ids=["letters", "mixed"])
def test_changes_stay_in_the_space(space):
    rng = np.random.default_rng(0)
    for _ in range(200):
        point = space.from_unit(rng.random(len(space)))
        child = mutated(space, point, rng)
        assert space.check(child) == child
        assert child != point
        around = list(neighbours(space, point, rng))
        assert all(space.check(each) == each and each != point for each in around)
        if space is LETTERS:
            assert len({str(each) for each in around}) == 24
