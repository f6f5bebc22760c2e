"""What the Kubernetes runner does about its own death, about a lost connection, and about what it leaves behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from katib.core.errors import UnavailableError
from katib.core.ports import Phase
from katib.core.trial import Cursor
from tests.contracts.runner_contract import update_of
from tests.trial_runners.kubernetes_attempts import (
    JOBS,
    KubernetesAdapter,
    Proxy,
    adapter_in,
    command,
    follow,
    shell,
    template,
    until,
)
from trial_runners.kubernetes.api import PODS

pytestmark = [pytest.mark.requires("k8s")]

COUNT = 40
PRINT = f"for i in $(seq {COUNT}); do echo line $i; sleep 0.1; done; printf end"
PRINTED = b"".join(b"line %d\n" % n for n in range(1, COUNT + 1)) + b"end"

OWNER = """
    import sys, time
    from pathlib import Path
    from katib.core.trial import Key
    from tests.trial_runners.kubernetes_attempts import KubernetesAdapter, Namespace, shell
    from tests.contracts.runner_contract import update_of
    root, namespace, script = sys.argv[1:]
    adapter = KubernetesAdapter(Path(root), Key(namespace, "study"), None)
    runner = adapter.open()
    attempt = shell(adapter.id(), script)
    runner.start(attempt)
    while True:
        runner.wait(0.1)
        print(sum(len(chunk.data) for chunk in update_of(runner, attempt.id).chunks), flush=True)
"""


@pytest.fixture
def adapter(tmp_path: Path, kubernetes_namespace: str) -> Iterator[KubernetesAdapter]:
    with adapter_in(kubernetes_namespace, tmp_path / "runs") as adapter:
        yield adapter


@pytest.fixture
def proxy(tmp_path: Path, adapter: KubernetesAdapter, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A way to the cluster that the runners under test take."""
    proxy = Proxy(tmp_path)
    monkeypatch.setenv("KUBECONFIG", str(proxy.kubeconfig))
    yield proxy
    adapter.close()
    proxy.close()


def test_killed_in_the_middle(adapter: KubernetesAdapter) -> None:
    """Another process goes on where the killed one was: one job, every byte once."""
    words = [str(adapter.root), adapter.key.namespace, PRINT]
    owner = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(OWNER), *words], stdout=subprocess.PIPE, cwd=Path.cwd()
    )
    try:
        assert owner.stdout is not None
        while int(owner.stdout.readline()) < 60:
            pass
    finally:
        os.kill(owner.pid, signal.SIGKILL)
        owner.wait()
    runner = adapter.open()
    attempt = shell(adapter.id(), PRINT)
    runner.start(attempt)  # as after a crash between the start and its record
    seen = follow(runner, attempt.id)
    assert seen.last.phase is Phase.SUCCEEDED
    assert seen.text() == PRINTED
    assert ("create", "jobs") not in runner.requests
    assert len(adapter.namespace.list(JOBS)) == len(adapter.namespace.list(PODS)) == 1


def test_from_another_machine(adapter: KubernetesAdapter, tmp_path: Path) -> None:
    """Without the local copy the same bytes come at the same offsets."""
    runner = adapter.open()
    attempt = shell(adapter.id(), PRINT)
    runner.start(attempt)
    until(lambda: bool(update_of(runner, attempt.id).chunks))
    runner.close()
    elsewhere = KubernetesAdapter(tmp_path / "elsewhere", adapter.key, adapter.namespace)
    other = elsewhere.open()
    until(lambda: update_of(other, attempt.id).phase.ended)
    (chunk,) = update_of(other, attempt.id, {"stdout": Cursor(7)}).chunks
    elsewhere.close()
    assert (chunk.start, chunk.data, chunk.final) == (Cursor(7), PRINTED[7:], True)


def test_broken_connections_cost_nothing(adapter: KubernetesAdapter, proxy: Proxy) -> None:
    runner = adapter.open()
    attempt = shell(adapter.id(), PRINT)
    runner.start(attempt)
    until(lambda: bool(update_of(runner, attempt.id).chunks))
    for _ in range(3):
        proxy.break_off()
        time.sleep(0.7)
    seen = follow(runner, attempt.id)
    assert (seen.last.phase, seen.text(), seen.last.problem) == (Phase.SUCCEEDED, PRINTED, "")
    assert runner.requests[("log", "pods")] >= 2


