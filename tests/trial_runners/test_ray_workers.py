"""Trials of several workers on one Ray."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from katib.core.ports import Phase, Runner
from katib.core.trial import Attempt, FailureClass
from katib.resources.python_function import function_document
from tests.contracts.runner_contract import attempt_id, follow, until, update_of
from tests.trial_runners.ray_cluster import joined, open_runner, running_ray
from tests.trial_runners.worker_objectives import cooperate
from trial_runners.attempt_folder import AttemptFolder

pytestmark = [pytest.mark.requires("ray"), pytest.mark.ray]

Team = Callable[..., Runner]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with running_ray(cpus=2) as address, joined(address):
        yield address


@pytest.fixture
def team(tmp_path: Path, address: str) -> Iterator[Callable[..., Runner]]:
    """Opens a runner on the same place each time."""
    opened: list[Runner] = []

    def team(workers: int = 2, **resources: float) -> Runner:
        document = function_document(resources, workers, False)
        opened.append(open_runner(tmp_path / "runs", address, objective=cooperate, document=document))
        return opened[-1]

    yield team
    for runner in opened:
        runner.close()


def deed(do: str, trial: str = "trial-a", **parameters) -> Attempt:
    return Attempt(attempt_id(trial), 0, {"do": do, **parameters})


def groups_left() -> list[str]:
    import ray

    return [g["state"] for g in ray.util.placement_group_table().values() if g["state"] != "REMOVED"]


def gone(folder: Path) -> bool:
    return not any(psutil.pid_exists(int(file.read_text() or "0")) for file in folder.glob("pid-*"))


def until_all_run(runner, folder: Path, workers: int = 2) -> None:
    until(lambda: update_of(runner, attempt_id()).phase is Phase.RUNNING and all_there(folder, workers), 120)


def all_there(folder: Path, workers: int) -> bool:
    return len([file for file in folder.glob("pid-*") if file.read_text()]) == workers


def test_workers_meet_and_the_first_is_measured(tmp_path: Path, team: Team) -> None:
    runner = team()
    for trial in ("trial-a", "trial-b"):
        runner.start(deed("meet", trial))
    for trial in ("trial-a", "trial-b"):
        seen = follow(runner, attempt_id(trial), timeout=120)
        assert (seen.last.phase, seen.last.reason) == (Phase.SUCCEEDED, "")
        assert [m.value for m in seen.measurements] == [100.0, 1.0]
        folder = AttemptFolder.of(tmp_path / "runs", attempt_id(trial))
        assert folder.log.read_text() == "worker 0 of 2 0\n"
        assert (folder.path / "worker-1.log").read_text() == "worker 1 of 2 1\n"
    until(lambda: not groups_left(), 60)


@pytest.mark.parametrize("who", [0, 1])
@pytest.mark.parametrize(
    ("do", "phase", "failure", "reason"),
    [
        pytest.param("fail", Phase.FAILED, FailureClass.USER_ERROR, "ValueError: went wrong", id="raises"),
        pytest.param("exit", Phase.LOST, FailureClass.LOST, "", id="dies"),
    ],
)
def test_a_worker_that_fails_ends_the_trial(
    tmp_path: Path, team: Team, who: int, do: str, phase: Phase, failure: FailureClass, reason: str
) -> None:
    runner = team()
    runner.start(deed(do, who=who, folder=str(tmp_path), deaf=True))
    last = follow(runner, attempt_id(), timeout=120).last
    assert (last.phase, last.failure) == (phase, failure)
    assert last.reason.endswith(reason)
    assert last.reason.startswith("worker 1: ") == bool(who)
    until(lambda: gone(tmp_path) and not groups_left(), 60)


def test_one_that_fails_after_the_first_has_returned_counts(tmp_path: Path, team: Team) -> None:
    runner = team()
    runner.start(deed("late"))
    last = follow(runner, attempt_id(), timeout=120).last
    assert (last.phase, last.reason) == (Phase.FAILED, "worker 1: ValueError: went wrong")


@pytest.mark.parametrize("deaf", [False, True], ids=["asked", "made to"])
def test_a_stop_reaches_all(tmp_path: Path, team: Team, deaf: bool) -> None:
    runner = team()
    runner.start(deed("sleep", folder=str(tmp_path), deaf=deaf))
    until_all_run(runner, tmp_path)
    runner.stop(attempt_id(), grace=1.0 if deaf else 30.0)
    assert follow(runner, attempt_id(), timeout=120).last.phase is Phase.STOPPED
    until(lambda: gone(tmp_path) and not groups_left(), 60)


def test_without_room_for_all_none_begins(tmp_path: Path, team: Team) -> None:
    runner = team(workers=3)
    runner.start(deed("meet"))
    until(lambda: update_of(runner, attempt_id()).reason == "3 CPUs asked, 2 exist", 60)
    assert update_of(runner, attempt_id()).phase is Phase.WAITING
    until(lambda: groups_left() == ["PENDING"], 60)
    runner.stop(attempt_id())
    assert update_of(runner, attempt_id()).phase is Phase.STOPPED
    until(lambda: not groups_left(), 60)


def test_the_next_runner_finds_it(tmp_path: Path, team: Team) -> None:
    runner = team()
    runner.start(deed("sleep", folder=str(tmp_path)))
    until_all_run(runner, tmp_path)
    before = sorted(file.read_text() for file in tmp_path.glob("pid-*"))
    runner.close()
    runner = team()
    runner.start(deed("sleep", folder=str(tmp_path)))
    assert update_of(runner, attempt_id()).phase is Phase.RUNNING
    assert sorted(file.read_text() for file in tmp_path.glob("pid-*")) == before
    runner.stop(attempt_id(), grace=30)
    assert follow(runner, attempt_id(), timeout=120).last.phase is Phase.STOPPED
    until(lambda: not groups_left(), 60)
