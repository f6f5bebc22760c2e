"""Trials on a Ray of several nodes: how often each is asked, and what becomes of trials on one that dies."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from katib.core.ports import Phase
from katib.core.trial import AttemptId, FailureClass
from tests.contracts.runner_contract import attempt_id, follow, until
from tests.trial_runners.local_attempts import nothing_left, shell
from tests.trial_runners.objectives import attempt, perform
from tests.trial_runners.ray_cluster import joined, open_runner, several_nodes
from trial_runners.attempt_folder import AttemptFolder

pytestmark = [pytest.mark.requires("ray"), pytest.mark.ray]


@pytest.fixture(scope="module")
def cluster() -> Iterator[object]:
    with several_nodes(cpus=(1, 1)) as cluster, joined(cluster.address):
        yield cluster


def test_output_of_commands_on_all_nodes_is_brought_here(cluster, tmp_path: Path) -> None:
    with nothing_left(tmp_path / "node"):
        runner = open_runner(tmp_path / "runs", cluster.address, folder=str(tmp_path / "node"))
        ids = [attempt_id("a"), attempt_id("b")]
        for id in ids:
            runner.start(shell(f"echo begun; sleep 1; seq 1 5000; echo loss={len(id.trial)}", id=id))
        for id in ids:
            assert follow(runner, id).text().endswith(b"5000\nloss=1\n")
            assert AttemptFolder.of(tmp_path / "runs", id).log.read_text().startswith("begun\n1\n2\n")
        runner.close()


def test_each_node_is_asked_once_an_interval_and_its_death_loses_its_trials(cluster, tmp_path: Path) -> None:
    from trial_runners.ray.agents import INTERVAL

    runner = open_runner(tmp_path / "runs", cluster.address, objective=perform, folder=str(tmp_path / "node"))
    ids = [attempt_id("a"), attempt_id("b")]
    for id in ids:
        runner.start(attempt(id, "sleep", seconds=120))
    until(lambda: [update.phase for update in runner.poll({id: {} for id in ids})] == [Phase.RUNNING] * 2, 60)
    reported: set[AttemptId] = set()  # the nodes need not answer in the same poll

    def all_report() -> bool:
        reported.update(update.id for update in runner.poll({id: {} for id in ids}) if update.measurements)
        return len(reported) == len(ids)

    until(all_report, 60)
    cursors = {id: {} for id in ids}
    before, began, polls, seen = dict(runner.calls), time.monotonic(), 0, 0
    while polls <= 50 or seen <= 20:
        assert time.monotonic() < began + 60
        runner.wait(0.01)
        for update in runner.poll(cursors):
            cursors[update.id] = {**cursors[update.id], **update.ends}
            seen += len(update.measurements)
        polls += 1
    most = (time.monotonic() - began) / INTERVAL + 2
    calls = {node: count - before.get(node, 0) for node, count in runner.calls.items()}
    assert len(calls) == 2
    assert all(1 <= count <= most for count in calls.values()), (calls, most)

    cluster.remove_node(cluster.list_all_nodes()[-1], allow_graceful=False)
    until(lambda: Phase.LOST in [update.phase for update in runner.poll(cursors)], 60)
    lost, other = sorted(runner.poll(cursors), key=lambda update: update.phase is not Phase.LOST)
    assert (lost.failure, other.phase) == (FailureClass.LOST, Phase.RUNNING)
    assert "node" in lost.reason or "died" in lost.reason  # its agent may have lived a moment longer than its actor
    runner.stop(other.id)
    assert follow(runner, other.id).last.phase is Phase.STOPPED
    runner.start(attempt(attempt_id("c"), "constant"))
    assert follow(runner, attempt_id("c")).last.phase is Phase.SUCCEEDED
    runner.close()
