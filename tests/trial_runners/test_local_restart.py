"""Trials outlive the engine: whatever moment it is killed at, each trial runs once and is found again."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from katib.core.ports import Phase
from katib.core.trial import FailureClass
from tests.contracts.runner_contract import attempt_id, follow, until, update_of
from tests.trial_runners.local_attempts import command, living, nothing_left, shell
from trial_runners.attempt_folder import AttemptFolder
from trial_runners.local import LocalRunner
from trial_runners.local.command import order_for

# An engine in small: starts trials that append a line each, and keeps two of them running, until it is killed.
ENGINE = """
import sys
from pathlib import Path
from tests.contracts.runner_contract import attempt_id
from tests.trial_runners.local_attempts import shell
from trial_runners.local import LocalRunner

root, count, script = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
runner = LocalRunner(root, cwd=root.parent, gpus=("0", "1"))
limits = {"nvidia.com/gpu": 1} if "gpu" in sys.argv[4:] else None
waiting = [shell(script.replace("NUMBER", str(n)), id=attempt_id(f"t{n}"), limits=limits) for n in range(count)]
active = {}
while waiting or active:
    while waiting and len(active) < 2:
        attempt = waiting.pop(0)
        runner.start(attempt)
        active[attempt.id] = {}
        print("started", attempt.id.trial, flush=True)
    runner.wait(1.0)
    for update in list(runner.poll(active)):
        if update.phase.ended:
            del active[update.id]
