"""The server ends, by SIGTERM or ``kill -9``, while experiments run: trials go on, the next server adopts them, and
counts stay exact."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.server.documents import experiment, path, wait_for
from tests.server.server_process import Served, serving

NAMES = ("first", "second")
TRIALS = 3
SECONDS = 8  # that the server may take to end; clients are served for less than that after SIGTERM


def create(client: httpx.Client, ledger: Path) -> None:
    """Experiments whose trials note when they begin and when they end."""
    for name in NAMES:
        tree = experiment(name, trials=TRIALS)
        template = tree["spec"]["trialTemplate"]
        template["trialParameters"].append({"name": "name", "reference": "${trialSpec.Name}"})
        note = f"echo $0 ${{trialParameters.name}} >> {ledger}"
        container = template["trialSpec"]["spec"]["template"]["spec"]["containers"][0]
        script = (
            f"{note.replace('$0', 'begin')}; sleep 3; echo loss=${{trialParameters.x}}; {note.replace('$0', 'end')}"
        )
        container["command"] = ["sh", "-c", script]
        assert client.post(path(), json=tree).status_code == 201
    deadline = time.monotonic() + 30
    while len(running(client)) < len(NAMES) * 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def running(client: httpx.Client) -> list[str]:
    statuses = [client.get(path(name)).json()["status"] for name in NAMES]
    return [trial for status in statuses for trial in status.get("runningTrialList", [])]


class Follower:
    """A client that reads an answer to its end, in a thread."""

    def __init__(self, served: Served, where: str) -> None:
        self.error: Exception | None = None
        self.began = threading.Event()
        self._thread = threading.Thread(target=self._read, args=(served, where))
        self._thread.start()

    def _read(self, served: Served, where: str) -> None:
        try:
            with served.client() as client, client.stream("GET", where) as answer:
                assert answer.status_code == 200
                self.began.set()
                for _ in answer.iter_raw():
                    pass
        except Exception as error:
            self.error = error

    def ended_well(self) -> bool:
        """Whether its answer had an end that it knows for one."""
        self._thread.join(30)
        return not self._thread.is_alive() and self.error is None


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL], ids=lambda end: end.name)
def test_trials_outlive_the_server(tmp_path, end):
    ledger, followers = tmp_path / "ledger", []
    with serving(tmp_path / "home", end=end) as served, served.client() as client:
        create(client, ledger)
        if end == signal.SIGTERM:
            pod = client.get("/api/v1/namespaces/default/pods").json()["items"][0]["metadata"]["name"]
            wheres = (f"{path()}?watch=1", f"/api/v1/namespaces/default/pods/{pod}/log?follow=1")
            followers = [Follower(served, where) for where in wheres]
            assert all(follower.began.wait(20) for follower in followers)
        before = running(client)
        began = time.monotonic()
    assert time.monotonic() - began < SECONDS
    assert all(follower.ended_well() for follower in followers), [follower.error for follower in followers]
    assert before
    with serving(tmp_path / "home") as served, served.client() as client:
        for name in NAMES:
            status = wait_for(client, name, seconds=60)["status"]
            assert (status["trials"], status["trialsSucceeded"]) == (TRIALS, TRIALS)
        names = [each["metadata"]["name"] for each in client.get(path(plural="trials")).json()["items"]]
    noted = ledger.read_text().split("\n")[:-1]
    assert sorted(noted) == sorted(f"{what} {name}" for name in names for what in ("begin", "end"))