def test_the_server_is_away(adapter: KubernetesAdapter, proxy: Proxy) -> None:
    """The last known state is told meanwhile, nothing is lost, nothing can be started; then all goes on."""
    runner = adapter.open()
    attempt, other = shell(adapter.id(), PRINT), shell(adapter.id("trial-b"), "true")
    runner.start(attempt)
    until(lambda: update_of(runner, attempt.id).phase is Phase.RUNNING)
    proxy.cut()
    with pytest.raises(UnavailableError):
        runner.start(other)
    until_over = time.monotonic() + 5
    while time.monotonic() < until_over:
        assert update_of(runner, attempt.id).phase is Phase.RUNNING
        runner.wait(0.2)
    proxy.restore()
    seen = follow(runner, attempt.id)
    assert (seen.last.phase, seen.text()) == (Phase.SUCCEEDED, PRINTED)
    runner.start(other)
    assert follow(runner, other.id).last.phase is Phase.SUCCEEDED


def test_nothing_is_known_of_a_server_that_never_answered(adapter: KubernetesAdapter, proxy: Proxy) -> None:
    proxy.cut()
    runner = adapter.open()
    with pytest.raises(UnavailableError, match="does not answer"):
        update_of(runner, adapter.id())


@pytest.mark.parametrize("retain", [False, True])
def test_a_settled_job_is_deleted(adapter: KubernetesAdapter, retain: bool) -> None:
    adapter.template, adapter.settled = template(retain=retain), lambda id: True
    runner = adapter.open()
    attempt = shell(adapter.id(), "echo once")
    runner.start(attempt)
    assert follow(runner, attempt.id).text() == b"once\n"
    runner.wait(0)
    requests = dict(runner.requests)
    runner.close()
    until(lambda: len(adapter.namespace.list(JOBS)) == int(retain))
    again = update_of(adapter.open(), attempt.id)
    assert (again.phase, again.chunks[0].data) == (Phase.SUCCEEDED, b"once\n")
    assert requests[("create", "jobs")] == 1
    assert requests[("log", "pods")] <= 2  # once more if it was seen running
    assert requests.get(("get", "jobs"), 0) == 0


def test_leftovers_of_a_crash_are_deleted_and_running_ones_are_not(adapter: KubernetesAdapter) -> None:
    runner = adapter.open()
    ended, running = shell(adapter.id("trial-a"), "true"), shell(adapter.id("trial-b"), "sleep 30")
    runner.start(ended)
    runner.start(running)
    follow(runner, ended.id)
    runner.close()
    assert len(adapter.namespace.list(JOBS)) == 2, "nothing is settled yet"
    adapter.settled = lambda id: id == ended.id
    runner = adapter.open()
    until(lambda: update_of(runner, running.id).phase is Phase.RUNNING)
    runner.wait(0)
    until(lambda: [job["metadata"]["name"] for job in adapter.namespace.list(JOBS)] == ["trial-b"])
    runner.stop(running.id, grace=0)


def test_a_restarted_container_is_read_on(adapter: KubernetesAdapter, tmp_path: Path) -> None:
    """Its output follows that of the one before."""
    mark = tmp_path / "mark"
    script = f"if [ -e {mark} ]; then echo second; else : >{mark}; echo first; exit 1; fi"
    runner = adapter.open()
    changes = {"spec": {"backoffLimit": 3}, "pod": {"restartPolicy": "OnFailure"}}
    attempt = shell(adapter.id(), script, shared=tmp_path, **changes)
    runner.start(attempt)
    seen = follow(runner, attempt.id)
    assert (seen.last.phase, seen.text()) == (Phase.SUCCEEDED, b"first\nsecond\n")


def test_long_lines_arrive_whole(adapter: KubernetesAdapter) -> None:
    runner = adapter.open()
    attempt = command(adapter.id(), ["python3", "-c", "print('x' * 100_000); print('y', end='')"])
    runner.start(attempt)
    assert follow(runner, attempt.id).text() == b"x" * 100_000 + b"\ny"
