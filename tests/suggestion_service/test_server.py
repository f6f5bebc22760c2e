"""The service on a real socket: health, reflection, refusals, and survival of anything sent to it."""

from __future__ import annotations

import socket

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from katib.core.errors import PermanentError, UnknownNameError
from katib.core.history import History
from katib.core.trial import Trial
from suggestion_service.client import RemoteAlgorithm
from suggestion_service.codec.experiment import encode_experiment
from suggestion_service.generated import api_pb2 as pb
from suggestion_service.security import ServerSecurity, is_loopback
from suggestion_service.server import serve, suggestion
from suggestion_service.suggestions import MAX_COUNT, MAX_TOTAL
from tests.suggestion_service.toy_algorithm import SPACE, ToyAlgorithm, spec_of

Code = grpc.StatusCode
METHODS = {"GetSuggestions": pb.GetSuggestionsReply, "ValidateAlgorithmSettings": pb.ValidateAlgorithmSettingsReply}


def call(channel, method, data):
    """The reply to raw bytes, or the status code and text of the refusal."""
    method_call = channel.unary_unary(
        f"/api.v1.beta1.Suggestion/{method}", response_deserializer=METHODS[method].FromString
    )
    try:
        return method_call(data, timeout=20)
    except grpc.RpcError as error:
        return error.code(), error.details()


@pytest.mark.parametrize("name", ["manager.v1beta1.Suggestion", "api.v1.beta1.Suggestion", ""])
def test_health_is_serving_under_each_name_that_clients_probe(service, channel, name):
    stub = health_pb2_grpc.HealthStub(channel(service()))

    reply = stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=10)

    assert reply.status == health_pb2.HealthCheckResponse.SERVING


def test_health_of_an_unknown_service_is_not_found(service, channel):
    stub = health_pb2_grpc.HealthStub(channel(service()))

    with pytest.raises(grpc.RpcError) as caught:
        stub.Check(health_pb2.HealthCheckRequest(service="other"), timeout=10)

    assert caught.value.code() is Code.NOT_FOUND


def test_reflection_lists_the_services_and_knows_their_messages(service, channel):
    stub = reflection_pb2_grpc.ServerReflectionStub(channel(service()))
    questions = [
        reflection_pb2.ServerReflectionRequest(list_services=""),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol="api.v1.beta1.Suggestion"),
    ]

    services, file = stub.ServerReflectionInfo(iter(questions), timeout=10)

    names = {s.name for s in services.list_services_response.service}
    assert names >= {"api.v1.beta1.Suggestion", "grpc.health.v1.Health"}
    assert b"GetSuggestionsRequest" in file.file_descriptor_response.file_descriptor_proto[0]


def test_an_unknown_algorithm_is_refused_with_the_nearest_name(service, channel):
    request = pb.ValidateAlgorithmSettingsRequest(experiment=encode_experiment(spec_of("randm")))

    code, details = call(channel(service()), "ValidateAlgorithmSettings", request.SerializeToString())

    assert code is Code.INVALID_ARGUMENT
    assert "did you mean 'random'?" in details


@pytest.mark.parametrize(
    "name", ["os:system", "subprocess:Popen", "tests.suggestion_service.toy_algorithm:ToyAlgorithm"]
)
def test_a_caller_cannot_have_other_code_loaded(service, name):
    with pytest.raises(UnknownNameError):
        RemoteAlgorithm(spec_of(name), service())


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        pytest.param({"current_request_number": -1}, "current_request_number: got -1", id="negative"),
        pytest.param({"current_request_number": MAX_COUNT + 1}, f"expected 0 to {MAX_COUNT}", id="too-many"),
        pytest.param({"total_request_number": 2**31 - 1}, f"expected 0 to {MAX_TOTAL}", id="too-many-before"),
        pytest.param({"experiment": {}}, "objective.type", id="empty-experiment"),
        pytest.param({"experiment": {"record": {"seed": "x"}}}, "", id="seed"),
        pytest.param({"experiment": {"record": {"resume_policy": "Maybe"}}}, "", id="enum"),
    ],
)
def test_a_wrong_request_is_an_invalid_argument(service, channel, request_, words):
    data = pb.GetSuggestionsRequest(**request_).SerializeToString()

    code, details = call(channel(service(create=ToyAlgorithm)), "GetSuggestions", data)

    assert code is Code.INVALID_ARGUMENT
    assert words in details


