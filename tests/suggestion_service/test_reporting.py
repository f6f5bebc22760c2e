"""``push``: a trial's metrics reach DBManager once, through restarts, with certificates and tokens; or it says why."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from katib.report import measure
from katib.storage import open_store
from suggestion_service import reporting
from suggestion_service.db_manager import DBManagerServicer
from suggestion_service.reporting import push
from suggestion_service.security import ServerSecurity
from suggestion_service.server import db_manager, serve
from tests.suggestion_service.certificates import Authority

ROOT = Path(__file__).parents[2]


@pytest.fixture
def store():
    return open_store("memory://").store


@pytest.fixture
def served(store):
    """Start DBManager over the store; the address is the answer."""
    servers = []

    def start(port=0, servicer=None, **security):
        service = db_manager(servicer or DBManagerServicer(store), store)
        servers.append(serve(f"127.0.0.1:{port}", [service], ServerSecurity(**security)))
        return f"127.0.0.1:{servers[-1].port}"

    yield start
    for server in servers:
        server.stop(grace=0)


def environment(address, **more):
    return {"KATIB_DB_MANAGER_ADDRESS": address, "KATIB_TRIAL_NAME": "study-0000", **more}


def logged(store, namespace="default"):
    return [(row.measurement.metric, row.measurement.value, row.measurement.step)
            for row in store.log.read(namespace, "study-0000")]  # fmt: skip


def test_metrics_arrive_with_their_step(store, served):
    push(measure({"loss": 0.25, "acc": 1}, step=3), environment(served()))

    assert logged(store) == [("loss", 0.25, 3), ("acc", 1.0, 3)]


def test_a_namespace_may_be_named(store, served):
    push(measure({"loss": 1}), environment(served(), KATIB_NAMESPACE="team"))

    assert (logged(store), logged(store, "team")) == ([], [("loss", 1.0, None)])


def test_a_protected_service_is_reached(store, served, tmp_path):
    authority = Authority(tmp_path)
    client = authority.issue("trial@example.org")
    address = served(**authority.issue("127.0.0.1"), client_ca=authority.file, token="secret")
    how = {"CA": authority.file, "CERT": client["cert"], "KEY": client["key"], "TOKEN": "secret"}

    push(measure({"loss": 1}), environment(address, **{f"KATIB_DB_MANAGER_{n}": str(v) for n, v in how.items()}))

    assert logged(store) == [("loss", 1.0, None)]


def test_a_service_that_comes_back_is_waited_for(store, served):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    threading.Timer(0.7, lambda: served(port)).start()

    push(measure({"loss": 1}), environment(f"127.0.0.1:{port}"))

    assert logged(store) == [("loss", 1.0, None)]


class Deaf(DBManagerServicer):
    """Takes a report, and loses the first answers."""

    def __init__(self, store, lost):
        super().__init__(store)
        self.lost = lost

    def ReportObservationLog(self, data, context):
        reply = super().ReportObservationLog(data, context)
        if self.lost > 0:
            self.lost -= 1
            time.sleep(1.0)
        return reply


def test_a_report_whose_answer_was_lost_is_recorded_once(store, served, monkeypatch):
    monkeypatch.setattr(reporting, "_CALL", 0.3)
    servicer = Deaf(store, lost=2)

    push(measure({"loss": 1}), environment(served(servicer=servicer)))

    assert servicer.lost == 0
    assert logged(store) == [("loss", 1.0, None)]


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        pytest.param({"KATIB_TRIAL_NAME": ""}, ValueError, "KATIB_TRIAL_NAME does not say", id="no-trial"),
        pytest.param({"KATIB_TRIAL_NAME": "x" * 300}, RuntimeError, "trial_name", id="refused"),
        pytest.param({"KATIB_DB_MANAGER_TOKEN_FILE": "/no"}, RuntimeError, "cannot read /no", id="no-token-file"),
        pytest.param({"KATIB_DB_MANAGER_CA": "/no"}, RuntimeError, "cannot read /no", id="no-ca"),
    ],
)
def test_what_cannot_be_is_said_at_once(store, served, change, error, words):
    with pytest.raises(error, match=words):
        push(measure({"loss": 1}), {**environment(served()), **change})


def test_patience_has_an_end(monkeypatch):
    monkeypatch.setattr(reporting, "PATIENCE", 0.5)

    with pytest.raises(RuntimeError, match=r"metrics of trial study-0000 were not taken: .*127\.0\.0\.1:1"):
        push(measure({"loss": 1}), environment("127.0.0.1:1"))


def test_a_certificate_that_is_not_accepted_is_named(store, served, tmp_path, monkeypatch):
    monkeypatch.setattr(reporting, "PATIENCE", 0.5)
    address = served(**Authority(tmp_path, "ours").issue("127.0.0.1"))
    ca = str(Authority(tmp_path, "others").file)

    with pytest.raises(RuntimeError, match="its certificate is not accepted"):
        push(measure({"loss": 1}), environment(address, KATIB_DB_MANAGER_CA=ca))


def test_threads_and_forked_processes_may_report(store, served):
    address = served()
    code = (
        "import os, threading\n"
        "from katib.report import measure\n"
        "from suggestion_service.reporting import push\n"
        "report = lambda name: push(measure({name: 1}))\n"
        "report('before')\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    report('child'); os._exit(0)\n"
        "threads = [threading.Thread(target=report, args=(f'thread{i}',)) for i in range(4)]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]\n"
        "assert os.waitpid(pid, 0)[1] == 0\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment(address)},
        cwd=ROOT,
        capture_output=True,
        timeout=120,
    )

    assert done.returncode == 0, done.stderr
    assert sorted(metric for metric, *_ in logged(store)) == ["before", "child", *(f"thread{i}" for i in range(4))]
