"""A server with certificate and tokens, over real sockets: the API and the gRPC services, and renewed files."""

from __future__ import annotations

import shutil
import ssl

import grpc
import httpx
import pytest

from suggestion_service.generated import api_pb2 as pb
from tests.server.documents import experiment, path, wait_for
from tests.server.server_process import serving
from tests.suggestion_service.katib_client import OPTIONS, call

ALL, ONE = {"authorization": "Bearer all-of-it"}, {"authorization": "Bearer one-of-them"}


@pytest.fixture(scope="module")
def files(ours, tmp_path_factory):
    """Files of certificate, key and tokens, which tests may change."""
    folder = tmp_path_factory.mktemp("protected")
    for name, source in ours.issue("127.0.0.1").items():
        shutil.copy(source, folder / name)
    (folder / "tokens").write_text("all-of-it\none-of-them mine\n")
    return folder


@pytest.fixture(scope="module")
def protected(files, tmp_path_factory):
    options = {"--tls-cert": "cert", "--tls-key": "key", "--token-file": "tokens"}
    arguments = [word for option, name in options.items() for word in (option, str(files / name))]
    with serving(tmp_path_factory.mktemp("home"), *arguments) as running:
        yield running


@pytest.fixture(scope="module")
def client(protected, ours):
    with protected.client(verify=ssl.create_default_context(cafile=str(ours.file))) as made:
        yield made


def test_answers_of_the_api(protected, client):
    assert protected.url.startswith("https://")
    assert client.get("/healthz").text == "ok"
    refused = client.get(path())
    assert (refused.status_code, refused.json()["reason"], refused.headers["www-authenticate"]) == (
        401, "Unauthorized", "Bearer",
    )  # fmt: skip
    assert client.post(path("", "mine"), json=experiment("x"), params={"dryRun": "All"}, headers=ONE).status_code == 201
    assert client.post(path("", "theirs"), json=experiment("x"), headers=ONE).json()["reason"] == "Forbidden"
    answer = client.get(path("", "theirs"), headers=ALL)
    assert (answer.status_code, answer.headers["x-content-type-options"]) == (200, "nosniff")
    assert not any(name.startswith("access-control") for name in answer.headers)


def test_other_authorities_are_not_taken(protected):
    with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
        httpx.get(protected.url + "/healthz")


@pytest.mark.parametrize(
    ("token", "code"),
    [
        pytest.param("all-of-it", None, id="everything"),
        pytest.param("one-of-them", grpc.StatusCode.UNAUTHENTICATED, id="one-namespace"),
        pytest.param("", grpc.StatusCode.UNAUTHENTICATED, id="none"),
    ],
)
def test_the_same_protects_grpc(protected, ours, token, code):
    credentials = grpc.ssl_channel_credentials(ours.file.read_bytes())
    if token:
        credentials = grpc.composite_channel_credentials(credentials, grpc.access_token_call_credentials(token))
    with grpc.secure_channel(protected.grpc, credentials, OPTIONS) as channel:
        answer = call(channel, "DBManager", "GetObservationLog", pb.GetObservationLogRequest(trial_name="x"))
    assert (answer[0] if isinstance(answer, tuple) else None) == code


def test_new_files_serve_the_next_connection(protected, client, ours, files):
    def serial():
        context = ssl.create_default_context(cafile=str(ours.file))
        with httpx.Client(verify=context) as fresh, fresh.stream("GET", protected.url + "/healthz") as answer:
            return answer.extensions["network_stream"].get_extra_info("ssl_object").getpeercert()["serialNumber"]

    before = serial()
    for name, source in ours.issue("127.0.0.1", name="renewed").items():
        shutil.copy(source, files / name)
    (files / "tokens").write_text("another\n")
    assert serial() != before
    assert client.get("/version", headers=ALL).status_code == 401
    assert client.get("/version", headers={"authorization": "Bearer another"}).status_code == 200


def test_the_token_of_the_environment_does_not_reach_trials(tmp_path):
    tree = experiment("curious")
    container = tree["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]["containers"][0]
    container["command"][2] = "test -z $KATIB_TOKEN && echo loss=${trialParameters.x}"
    with serving(tmp_path, env={"KATIB_TOKEN": "hidden"}) as running:
        with running.client(headers={"authorization": "Bearer hidden"}) as client:
            assert client.post(path(), json=tree).status_code == 201
            wait_for(client, "curious")
        assert httpx.get(running.url + path()).status_code == 401