@pytest.mark.parametrize(
    "trial",
    [
        pytest.param({"record": {"curve": {"values": [1.0], "steps": [], "seqs": [1]}}}, id="uneven-curve"),
        pytest.param({"record": {"failure": "Bored"}}, id="failure"),
        pytest.param(
            {"spec": {"parameter_assignments": {"assignments": [{"name": "lr", "typed_value": "[" * 10**5}]}}},
            id="deep-json",
        ),
        pytest.param(
            {"spec": {"parameter_assignments": {"assignments": [{"name": "lr", "typed_value": "{}"}]}}}, id="json-tree"
        ),
    ],
)
def test_a_wrong_trial_is_an_invalid_argument(service, channel, trial):
    request = pb.GetSuggestionsRequest(experiment=encode_experiment(spec_of()), trials=[pb.Trial(**trial)])

    code, _ = call(channel(service(create=ToyAlgorithm)), "GetSuggestions", request.SerializeToString())

    assert code is Code.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("setting", "code", "details"),
    [
        pytest.param("unavailable", Code.UNAVAILABLE, "later", id="try-again"),
        pytest.param("bug", Code.INTERNAL, "unexpected ZeroDivisionError; see the log of the service", id="bug"),
    ],
)
def test_an_algorithm_that_raises(service, channel, setting, code, details):
    experiment = encode_experiment(spec_of(**{"raise": setting}))
    request = pb.GetSuggestionsRequest(experiment=experiment, current_request_number=1)

    assert call(channel(service(create=ToyAlgorithm)), "GetSuggestions", request.SerializeToString()) == (code, details)


def valid_request(foreign):
    experiment = encode_experiment(spec_of())
    if foreign:
        experiment.ClearField("record")
    request = pb.GetSuggestionsRequest(experiment=experiment, current_request_number=1, total_request_number=1)
    return request.SerializeToString()


@st.composite
def damaged(draw):
    """A valid request with some bytes replaced, put in or cut off."""
    data = bytearray(valid_request(draw(st.booleans())))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(data)


@pytest.fixture(scope="module")
def toy_channel():
    server = serve("127.0.0.1:0", [suggestion(ToyAlgorithm)])
    with grpc.insecure_channel(f"127.0.0.1:{server.port}", options=[("grpc.enable_http_proxy", 0)]) as channel:
        yield channel
    server.stop(grace=0)


@given(data=st.binary(max_size=200) | damaged(), method=st.sampled_from(sorted(METHODS)))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_bytes_arrive_are_answered_or_refused(toy_channel, data, method):
    answer = call(toy_channel, method, data)

    assert isinstance(answer, METHODS[method]) or answer[0] is Code.INVALID_ARGUMENT, answer
    assert len(call(toy_channel, "GetSuggestions", valid_request(False)).parameter_assignments) == 1


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("127.0.0.1:6789", True),
        ("127.8.8.8:1", True),
        ("localhost:1", True),
        ("[::1]:1", True),
        ("0.0.0.0:1", False),
        ("[::]:1", False),
        ("10.0.0.1:1", False),
        ("example.com:1", False),
        (":1", False),
    ],
)
def test_what_is_loopback(address, loopback):
    assert is_loopback(address) is loopback


def test_an_address_beyond_this_machine_must_be_allowed():
    with pytest.raises(PermanentError, match="--insecure"):
        serve("0.0.0.0:0")


def test_an_address_beyond_this_machine_can_be_allowed():
    server = serve("0.0.0.0:0", security=ServerSecurity(insecure=True))
    try:
        assert server.port > 0
    finally:
        server.stop(grace=0)


def test_a_taken_port_is_an_error(service):
    address = service()

    with pytest.raises(PermanentError, match=f"cannot listen on {address}"):
        serve(address)


def test_a_stopped_server_gives_its_port_back():
    server = serve("127.0.0.1:0")
    server.stop()

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", server.port))


def test_algorithms_are_built_once_for_equal_experiments(service):
    built = []

    def create(spec):
        built.append(spec)
        return ToyAlgorithm(spec)

    address = service(create=create)
    for seed in (1, 1, 2):
        remote = RemoteAlgorithm(spec_of(seed=seed), address)
        for number in range(3):
            history = History(SPACE, spec_of().objective, [Trial(0, "a", {"lr": 0.01 * number})])
            remote.suggest(history, 1)
        remote.close()

    assert [spec.seed for spec in built] == [1, 2]
