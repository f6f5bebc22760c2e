"""RemoteAlgorithm is an Algorithm: same answers and same errors as in this process."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from katib.core.errors import SpecError, UnavailableError
from katib.core.space import Real, SearchSpace
from katib.core.trial import Proposal, Suggestion, TrialState
from suggestion_service.client import RemoteAlgorithm
from suggestion_service.codec.trials import encode_trial
from suggestion_service.generated import api_pb2 as pb
from tests.contracts.simulation import MIXED_FATES, Simulation
from tests.suggestion_service.toy_algorithm import SPACE, ToyAlgorithm, spec_of


def loss(parameters):
    return parameters["lr"] * parameters["layers"]


@pytest.fixture
def remote(service):
    """RemoteAlgorithms of a spec over a toy service; closed at the end."""
    opened = []

    def connect(spec, address=None, **options):
        opened.append(RemoteAlgorithm(spec, address or service(create=ToyAlgorithm), **options))
        return opened[-1]

    yield connect
    for algorithm in opened:
        algorithm.close()


class Both:
    """Asks two algorithms the same and insists on the same answer, also for a history read anew."""

    def __init__(self, local, remote, simulation):
        self.local, self.remote, self.simulation = local, remote, simulation

    def suggest(self, history, count):
        proposal = self.local.suggest(history, count)
        assert self.remote.suggest(history, count) == proposal
        assert self.remote.suggest(self.simulation.restarted(), count) == proposal
        return proposal


@pytest.mark.parametrize("order", [None, 1, 2], ids=["oldest-first", "mixed", "mixed-otherwise"])
def test_remote_and_local_answers_are_equal(remote, order):
    spec = spec_of(limit="30")
    simulation = Simulation(spec, loss)

    last = simulation.run(
        Both(ToyAlgorithm(spec), remote(spec), simulation), 40, parallel=3, fates=MIXED_FATES, order=order
    )

    assert len(simulation.history) == 30
    assert last.exhausted


def test_only_new_trials_are_encoded_again(remote, monkeypatch):
    spec = spec_of()
    simulation, algorithm = Simulation(spec, loss), remote(spec)
    simulation.run(algorithm, 20)
    simulation.start(algorithm.suggest(simulation.history, 2).suggestions)
    encoded = []

    def encode(trial, *rest):
        encoded.append((trial.number, trial.state))
        encode_trial(trial, *rest)

    monkeypatch.setattr("suggestion_service.client.encode_trial", encode)
    simulation.evaluate(20)
    algorithm.suggest(simulation.history, 1)

    assert encoded == [(20, TrialState.SUCCEEDED), (21, TrialState.RUNNING)]


def test_construction_is_validation(remote):
    with pytest.raises(SpecError, match="not toy: other"):
        remote(spec_of("other"))


def test_problems_keep_their_paths(service):
    def create(spec):
        raise SpecError("wrong").within("spec.algorithm")

    with pytest.raises(SpecError) as caught:
        RemoteAlgorithm(spec_of(), service(create=create))

    assert caught.value.problems[0].path == "spec.algorithm"
    assert caught.value.problems[0].message == "wrong"


def test_a_service_that_is_not_there_is_unavailable():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: nobody else can answer there
        with pytest.raises(UnavailableError, match="UNAVAILABLE"):
            RemoteAlgorithm(spec_of(), f"127.0.0.1:{taken.getsockname()[1]}")


def test_a_service_that_takes_too_long_is_unavailable(service):
    entered, release = threading.Event(), threading.Event()

    class Slow(ToyAlgorithm):
        def suggest(self, history, count):
            entered.set()
            release.wait(20)
            return super().suggest(history, count)

    algorithm = RemoteAlgorithm(spec_of(), service(create=Slow), timeout=0.5)
    with pytest.raises(UnavailableError, match="DEADLINE_EXCEEDED"):
        algorithm.suggest(Simulation(spec_of()).history, 1)

    assert entered.is_set()
    release.set()
    algorithm.close()


class KatibImage:
    """A suggestion service that knows Katib's fields alone, has no validation and hands settings back."""

    def __init__(self, answers):
        self.answers, self.requests = list(answers), []

    def GetSuggestions(self, data, context):
        request = pb.GetSuggestionsRequest.FromString(data)
        self.requests.append(request)
        values = self.answers[len(self.requests) - 1]
        reply = pb.GetSuggestionsReply()
        for value in values:
            reply.parameter_assignments.add().assignments.add(name="x", value=value)
        reply.algorithm.algorithm_settings.add(name="calls", value=str(len(self.requests)))
        return reply


@pytest.fixture
def katib_image():
    """Start a KatibImage: it and its address."""
    servers = []

    def start(*answers):
        image, server = KatibImage(answers), grpc.server(ThreadPoolExecutor(2))
        handler = grpc.unary_unary_rpc_method_handler(
            image.GetSuggestions, response_serializer=pb.GetSuggestionsReply.SerializeToString
        )
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("api.v1.beta1.Suggestion", {"GetSuggestions": handler}),)
        )
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        servers.append(server)
        return image, f"127.0.0.1:{port}"

    yield start
    for server in servers:
        server.stop(0).wait()


def test_a_katib_suggestion_image_serves_our_engine(remote, katib_image):
    spec = spec_of("tpe", SearchSpace((Real("x", 0, 1),)), gamma="0.5")
    image, address = katib_image(["0.25", "0.5"], ["0.75"], [], [])
    simulation, algorithm = Simulation(spec, lambda parameters: parameters["x"]), remote(spec, address)

    simulation.start(algorithm.suggest(simulation.history, 2).suggestions)
    simulation.evaluate(1)
    simulation.start(algorithm.suggest(simulation.history, 1).suggestions)

    assert [t.parameters["x"] for t in simulation.history.trials.values()] == [0.25, 0.5, 0.75]
    seen = image.requests[1]
    assert (seen.current_request_number, seen.total_request_number) == (1, 3)
    assert [(t.name, t.status.condition) for t in seen.trials] == [
        ("trial-1", pb.TrialStatus.SUCCEEDED),
        ("trial-0", pb.TrialStatus.RUNNING),
    ]
    assert [(m.name, m.value) for m in seen.trials[0].status.observation.metrics] == [("loss", "0.5")]
    settings = [(s.name, s.value) for s in seen.experiment.spec.algorithm.algorithm_settings]
    assert settings == [("gamma", "0.5"), ("calls", "1")]
    assert not algorithm.suggest(simulation.history, 1).exhausted  # trials 0 and 2 still run
    simulation.evaluate(0)
    simulation.evaluate(2)
    assert algorithm.suggest(simulation.history, 1).exhausted
    calls = [s.value for s in image.requests[3].experiment.spec.algorithm.algorithm_settings if s.name == "calls"]
    assert calls == ["3"]


@pytest.mark.slow
def test_a_hundred_thousand_trials_fit_into_one_call(service):
    count, seen = 100_000, []

    class Counting(ToyAlgorithm):
        def suggest(self, history, count):
            seen.append((len(history), sum(t.parameters["lr"] for t in history.finished)))
            return Proposal()

    spec = spec_of()
    simulation = Simulation(spec, loss)
    for number in range(count):
        simulation.start([Suggestion(SPACE.from_unit([number / count] * len(SPACE)))])
        simulation.evaluate(number)
    algorithm = RemoteAlgorithm(spec, service(create=Counting), timeout=120)

    algorithm.suggest(simulation.history, 1)

    assert seen == [(count, sum(t.parameters["lr"] for t in simulation.history.finished))]
    algorithm.close()
