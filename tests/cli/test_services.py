"""``katib services``: what listens where, over which store, and how a run reaches it."""

from __future__ import annotations

import signal
import socket

import grpc
import pytest

from katib.cli.exits import FAILED, OK, USAGE
from suggestion_service.generated import api_pb2 as pb
from tests.cli.command_line import document, started, write
from tests.suggestion_service.certificates import Authority
from tests.suggestion_service.katib_client import OPTIONS, call, report, rows_of

ANY = ("--port", "0", "--early-stopping-port", "0")
LINES = ("Suggestion, DBManager listening on 127.0.0.1:", "EarlyStopping listening on 127.0.0.1:")


def addresses(process, lines=LINES):
    """Where the services of each line listen."""
    for line in lines:
        process.said(line)
    printed = process.out.splitlines()
    assert [line.rpartition(":")[0] for line in printed] == [line.removesuffix(":") for line in lines]
    return [line.rpartition(" ")[2] for line in printed]


def services_at(address):
    """Which of Katib's services answer there (with anything but UNIMPLEMENTED)."""
    methods = {"Suggestion": "GetSuggestions", "DBManager": "GetObservationLog", "EarlyStopping": "SetTrialStatus"}
    with grpc.insecure_channel(address, OPTIONS) as channel:
        answers = {
            name: call(channel, name, method, getattr(pb, f"{method}Request")()) for name, method in methods.items()
        }
    return {name for name, answer in answers.items() if answer[0] is not grpc.StatusCode.UNIMPLEMENTED}


def test_each_line_says_what_listens_where(home, tmp_path):
    with started(tmp_path, "services", *ANY) as process:
        first, second = addresses(process)
        assert services_at(first) == {"Suggestion", "DBManager"}
        assert services_at(second) == {"EarlyStopping"}
        process.signal(signal.SIGTERM)
        assert process.end().status == OK


def test_one_port_may_serve_all(home, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    with started(tmp_path, "services", "--port", port, "--early-stopping-port", port) as process:
        (address,) = addresses(process, ["Suggestion, DBManager, EarlyStopping listening on 127.0.0.1:"])
        assert services_at(address) == {"Suggestion", "DBManager", "EarlyStopping"}


def test_they_serve_the_store_and_what_they_are_told_outlives_them(katib, home, tmp_path):
    katib("run", write(tmp_path, document()))
    name = katib("get", "trials", "exp", "-o", "name").out.split()[0].partition("/")[2]
    for _ in range(2):
        with started(tmp_path, "services", *ANY) as process:
            address, _ = addresses(process)
            with grpc.insecure_channel(address, OPTIONS) as channel:
                get = pb.GetObservationLogRequest(trial_name=name, metric_name="loss")
                assert len(rows_of(call(channel, "DBManager", "GetObservationLog", get))) == 1
                rows = rows_of(
                    call(channel, "DBManager", "GetObservationLog", pb.GetObservationLogRequest(trial_name="other"))
                )
                call(channel, "DBManager", "ReportObservationLog", report("other", ("2024-05-01T12:00:00Z", "a", "1")))
            process.popen.kill()
            process.end()
    assert rows == [("2024-05-01T12:00:00Z", "a", "1")]


def test_a_run_reaches_a_protected_service(katib, home, tmp_path, monkeypatch):
    authority = Authority(tmp_path)
    server, client = authority.issue("127.0.0.1"), authority.issue("run@example.org")
    token = tmp_path / "token"
    token.write_text("secret\n")
    protection = ("--tls-cert", server["cert"], "--tls-key", server["key"], "--tls-client-ca", authority.file)
    with started(tmp_path, "suggestion-service", "--port", "0", *protection, "--token-file", token) as process:
        process.said("listening on")
        address = process.out.split()[-1]
        reach = (
            "--suggestion-ca",
            authority.file,
            "--suggestion-cert",
            client["cert"],
            "--suggestion-key",
            client["key"],
        )
        file = write(tmp_path, document())

        answer = katib("run", file, "--suggestion", address)
        assert (answer.status, "it speaks TLS: give the CA file" in answer.err) == (USAGE, True)
        answer = katib("run", file, "--suggestion", address, *reach)
        assert (answer.status, "needs a token" in answer.err) == (USAGE, True)
        monkeypatch.setenv("KATIB_SUGGESTION_TOKEN", "secret")
        assert katib("run", file, "--suggestion", address, *reach).status == OK


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(("--host", "0.0.0.0"), "needs a certificate (--tls-cert, --tls-key) and a token", id="open"),
        pytest.param(("--tls-cert", "a"), "--tls-cert needs --tls-key", id="half"),
        pytest.param(("--token-file", "none"), "token: cannot read none", id="no-file"),
    ],
)
@pytest.mark.parametrize("command", ["services", "suggestion-service"])
def test_what_cannot_be_served_is_refused(katib, home, command, words, said):
    answer = katib(command, "--port", "0", *words)

    assert answer.status in (FAILED, USAGE)
    assert said in answer.err
    assert answer.out == ""
