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
from algorithms.gp_nas.rungs import resources
from katib.core.errors import SpecError
from katib.core.history import History
from katib.core.trial import Proposal, TrialState
from tests.algorithms.architecture.experiments import CELL_201, CELLS, CHAIN, spec
from tests.contracts.simulation import MIXED_FATES, Simulation

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
    assert len(process.features) == 300
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


def test_with_the_prior_the_first_trials_are_large():
    sizes = {}
    for prior in ("none", "size"):
        made = spec(CELL_201, "gp-nas", prior=prior)
        suggestions = create_algorithm(made).suggest(History(made.space, made.objective), 10).suggestions
        sizes[prior] = sum(convolutions(each.parameters) for each in suggestions)
    assert sizes["size"] > 1.5 * sizes["none"]


def test_the_prior_is_overruled_by_trials():
    searched = Simulation(spec(CELL_201, "gp-nas", prior="size"), lambda parameters: -convolutions(parameters))
    searched.run(create_algorithm(searched.spec), 40)
    late = [convolutions(searched.history.trials[number].parameters) for number in range(30, 40)]
    assert np.mean(late) < 1


RESOURCED = {"resource_name": "epochs", "r_l": 48, "min_resource": 3, "eta": 4, "initial_points": 4}


def accuracy(parameters) -> float:
    return convolutions(parameters) + int(parameters["epochs"]) / 100


@pytest.mark.parametrize(
    ("least", "most", "eta", "expected"),
    [(12, 200, 8, (12, 200)), (3, 48, 4, (3, 12, 48)), (12, 200, 3, (12, 49, 200)), (5, 9, 2, (9,)), (7, 7, 2, (7,))],
)
def test_the_resources_of_the_rungs(least, most, eta, expected):
    assert resources(least, most, eta) == expected


@pytest.mark.parametrize("nas", FAMILIES.values(), ids=FAMILIES)
def test_short_trials_are_promoted_and_a_restart_changes_nothing(nas):
    searched = Simulation(spec(nas, "gp-nas", **RESOURCED), accuracy)

    def restart(proposal) -> None:
        fresh = create_algorithm(searched.spec).suggest(searched.restarted(), len(proposal.suggestions))
        assert (fresh.suggestions, fresh.releases) == (proposal.suggestions, proposal.releases)

    searched.run(create_algorithm(searched.spec), 46, parallel=3, order=4, fates=MIXED_FATES, at_each_step=restart)
    trials = searched.history.trials
    spent = dict.fromkeys(("3", "12", "48"), 0)
    for trial in trials.values():
        spent[trial.parameters["epochs"]] += int(trial.parameters["epochs"])
        if trial.parent is not None:
            parent = trials[trial.parent]
            assert int(parent.parameters["epochs"]) * 4 == int(trial.parameters["epochs"])
            assert {**parent.parameters, "epochs": ""} == {**trial.parameters, "epochs": ""}
            assert parent.state in (TrialState.SUCCEEDED, TrialState.EARLY_STOPPED)
    assert spent["3"] >= spent["12"] >= spent["48"] > 0
    assert len({str(trial.parameters) for trial in trials.values()}) == 46


def test_the_best_of_the_short_trials_go_on():
    searched = Simulation(spec(CELL_201, "gp-nas", **RESOURCED), accuracy)
    searched.run(create_algorithm(searched.spec), 80)
    trials = searched.history.trials
    assert max(convolutions(trials[number].parameters) for number in last_rung(trials)) == 6
    assert len(last_rung(trials)) <= 4


def test_what_has_gone_on_or_failed_is_released():
    searched = Simulation(spec(CELL_201, "gp-nas", **RESOURCED), accuracy)
    algorithm = create_algorithm(searched.spec)
    searched.run(algorithm, 30, fates=[TrialState.SUCCEEDED] * 5 + [TrialState.FAILED])
    trials = searched.history.trials
    failed = {number for number, trial in trials.items() if trial.state is TrialState.FAILED}
    ended = {trial.parent for trial in trials.values() if trial.parent is not None and trial.state.finished}
    assert algorithm.suggest(searched.history, 1).releases == failed - last_rung(trials) | ended


def last_rung(trials) -> set[int]:
    return {number for number, trial in trials.items() if trial.parameters["epochs"] == "48"}


def test_with_a_resource_it_ends_when_all_have_the_most():
    nas = {"graphConfig": {"numLayers": 1}, "operations": [{"operationType": "nor_conv_3x3"}]}
    searched = Simulation(spec(nas, "gp-nas", **RESOURCED), accuracy)
    last = searched.run(create_algorithm(searched.spec), 100, parallel=2)
    assert [trial.parameters["epochs"] for trial in searched.history.trials.values()] == ["3", "12", "48"]
    assert last.exhausted


def test_hyperband_gives_architectures_a_resource_too():
    searched = Simulation(spec(CELL_201, "hyperband", resource_name="epochs", r_l=9, min_resource=1), accuracy)
    searched.run(create_algorithm(searched.spec), 13)
    trials = searched.history.trials.values()
    assert [trial.parameters["epochs"] for trial in trials] == ["1"] * 9 + ["3"] * 3 + ["9"]
    assert max(convolutions(trial.parameters) for trial in trials) == convolutions(
        searched.history.trials[12].parameters
    )


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"resource_name": "epochs"}, r"\[r_l\]: missing"),
        ({"resource_name": "epochs", "r_l": 3, "min_resource": 4}, r"\[r_l\]: got '3', expected at least min_resource"),
        ({"resource_name": "epochs", "r_l": "many"}, r"\[r_l\]: got 'many', expected an integer"),
    ],
)
def test_bad_resources(settings, words):
    with pytest.raises(SpecError, match=words):
        create_algorithm(spec(CELL_201, "gp-nas", **settings))
