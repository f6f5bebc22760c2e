"""The contract of the Algorithm port over every algorithm behind a real service; remote answers against local ones."""

from __future__ import annotations

import pytest

from algorithms import create_algorithm
from suggestion_service.client import RemoteAlgorithm
from suggestion_service.server import serve
from tests.contracts.algorithm_contract import EVERY, AlgorithmContract, loss
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


class TestOverGrpc(AlgorithmContract):
    """Each algorithm as an engine reaches it through the service."""

    @pytest.fixture
    def make(self, connect):
        return connect


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