"""


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    with nothing_left(tmp_path / "runs"):
        yield tmp_path / "runs"


def engine(root: Path, count: int, script: str, *options: str) -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", ENGINE, str(root), str(count), script, *options]
    return subprocess.Popen(argv, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True)


def kill(process: subprocess.Popen[str]) -> None:
    """kill -9, as a crash would."""
    process.kill()
    process.communicate()


def test_running_trials_are_adopted(root: Path, tmp_path: Path) -> None:
    script = "echo begun; echo NUMBER >>lines; until [ -e go ]; do sleep 0.05; done; echo done; exit NUMBER"
    first = engine(root, 2, script)
    until(lambda: (tmp_path / "lines").exists() and len((tmp_path / "lines").read_text()) == 4)
    kill(first)
    runner = LocalRunner(root, cwd=tmp_path)
    ids = [attempt_id("t0"), attempt_id("t1")]
    for id in ids:
        runner.start(shell(script, id=id))
    assert [update.phase for update in runner.poll({id: {} for id in ids})] == [Phase.RUNNING] * 2
    (tmp_path / "go").touch()
    succeeded, failed = (follow(runner, id) for id in ids)
    runner.close()
    assert (succeeded.last.phase, succeeded.text()) == (Phase.SUCCEEDED, b"begun\ndone\n")
    assert (failed.last.phase, failed.last.reason) == (Phase.FAILED, "exit status 1")
    assert len((tmp_path / "lines").read_text()) == 4, "no trial ran twice"


def test_an_end_that_nobody_saw(root: Path, tmp_path: Path) -> None:
    process = engine(root, 1, "setsid sleep 300 & sleep 0.5; echo 1 >>lines; exit 7")
    assert process.stdout is not None
    process.stdout.readline()
    kill(process)
    until((tmp_path / "lines").exists)
    time.sleep(0.2)
    runner = LocalRunner(root)
    last = follow(runner, attempt_id("t0")).last
    assert (last.phase, last.reason) == (Phase.FAILED, "exit status 7")
    assert not living(root), "what it had left behind is gone before its end is told"
    runner.close()


def test_trial_and_engine_killed(root: Path) -> None:
    process = engine(root, 1, "sleep 300")
    assert process.stdout is not None
    process.stdout.readline()
    kill(process)
    folder = AttemptFolder.of(root, attempt_id("t0"))
    until(lambda: folder.progress().began)
    psutil.Process(folder.progress().pid).kill()
    runner = LocalRunner(root)
    last = follow(runner, attempt_id("t0")).last
    assert (last.phase, last.failure) == (Phase.LOST, FailureClass.LOST)
    assert not living(root)
    runner.close()


@pytest.mark.parametrize("seed", [*range(4), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(4, 8))])
def test_killed_at_any_moment_each_runs_once(root: Path, tmp_path: Path, seed: int) -> None:
    count, script = 12, "echo NUMBER >>lines; sleep 0.02"
    process = engine(root, count, script)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(random.Random(seed).uniform(0, 0.4))
    kill(process)
    runner = LocalRunner(root, cwd=tmp_path)
    attempts = [shell(script.replace("NUMBER", str(n)), id=attempt_id(f"t{n}")) for n in range(count)]
    for attempt in attempts:
        runner.start(attempt)
    assert [follow(runner, attempt.id).last.phase for attempt in attempts] == [Phase.SUCCEEDED] * count
    runner.close()
    assert sorted(map(int, (tmp_path / "lines").read_text().split())) == list(range(count))


def test_killed_between_order_and_launch(root: Path, tmp_path: Path) -> None:
    attempt = shell("echo 1 >>lines")
    runner = LocalRunner(root, cwd=tmp_path)
    folder = AttemptFolder.of(root, attempt.id)
    with folder.lock(make=True) as journal:
        folder.prepare(journal, order_for(attempt, folder, tmp_path), None)
    assert follow(runner, attempt.id).last.phase is Phase.SUCCEEDED
    runner.close()
    assert (tmp_path / "lines").read_text() == "1\n"


def test_killed_while_the_order_was_written(root: Path, tmp_path: Path) -> None:
    folder = AttemptFolder.of(root, attempt_id())
    folder.path.mkdir(parents=True)
    (folder.path / "attempt.jsonl").write_text('{"argv": ["/bin/fal')
    runner = LocalRunner(root, cwd=tmp_path)
    assert update_of(runner, attempt_id()).phase is Phase.LOST
    runner.start(command(["/bin/true"]))
    assert follow(runner, attempt_id()).last.phase is Phase.SUCCEEDED
    runner.close()


def test_two_runners_start_it_once(root: Path, tmp_path: Path) -> None:
    runners = [LocalRunner(root, cwd=tmp_path) for _ in range(4)]
    for number in range(10):
        attempt = shell(f"echo {number} >>lines; sleep 0.1", id=attempt_id(f"t{number}"))
        threads = [threading.Thread(target=runner.start, args=[attempt]) for runner in runners]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {follow(runner, attempt.id).last.phase for runner in runners} == {Phase.SUCCEEDED}
    assert (tmp_path / "lines").read_text().split() == [str(number) for number in range(10)]
    for runner in runners:
        runner.close()


def test_a_stop_outlives_the_engine(root: Path, tmp_path: Path) -> None:
    attempt = shell("trap '' TERM; : >ready; sleep 300")
    runner = LocalRunner(root, cwd=tmp_path)
    runner.start(attempt)
    until((tmp_path / "ready").exists)
    runner.stop(attempt.id, grace=0.5)
    runner.close()
    runner = LocalRunner(root)
    assert update_of(runner, attempt.id).phase is Phase.RUNNING
    assert follow(runner, attempt.id, timeout=5).last.phase is Phase.STOPPED
    runner.close()


def test_a_deadline_outlives_the_engine(root: Path) -> None:
    """It counts from the start of the trial, not from that of the engine."""
    attempt = command(["sleep", "600"], deadline=300)
    runner = LocalRunner(root)
    runner.start(attempt)
    runner.close()
    journal = AttemptFolder.of(root, attempt.id).path / "attempt.jsonl"
    until(lambda: AttemptFolder.of(root, attempt.id).progress().began)
    for ago, expected in ((200, Phase.RUNNING), (400, Phase.FAILED)):
        os.utime(journal, (time.time() - ago,) * 2)  # as if it had begun so many seconds ago
        runner = LocalRunner(root)
        last = follow(runner, attempt.id).last if expected is Phase.FAILED else update_of(runner, attempt.id)
        assert last.phase is expected
        runner.close()
    assert last.failure is FailureClass.TIME_OUT


def test_gpus_stay_taken(root: Path) -> None:
    process = engine(root, 2, "echo $CUDA_VISIBLE_DEVICES; sleep 300", "gpu")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.readline()
    kill(process)
    runner = LocalRunner(root, gpus=("0", "1"))
    third = command(["/bin/true"], id=attempt_id("third"), limits={"nvidia.com/gpu": 1})
    runner.start(third)
    update = update_of(runner, third.id)
    assert (update.phase, update.reason) == (Phase.WAITING, "1 GPU asked, 0 of 2 free")
    runner.stop(attempt_id("t0"), grace=0)
    assert follow(runner, third.id).last.phase is Phase.SUCCEEDED
    runner.close()
