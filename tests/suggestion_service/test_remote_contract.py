"""The contract of the Algorithm port over every algorithm behind a real service; remote answers against local ones."""

from __future__ import annotations

import pytest

from algorithms import create_algorithm
from algorithms.features import Feature
from suggestion_service.client import RemoteAlgorithm
from suggestion_service.server import serve
from tests.contracts.algorithm_contract import EVERY, FINITE, AlgorithmContract, able, loss
from tests.contracts.simulation import MIXED_FATES, Simulation


@pytest.fixture(scope="module")
def address():
    server = serve("127.0.0.1:0")
    yield f"127.0.0.1:{server.port}"
    server.stop(grace=0)


@pytest.fixture
def connect(address):
    """RemoteAlgorithms of a spec; closed at the end."""
    opened = []

    def make(spec):
        opened.append(RemoteAlgorithm(spec, address))
        return opened[-1]

    yield make
    for algorithm in opened:
        algorithm.close()


def mostly_slow(samples):
    """Of searches that are long, a few stay quick: remote answers are compared with local ones below."""
    quick = ("random", "grid", "sobol", "cmaes", "hyperband", "pbt")
    return [pytest.param(*s.values, id=s.id, marks=() if s.id in quick else pytest.mark.slow) for s in samples]


class TestOverGrpc(AlgorithmContract):
    """Each algorithm as an engine reaches it through the service."""

    @pytest.fixture
    def make(self, connect):
        return connect

    @pytest.mark.parametrize("sample", mostly_slow(FINITE))
    def test_a_finite_space_is_used_up_exactly(self, make, sample):
        super().test_a_finite_space_is_used_up_exactly(make, sample)

    @pytest.mark.parametrize("sample", mostly_slow(EVERY))
    def test_nothing_is_tried_twice_unless_it_has_a_parent(self, make, sample):
        super().test_nothing_is_tried_twice_unless_it_has_a_parent(make, sample)

    @pytest.mark.parametrize("sample", mostly_slow(able(Feature.CONSTRAINTS)))
    def test_constraints_on_parameters_are_kept(self, make, sample):
        super().test_constraints_on_parameters_are_kept(make, sample)

    @pytest.mark.parametrize("sample", mostly_slow(able(Feature.CONSTRAINTS, finite=True)))
    def test_a_constrained_finite_space_is_used_up_exactly(self, make, sample):
        super().test_a_constrained_finite_space_is_used_up_exactly(make, sample)


@pytest.mark.parametrize("sample", EVERY)
def test_remote_and_local_answers_are_equal(connect, sample):
    simulation = Simulation(sample.spec(), loss)
    local, remote = create_algorithm(simulation.spec), connect(simulation.spec)
    answers = []

    class Both:
        def suggest(self, history, count):
            answers.append(local.suggest(history, count))
            assert remote.suggest(history, count) == answers[-1]
            return answers[-1]

    simulation.run(Both(), sample.trials, parallel=3, order=6, fates=MIXED_FATES)

    assert sum(len(answer.suggestions) for answer in answers) == sample.trials
