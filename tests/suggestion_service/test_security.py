"""TLS, client certificates and tokens on real sockets, with certificates made here."""

from __future__ import annotations

import os
import ssl
import threading

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from katib.core.errors import PermanentError, SpecError, UnavailableError
from katib.core.history import History
from katib.storage import open_store
from suggestion_service.client import RemoteAlgorithm
from suggestion_service.db_manager import DBManagerServicer
from suggestion_service.early_stopping import EarlyStoppingServicer
from suggestion_service.generated import api_pb2 as pb
from suggestion_service.security import ClientSecurity, ServerSecurity
from suggestion_service.server import db_manager, early_stopping, serve, suggestion
from tests.suggestion_service.certificates import Authority
from tests.suggestion_service.katib_client import OPTIONS, call
from tests.suggestion_service.toy_algorithm import SPACE, ToyAlgorithm, spec_of

HOST = "127.0.0.1"


@pytest.fixture
def served():
    """Start a Suggestion service with this ServerSecurity; the address is the answer."""
    servers = []

    def start(*services, **security):
        servers.append(serve(f"{HOST}:0", services or [suggestion(ToyAlgorithm)], ServerSecurity(**security)))
        return f"{HOST}:{servers[-1].port}"

    yield start
    for server in servers:
        server.stop(grace=0)


def ask(address, **security):
    """One suggestion through our own client."""
    remote = RemoteAlgorithm(spec_of(), address, timeout=20, security=ClientSecurity(**security))
    try:
        return remote.suggest(History(SPACE, spec_of().objective), 1)
    finally:
        remote.close()


class TestTLS:
    def test_calls_are_encrypted(self, served, ours):
        address = served(**ours.issue(HOST))

        assert len(ask(address, ca=ours.file).suggestions) == 1
        assert ssl.get_server_certificate((HOST, int(address.rpartition(":")[2])), ca_certs=str(ours.file))

    @pytest.mark.parametrize(
        ("identity", "authority", "words"),
        [
            pytest.param(HOST, "others", "its certificate is not accepted: unable to get local issuer", id="wrong-ca"),
            pytest.param("example.org", "ours", "certificate is not valid for '127.0.0.1'", id="wrong-name"),
            pytest.param(HOST, None, "it speaks TLS: give the CA file", id="plain-client"),
        ],
    )
    def test_a_client_that_cannot_trust_it_says_why(self, served, request, ours, identity, authority, words):
        address = served(**ours.issue(identity))
        security = {"ca": request.getfixturevalue(authority).file} if authority else {}

        with pytest.raises(PermanentError, match=words):
            ask(address, **security)

    def test_a_service_without_it_is_found_out(self, served, ours):
        with pytest.raises(PermanentError, match="it does not speak TLS"):
            ask(served(), ca=ours.file)

    def test_a_service_that_is_gone_is_unavailable(self, served, ours):
        with pytest.raises(UnavailableError):
            ask(f"{HOST}:1", ca=ours.file)

    @pytest.mark.parametrize("authority", ["ours", "others"])
    def test_new_files_serve_the_next_connection(self, served, request, ours, tmp_path, authority):
        mine = Authority(tmp_path, "mine")
        files = mine.issue(HOST, name="server")
        address = served(**files)
        ask(address, ca=mine.file)

        fresh = request.getfixturevalue(authority)
        replace_files(files, fresh.issue(HOST))

        assert ask(address, ca=fresh.file).suggestions
        with pytest.raises(PermanentError, match="not accepted"):
            ask(address, ca=mine.file)

    def test_a_change_that_cannot_be_used_is_passed_over(self, served, ours, tmp_path, caplog):
        files = Authority(tmp_path, "mine").issue(HOST, name="server")
        address = served(**files)
        replace_files({"cert": files["cert"]}, ours.issue(HOST))

        assert ask(address, ca=tmp_path / "mine.pem").suggestions
        assert "what was there before stays in force" in caplog.text


def replace_files(old, new):
    """Put the new files in the place of the old ones, as a tool that renews certificates does."""
    for name, path in old.items():
        aside = path.with_suffix(".aside")
        aside.write_bytes(new[name].read_bytes())
        os.replace(aside, path)


