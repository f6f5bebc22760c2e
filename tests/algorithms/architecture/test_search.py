"""Any algorithm over architectures: in texts, without repeats, restart-proof, the same over gRPC, learning."""

from __future__ import annotations

import pytest

from algorithms import create_algorithm
from katib.core.errors import SpecError
from katib.core.history import History
from suggestion_service.client import RemoteAlgorithm
from suggestion_service.server import serve
from tests.algorithms.architecture.experiments import (
    CELL_201,
    CELLS,
    FAMILIES,
    check_restarts,
    simulation,
    spec,
)

SEARCHERS = {
    "random": {},
    "tpe": {"n_startup_trials": 5},
    "bayesianoptimization": {"n_initial_points": 5},
    "regularized-evolution": {"population_size": 6, "sample_size": 3},
    "local-search": {"initial_points": 4},
    "gp-nas": {"initial_points": 4},
    "auto": {},
}


@pytest.fixture(scope="module")
def address():
    server = serve("127.0.0.1:0")
    yield f"127.0.0.1:{server.port}"
    server.stop(grace=0)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("algorithm", SEARCHERS)
def test_a_restart_at_any_moment_changes_nothing_and_nothing_comes_twice(family, algorithm):
    check_restarts(simulation(FAMILIES[family], algorithm, **SEARCHERS[algorithm]))


@pytest.mark.parametrize(
    ("algorithm", "settings"), [("regularized-evolution", {"population_size": 4}), ("gp-nas", {"initial_points": 4})]
)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_over_grpc(address, family, algorithm, settings):
    searched = simulation(FAMILIES[family], algorithm, **settings)
    local, remote = create_algorithm(searched.spec), RemoteAlgorithm(searched.spec, address)
    for _ in range(12):
        answer = local.suggest(searched.history, 1)
        assert remote.suggest(searched.history, 1) == answer
        searched.start(answer.suggestions)
        searched.evaluate(len(searched.history) - 1)
    remote.close()


@pytest.mark.parametrize("algorithm", ["regularized-evolution", "local-search", "gp-nas"])
def test_it_learns(algorithm):
    """Random search finds 5 of the 6 right operations in 100 trials at best."""
    searched = simulation(CELL_201, algorithm)
    searched.run(create_algorithm(searched.spec), 100)
    best = max(searched.function(trial.parameters) for trial in searched.history.trials.values())
    assert best == 1.0


def test_trials_of_another_space_are_outside_of_it():
    searched = simulation(CELL_201, "regularized-evolution", population_size=2)
    algorithm = create_algorithm(searched.spec)
    searched.start(algorithm.suggest(searched.history, 1).suggestions)
    other = History(searched.spec.space, searched.spec.objective, searched.history.trials.values())
    assert algorithm.suggest(other, 2) == create_algorithm(searched.spec).suggest(other, 2)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"search_space": "tree"}, "one of auto, cells, chain, nasbench201"),
        ({"num_nodes": 0}, "at least 1"),
        ({"populationsize": 3}, "no such setting"),
    ],
)
def test_bad_settings(settings, words):
    with pytest.raises(SpecError, match=words):
        create_algorithm(spec(CELLS, "regularized-evolution", **settings))
