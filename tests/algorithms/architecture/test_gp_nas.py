"""The Gaussian process over paths: nothing equivalent twice, workers apart, failures avoided, exact distances."""

from __future__ import annotations

import numpy as np
import pytest

from algorithms import create_algorithm
from algorithms.architecture.search import ArchitectureSettings, architecture_space
from algorithms.architecture.wiring import signature
from algorithms.bayesian.anchors import Memory
from algorithms.bayesian.kernels import squared_distances
from algorithms.gp_nas.candidates import candidates
from algorithms.gp_nas.encoding import LONGEST, Describer, Encoding
from algorithms.gp_nas.predictor import predictor
from katib.core.errors import SpecError
from katib.core.history import History
from katib.core.trial import Proposal, TrialState
from tests.algorithms.architecture.experiments import CELL_201, CELLS, CHAIN, spec
from tests.contracts.simulation import Simulation

FAMILIES = {"cells": CELLS, "chain": CHAIN, "nasbench201": CELL_201}
FEW = {"graphConfig": {"numLayers": 1}, "operations": [{"operationType": t} for t in ("none", "nor_conv_3x3")]}
LONG = {**CHAIN, "graphConfig": {**CHAIN["graphConfig"], "numLayers": LONGEST + 2}}


def family_of(nas):
    return architecture_space(spec(nas), ArchitectureSettings())


def convolutions(parameters) -> float:
    return str(parameters).count("nor_conv_3x3")


def test_equivalent_architectures_come_once_all_others_are_used_up():
    family = family_of(FEW)
    searched = Simulation(spec(FEW, "gp-nas", initial_points=4), convolutions)
    last = searched.run(create_algorithm(searched.spec), 100, parallel=3, order=1)
    trials = [searched.history.trials[number].parameters for number in sorted(searched.history.trials)]
    computed = [signature(family.wirings(family.parameters(parameters))) for parameters in trials]
    assert len({str(parameters) for parameters in trials}) == len(trials) == 64
    different = len(set(computed))
    assert different < 20
    assert len(set(computed[:different])) == different
    assert last == Proposal(exhausted=True)


@pytest.mark.parametrize("nas", FAMILIES.values(), ids=FAMILIES)
def test_workers_try_different_architectures(nas):
    family = family_of(nas)
    searched = Simulation(spec(nas, "gp-nas", initial_points=4), convolutions)
    algorithm = create_algorithm(searched.spec)
    searched.run(algorithm, 8)
    searched.start(algorithm.suggest(searched.history, 8).suggestions)
    running = [family.wirings(family.parameters(trial.parameters)) for trial in searched.running]
    assert len({signature(each) for each in running}) == 8


def test_failures_are_avoided():
    searched = Simulation(spec(CELL_201, "gp-nas"), convolutions)
    algorithm = create_algorithm(searched.spec)
    for number in range(60):
        (trial,) = searched.start(algorithm.suggest(searched.history, 1).suggestions)
        fails = convolutions(trial.parameters) > 3
        searched.evaluate(number, TrialState.FAILED if fails else TrialState.SUCCEEDED)
    late = [searched.history.trials[number] for number in range(40, 60)]
    assert sum(trial.state is TrialState.FAILED for trial in late) <= 6
    assert max(map(convolutions, (trial.parameters for trial in late))) >= 3


def test_only_failures_are_no_reason_to_end():
    searched = Simulation(spec(CELL_201, "gp-nas", initial_points=2), convolutions)
    searched.run(create_algorithm(searched.spec), 12, fates=[TrialState.FAILED])
    assert len(searched.history) == 12


@pytest.mark.parametrize("nas", [*FAMILIES.values(), LONG], ids=[*FAMILIES, "long chain"])
def test_distances_do_not_depend_on_what_is_known(nas):
    """Those of paths that no known architecture has lie in one column: the distances are the same as with a column
    for each."""
    describer, rng = Describer(family_of(nas)), np.random.default_rng(0)
    drawn = [describer.of(row) for row in rng.integers(describer.counts, size=(20, len(describer.counts)))]
    some, every = Encoding(describer, drawn[:3]), Encoding(describer, drawn)
    assert len(some.owner) < len(every.owner)
    for kind in set(every.owner):
        few, all_of = ((each.owner == kind).astype(float) for each in (some, every))
        few = squared_distances(some.features(drawn), some.features(drawn[:3]), few)
        assert few == pytest.approx(squared_distances(every.features(drawn), every.features(drawn[:3]), all_of))
    assert describer.truncated == (nas is LONG)


def test_candidates_are_changes_of_good_ones_and_random_ones():
    counts = np.array([5, 1, 3])
    rows = candidates(np.array([[0, 0, 0]]), counts, np.random.default_rng(1))
    assert (rows < counts).all()
    assert (rows >= 0).all()
    changes = np.count_nonzero(rows, axis=1)
    assert (changes[:25] == 1).all()
    assert set(changes) == {0, 1, 2}


def test_noise_is_estimated():
    """The process does not run through values that contradict each other."""
    rng = np.random.default_rng(2)
    features = np.repeat(rng.normal(size=(30, 3)), 2, axis=0)
    losses = features[:, 0] + 0.5 * rng.standard_normal(60)
    owner, nobody = np.zeros(3, dtype=int), np.empty((0, 3))
    noisy = predictor(features, owner, losses, nobody, Memory())
    exact = predictor(features, owner, features[:, 0], nobody, Memory())
    assert noisy.moments(features)[1].mean() > 3 * exact.moments(features)[1].mean()


def test_many_trials_are_thinned_out():
    features = np.random.default_rng(3).normal(size=(900, 3))
    process = predictor(features, np.zeros(3, dtype=int), features[:, 0], np.empty((0, 3)), Memory())
    assert len(process.features) == 400
    assert features[:, 0].argmin() in [
        int(np.flatnonzero((features == row).all(axis=1))[0]) for row in process.features
    ]


def test_it_is_refused_where_there_are_no_architectures():
    made = spec(CELLS, "gp-nas")
    with pytest.raises(SpecError, match=r"spec\.nasConfig: missing: gp-nas searches architectures"):
        create_algorithm(made.__class__(made.key, family_of(CELLS).space, made.objective, made.algorithm))


def test_the_first_trials_are_random_ones():
    made = spec(CELLS, "gp-nas")
    empty = History(made.space, made.objective)
    proposals = create_algorithm(made).suggest(empty, 10).suggestions
    assert [each.parameters for each in proposals] == [
        each.parameters for each in create_algorithm(spec(CELLS, "random")).suggest(empty, 10).suggestions
    ]
