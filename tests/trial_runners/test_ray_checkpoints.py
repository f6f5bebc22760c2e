"""Checkpoints of trials on Ray that outlive the node they were written on."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from katib.core.errors import PermanentError
from katib.core.ports import Phase
from tests.contracts.runner_contract import attempt_id, follow, until
from tests.trial_runners.local_attempts import shell
from tests.trial_runners.objectives import attempt, perform
from tests.trial_runners.ray_cluster import joined, running_ray
from trial_runners.settings import RaySettings

pytestmark = [pytest.mark.requires("ray"), pytest.mark.ray]

APPEND = 'f=$KATIB_CHECKPOINT_DIR/state.txt; printf a >>"$f"; echo "loss=$(wc -c <"$f")"'


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with running_ray(cpus=2) as address, joined(address):
        yield address


@pytest.fixture(params=["function", "command"])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def runner(tmp_path: Path, address: str, kind: str):
    from trial_runners.ray import RayRunner

    settings = RaySettings(address, checkpoints=str(tmp_path / "shared"), folder=str(tmp_path / "node"))
    objective = perform if kind == "function" else None
    runner = RayRunner(
        tmp_path / "runs", settings=settings, objective=objective, metric="loss", parallel=1, document={}
    )
    yield runner
    runner.close()


def appending(kind: str, id, parent=None):
    """Adds a letter to its checkpoint, and measures how long it is."""
    if kind == "function":
        return attempt(id, "checkpoint", parent=parent, text="a")
    return replace(shell(APPEND, id=id), parent=parent)


def length(runner, attempt) -> int:
    runner.start(attempt)
    seen = follow(runner, attempt.id, timeout=60)
    assert seen.last.phase is Phase.SUCCEEDED, seen.last
    if seen.measurements:
        return int(seen.measurements[-1].value)
    (line,) = [line for line in seen.text().decode().splitlines() if line.startswith("loss=")]
    return int(line.partition("=")[2])


def lose_node(tmp_path: Path) -> None:
    """All that a node had of trials is gone, as with another node's disk."""
    for folder in (tmp_path / "node").glob("*/*/team"):
        shutil.rmtree(folder)


def test_what_a_trial_continues_comes_from_the_storage(kind: str, runner, tmp_path: Path) -> None:
    parent = attempt_id("parent")
    assert length(runner, appending(kind, parent)) == 1
    lose_node(tmp_path)
    assert length(runner, appending(kind, attempt_id("child"), parent)) == 2
    assert length(runner, appending(kind, attempt_id("child", attempt=2), parent)) == 3
    runner.release(parent)
    until(lambda: not list((tmp_path / "shared").glob("**/parent/*.tar")))
    assert len(list((tmp_path / "shared").glob("**/child/*.tar"))) == 2
    for number in (1, 2):
        runner.release(attempt_id("child", attempt=number), everything=True)
    until(lambda: not list((tmp_path / "shared").glob("**/*.tar")))


def test_a_checkpoint_that_nobody_left_is_told(kind: str, runner, tmp_path: Path) -> None:
    assert length(runner, appending(kind, attempt_id("child"), attempt_id("parent"))) == 1
    (log,) = (tmp_path / "runs").glob("**/child/1/stdout.log")
    assert "katib: trial parent has left no checkpoint to continue from" in log.read_text()


def test_trouble_with_the_storage_fails_nobody_but_is_told(kind: str, runner, tmp_path: Path) -> None:
    (tmp_path / "shared").write_text("a file, not a folder")
    alone = appending(kind, attempt_id("alone"))
    runner.start(alone)
    last = follow(runner, alone.id, timeout=60).last
    assert (last.phase, last.problem[:34]) == (Phase.SUCCEEDED, "the checkpoint cannot be saved: [E")


def test_a_url_that_nobody_knows_is_an_error_at_once(tmp_path: Path, address: str) -> None:
    from trial_runners.ray import RayRunner

    settings = RaySettings(address, checkpoints="nosuch://x")
    with pytest.raises(PermanentError, match="checkpoints at 'nosuch://x'"):
        RayRunner(tmp_path, settings=settings, objective=os.getpid, metric="loss", parallel=1, document={})