class TestClientCertificates:
    def test_a_known_one_is_let_in(self, served, ours):
        address = served(**ours.issue(HOST), client_ca=ours.file)

        assert ask(address, ca=ours.file, **ours.issue("trial@example.org")).suggestions

    def test_a_caller_without_one_is_not(self, served, ours):
        address = served(**ours.issue(HOST), client_ca=ours.file)

        with pytest.raises(PermanentError, match="it may want a client certificate"):
            ask(address, ca=ours.file)

    def test_nor_is_one_of_another_authority(self, served, ours, others):
        address = served(**ours.issue(HOST), client_ca=ours.file)

        with pytest.raises(PermanentError, match="it refuses the client certificate"):
            ask(address, ca=ours.file, **others.issue("trial@example.org"))

    def test_nor_is_an_expired_one(self, served, ours):
        address = served(**ours.issue(HOST), client_ca=ours.file)
        expired = ours.issue("trial@example.org", days=-1)

        with pytest.raises(SpecError, match="certificate has expired"):  # our client looks before it calls
            ask(address, ca=ours.file, **expired)
        credentials = grpc.ssl_channel_credentials(
            ours.file.read_bytes(), expired["key"].read_bytes(), expired["cert"].read_bytes()
        )
        with grpc.secure_channel(address, credentials, OPTIONS) as channel:
            code, _ = call(channel, "Suggestion", "GetSuggestions", pb.GetSuggestionsRequest())
        assert code is grpc.StatusCode.UNAVAILABLE


class TestToken:
    @pytest.fixture
    def channel(self, served):
        store = open_store("memory://").store
        address = served(
            suggestion(),
            db_manager(DBManagerServicer(store), store),
            early_stopping(EarlyStoppingServicer(store)),
            token="secret",
        )
        with grpc.insecure_channel(address, OPTIONS) as channel:
            yield channel

    @pytest.mark.parametrize(
        ("service", "method"),
        [
            ("Suggestion", "GetSuggestions"),
            ("Suggestion", "ValidateAlgorithmSettings"),
            ("DBManager", "ReportObservationLog"),
            ("DBManager", "GetObservationLog"),
            ("DBManager", "DeleteObservationLog"),
            ("EarlyStopping", "GetEarlyStoppingRules"),
            ("EarlyStopping", "SetTrialStatus"),
            ("EarlyStopping", "ValidateEarlyStoppingSettings"),
        ],
    )
    @pytest.mark.parametrize(
        "header",
        [None, "", "secret", "Bearer", "Bearer ", "Bearer secre", "Bearer secret2", "bearer secret", "Basic secret"],
    )
    def test_no_method_is_called_without_it(self, channel, service, method, header):
        metadata = () if header is None else (("authorization", header),)
        request = getattr(pb, f"{method}Request")()

        code, details = call(channel, service, method, request, metadata=metadata)

        assert code is grpc.StatusCode.UNAUTHENTICATED
        assert "token" in details
        assert call(channel, service, method, request, metadata=(("authorization", "Bearer secret"),)) != (
            code,
            details,
        )

    def test_reflection_needs_it_and_health_does_not(self, channel):
        question = reflection_pb2.ServerReflectionRequest(list_services="")
        with pytest.raises(grpc.RpcError) as caught:
            list(reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter([question]), timeout=10))
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
        health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
        assert health.status == health_pb2.HealthCheckResponse.SERVING

    def test_our_client_sends_it(self, served, ours, tmp_path):
        file = tmp_path / "token"
        file.write_text("s3cret\n")
        address = served(**ours.issue(HOST), token_file=file)

        assert ask(address, ca=ours.file, token="s3cret").suggestions
        assert ask(address, ca=ours.file, token="wrong", token_file=file).suggestions
        with pytest.raises(PermanentError, match="UNAUTHENTICATED"):
            ask(address, ca=ours.file, token="wrong")

    def test_a_new_token_in_the_file_is_in_force_at_once(self, served, tmp_path):
        file = tmp_path / "token"
        file.write_text("old")
        address = served(token_file=file)
        ask(address, token="old")
        file.write_text("newer")

        assert ask(address, token="newer").suggestions
        with pytest.raises(PermanentError, match="UNAUTHENTICATED"):
            ask(address, token="old")

    def test_threads_see_one_token_at_a_time(self, served):
        address = served(token="secret")
        wrong = []

        def refuse():
            try:
                ask(address, token="other")
            except PermanentError:
                wrong.append(1)

        threads = [threading.Thread(target=refuse) for _ in range(5)]
        for thread in threads:
            thread.start()
        assert ask(address, token="secret").suggestions
        for thread in threads:
            thread.join()
        assert len(wrong) == 5
