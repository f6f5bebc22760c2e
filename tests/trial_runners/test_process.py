"""The process runner: the contract, and what workers survive, report and leave behind."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import psutil
import pytest

from katib.core.errors import RunnerError, SpecError
from katib.core.ports import Phase, Runner
from katib.core.trial import Attempt, AttemptId, FailureClass
from tests.contracts.runner_contract import RunnerContract, attempt_id, follow, until, update_of
from tests.trial_runners.function_adapter import FunctionAdapter
from tests.trial_runners.objectives import attempt, perform
from trial_runners.process import ProcessRunner

ROOT = Path(__file__).parents[2]


class ProcessAdapter(FunctionAdapter):
    def open(self) -> Runner:
        return ProcessRunner(perform, metric="loss", workers=2)


class TestProcess(RunnerContract):
    @pytest.fixture
    def adapter(self) -> ProcessAdapter:
        return ProcessAdapter()


@pytest.fixture(autouse=True)
def nothing_is_left_running() -> Iterator[None]:
    yield
    assert workers() == []


@pytest.fixture
def runner() -> Iterator[ProcessRunner]:
    runner = ProcessRunner(perform, metric="loss", workers=1)
    yield runner
    runner.close()


def workers(of: int | None = None) -> list[int]:
    """Worker processes below ``of``, or below this process."""
    found = []
    for process in psutil.Process(of).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # it ended just now; a zombie has no command line either
            if any("trial_runners.worker" in word for word in process.cmdline()):
                found.append(process.pid)
    return found


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def ends(runner: Runner, *ids: AttemptId, timeout: float = 20.0) -> list[Phase]:
    """The phases in which the attempts end."""
    deadline = time.monotonic() + timeout
    while True:
        phases = [update.phase for update in runner.poll({id: {} for id in ids})]
        if all(phase.ended for phase in phases):
            return phases
        assert time.monotonic() < deadline, phases
        runner.wait(1.0)


def run(objective: Any, **parameters: Any) -> Any:
    """Run one attempt of ``objective`` in a worker; the answer is all that was seen of it."""
    runner = ProcessRunner(objective, metric="loss", workers=1)
    try:
        runner.start(Attempt(attempt_id(), 0, parameters))
        return follow(runner, attempt_id())
    finally:
        runner.close()


def test_values_and_steps_arrive_exactly(runner: ProcessRunner) -> None:
    runner.start(attempt(attempt_id(), "curve", count=3))
    assert [(m.metric, m.value, m.text, m.step) for m in follow(runner, attempt_id()).measurements] == [
        ("loss", 1.0, "1.0", 0),
        ("loss", 0.5, "0.5", 1),
        ("loss", 1 / 3, repr(1 / 3), 2),
        ("loss", 0.0, "0.0", None),
        ("accuracy", 0.75, "0.75", None),
    ]


def test_parameters_arrive_with_their_types() -> None:
    parameters = {"f": 1 / 3, "i": 2**70, "s": "ü\n\x00", "b": True, "n": None, "e": 1e-320}
    expected = repr(sorted(parameters.items()))
    seen = run(lambda arrived: float(repr(sorted(arrived.items())) == expected), **parameters)
    assert seen.measurements[0].value == 1.0


def test_reports_arrive_while_it_runs(runner: ProcessRunner) -> None:
    runner.start(attempt(attempt_id(), "sleep", seconds=60))
    until(lambda: bool(update_of(runner, attempt_id()).measurements))
    assert update_of(runner, attempt_id()).phase is Phase.RUNNING


def _closure() -> Any:
    offset = np.float64(0.25)
    return lambda parameters: parameters["x"] + offset


def _shifted(offset: float, parameters: dict[str, Any]) -> float:
    return float(parameters["x"]) + offset


@pytest.mark.parametrize(
    ("objective", "expected"),
    [
        pytest.param(lambda parameters: np.float32(0.5) + parameters["x"], 0.75, id="lambda"),
        pytest.param(_closure(), 0.5, id="closure"),
        pytest.param(functools.partial(_shifted, 1.0), 1.25, id="partial"),
    ],
)
def test_kinds_of_functions(objective: Any, expected: float) -> None:
    seen = run(objective, x=0.25)
    assert seen.last.phase is Phase.SUCCEEDED, seen.last
    assert seen.measurements[0].value == expected


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        pytest.param(None, "measured nothing, but not 'loss'", id="none"),
        pytest.param(True, "got True (bool)", id="bool"),
        pytest.param("0.5", "returned '0.5'", id="text"),
    ],
)
def test_returned_values_that_are_refused(returned: Any, said: str) -> None:
    last = run(lambda parameters: returned).last
    assert (last.phase, last.failure) == (Phase.FAILED, FailureClass.USER_ERROR)
    assert said in last.reason


def test_a_value_that_cannot_be_pickled_is_refused_like_any_other() -> None:
    last = run(lambda parameters: threading.Lock()).last
    assert (last.phase, last.failure) == (Phase.FAILED, FailureClass.USER_ERROR)
    assert "(lock), expected a number" in last.reason


@pytest.mark.parametrize(
    ("do", "parameters", "phase", "failure", "reason"),
    [
        pytest.param("exit", {"code": 3}, "Failed", "UserError", "SystemExit: 3", id="sys.exit"),
        pytest.param("_exit", {"code": 3}, "Failed", "UserError", "exit status 3", id="os._exit"),
        pytest.param("_exit", {"code": 0}, "Failed", "UserError", "exit status 0", id="os._exit-0"),
        pytest.param("segfault", {}, "Failed", "UserError", "signal 11 (Segmentation fault)", id="segfault"),
        pytest.param("signal", {"signum": 6}, "Failed", "UserError", "signal 6 (Aborted)", id="abort"),
        pytest.param("signal", {"signum": 9}, "Lost", "Lost", "SIGKILL); the system may have run out", id="kill"),
        pytest.param("signal", {"signum": 15}, "Lost", "Lost", "SIGTERM", id="term"),
        pytest.param("interrupt", {}, "Failed", "UserError", "KeyboardInterrupt", id="interrupt"),
        pytest.param("out of memory", {}, "Failed", "OutOfMemory", "MemoryError: too much", id="memory"),
    ],
)
def test_ends_of_all_kinds_and_the_next_trial_runs(
    runner: ProcessRunner, do: str, parameters: dict[str, Any], phase: str, failure: str, reason: str
) -> None:
    first, second = attempt_id("first"), attempt_id("second")
    runner.start(attempt(first, do, **parameters))
    runner.start(attempt(second, "constant"))
    last = follow(runner, first).last
    assert (last.phase, last.failure) == (phase, failure)
    assert reason in last.reason
    assert follow(runner, second).last.phase is Phase.SUCCEEDED


def test_reports_before_a_crash_are_kept(runner: ProcessRunner) -> None:
    runner.start(attempt(attempt_id(), "sleep", seconds=60))
    runner.wait(10)
    until(lambda: bool(update_of(runner, attempt_id()).measurements))
    time.sleep(0.1)
    os.kill(workers()[0], signal.SIGKILL)
    seen = follow(runner, attempt_id())
    assert seen.last.phase is Phase.LOST
    assert seen.measurements


def test_a_worker_that_dies_idle_is_replaced(runner: ProcessRunner) -> None:
    runner.start(attempt(attempt_id("first"), "constant"))
    follow(runner, attempt_id("first"))
    (pid,) = workers()
    os.kill(pid, signal.SIGKILL)
    until(lambda: update_of(runner, attempt_id("first")) is not None and not runner._workers)  # all its threads ended
    runner.start(attempt(attempt_id("second"), "constant"))
    assert follow(runner, attempt_id("second")).last.phase is Phase.SUCCEEDED


def test_children_of_a_dead_worker_die_too(runner: ProcessRunner, tmp_path: Path) -> None:
    runner.start(attempt(attempt_id(), "leave child", path=str(tmp_path / "pid")))
    last = follow(runner, attempt_id(), timeout=10).last
    assert (last.phase, "exit status 5" in last.reason) == (Phase.FAILED, True)
    until(lambda: not alive(int((tmp_path / "pid").read_text())))


def test_a_forked_child_that_returns_is_not_a_second_end(runner: ProcessRunner) -> None:
    runner.start(attempt(attempt_id(), "fork"))
    assert follow(runner, attempt_id()).last.phase is Phase.SUCCEEDED
    assert [m.value for m in follow(runner, attempt_id()).measurements] == []
    runner.start(attempt(attempt_id("next"), "constant"))
    assert len(follow(runner, attempt_id("next")).measurements) == 1


def test_workers_stay_from_trial_to_trial_and_start_lazily(runner: ProcessRunner) -> None:
    assert workers() == []
    ids = [attempt_id(f"trial-{i}") for i in range(4)]
    for id in ids:
        runner.start(attempt(id, "pid"))
    updates = list(runner.poll({id: {} for id in ids}))
    assert [u.phase for u in updates] == [Phase.RUNNING, *[Phase.WAITING] * 3]
    assert updates[1].reason == "waits for a free worker process"
    assert len({follow(runner, id).measurements[0].value for id in ids}) == 1


def test_isolated_trials_share_no_worker() -> None:
    runner = ProcessRunner(perform, metric="loss", workers=1, isolate=True)
    ids = [attempt_id(f"trial-{i}") for i in range(3)]
    for id in ids:
        runner.start(attempt(id, "pid"))
    seen = [follow(runner, id) for id in ids]
    runner.close()
    assert [each.last.phase for each in seen] == [Phase.SUCCEEDED] * 3
    assert len({each.measurements[0].value for each in seen}) == 3


def test_stop_keeps_the_worker_where_the_objective_lets_it_through(runner: ProcessRunner) -> None:
    runner.start(attempt(attempt_id("first"), "pid"))
    pid = follow(runner, attempt_id("first")).measurements[0].value
    runner.start(attempt(attempt_id("second"), "swallow"))
    until(lambda: bool(update_of(runner, attempt_id("second")).measurements))
    runner.stop(attempt_id("second"), grace=10)
    assert follow(runner, attempt_id("second"), timeout=5).last.phase is Phase.STOPPED
    runner.start(attempt(attempt_id("third"), "pid"))
    assert follow(runner, attempt_id("third")).measurements[0].value == pid


def test_a_clean_up_that_fails_is_still_a_stop(runner: ProcessRunner) -> None:
    runner.start(attempt(attempt_id(), "fail on stop"))
    runner.stop(attempt_id())
    assert follow(runner, attempt_id()).last.phase is Phase.STOPPED


def test_a_stop_does_not_reach_the_next_trial(runner: ProcessRunner) -> None:
    for i in range(20):
        first, second = attempt_id(f"a{i}"), attempt_id(f"b{i}")
        runner.start(attempt(first, "report only"))
        runner.start(attempt(second, "report only"))
        runner.stop(first)
        stopped, other = ends(runner, first, second)
        assert stopped in (Phase.SUCCEEDED, Phase.STOPPED)
        assert other is Phase.SUCCEEDED


def test_resized_while_it_runs(runner: ProcessRunner) -> None:
    first, second, third = (attempt_id(name) for name in ("first", "second", "third"))
    runner.start(attempt(first, "sleep", seconds=60))
    runner.start(attempt(second, "constant"))
    assert update_of(runner, second).phase is Phase.WAITING
    runner.resize(2)
    assert ends(runner, second) == [Phase.SUCCEEDED]
    assert len(workers()) == 2
    runner.resize(1)
    until(lambda: update_of(runner, first).phase is Phase.RUNNING and len(workers()) == 1)
    runner.start(attempt(third, "constant"))
    assert update_of(runner, third).phase is Phase.WAITING
    runner.stop(first, grace=0.0)
    assert ends(runner, first, third) == [Phase.STOPPED, Phase.SUCCEEDED]


def test_waiting_attempts_are_stopped_without_running(runner: ProcessRunner, tmp_path: Path) -> None:
    runner.start(attempt(attempt_id("first"), "sleep", seconds=0.3))
    runner.start(attempt(attempt_id("second"), "append", path=str(tmp_path / "lines")))
    runner.stop(attempt_id("second"))
    began = time.monotonic()
    runner.wait(60)
    assert time.monotonic() - began < 30, "a stop is news"
    assert update_of(runner, attempt_id("second")).phase is Phase.STOPPED
    follow(runner, attempt_id("first"))
    assert not (tmp_path / "lines").exists()


def test_wait_wakes_to_kill(runner: ProcessRunner, tmp_path: Path) -> None:
    runner.start(attempt(attempt_id(), "spin", seconds=60, ready=str(tmp_path / "ready")))
    until((tmp_path / "ready").exists)
    update_of(runner, attempt_id())
    runner.stop(attempt_id(), grace=0.3)
    began = time.monotonic()
    while not update_of(runner, attempt_id()).phase.ended:
        runner.wait(60)
    assert time.monotonic() - began < 30


def test_output_goes_to_the_attempts_own_log(tmp_path: Path) -> None:
    runner = ProcessRunner(perform, metric="loss", workers=1, root=tmp_path)
    try:
        for name in ("one", "two"):
            runner.start(attempt(attempt_id(name), "print", text=f"I am {name}"))
            assert follow(runner, attempt_id(name)).last.phase is Phase.SUCCEEDED
        for name in ("one", "two"):
            log = (tmp_path / f"team/study/{name}/1/stdout.log").read_text()
            assert sorted(log.splitlines()) == sorted([f"I am {name}", "from a child", "error text"])
        runner.release(attempt_id("one"), everything=True)
        assert not (tmp_path / "team/study/one").exists()
    finally:
        runner.close()


def test_checkpoints_and_environment(tmp_path: Path) -> None:
    runner = ProcessRunner(perform, metric="loss", workers=1, root=tmp_path / "trials")
    try:
        parent, child = attempt_id("parent"), attempt_id("child", attempt=2)
        runner.start(attempt(parent, "checkpoint", text="ab"))
        follow(runner, parent)
        runner.start(attempt(child, "checkpoint", text="cde", parent=parent))
        assert follow(runner, child).measurements[0].value == 5
        runner.start(attempt(attempt_id("env"), "environment", path=str(tmp_path / "seen")))
        follow(runner, attempt_id("env"))
        assert "KATIB_TRIAL_NAME=env" in (tmp_path / "seen").read_text()
        assert f"KATIB_CHECKPOINT_DIR={tmp_path}/trials/team/study/env/1/checkpoint" in (tmp_path / "seen").read_text()
    finally:
        runner.close()


class _Unpicklable:
    def __init__(self) -> None:
        self.lock = threading.Lock()

    def __call__(self, parameters: dict[str, Any]) -> float:
        return 0.5


@pytest.mark.parametrize(
    ("objective", "workers", "said"),
    [
        pytest.param(_Unpicklable(), 1, "cannot be sent to worker processes", id="unpicklable"),
        pytest.param(0.5, 1, "expected a function of the parameters", id="number"),
        pytest.param(perform, 0, "workers: got 0", id="no-workers"),
    ],
)
def test_bad_settings_are_refused_at_construction(objective: Any, workers: int, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        ProcessRunner(objective, metric="loss", workers=workers)


class _LoadsBadly:
    def __reduce__(self) -> Any:
        return exec, ("raise RuntimeError('no such data')",)

    def __call__(self, parameters: dict[str, Any]) -> float:
        return 0.5


def test_an_objective_that_cannot_be_loaded_fails_its_trial() -> None:
    last = run(_LoadsBadly()).last
    assert (last.phase, last.failure) == (Phase.FAILED, FailureClass.USER_ERROR)
    assert last.reason == "RuntimeError: no such data"
    assert "while loading the objective in a worker process" in last.message


def test_large_objectives_and_messages() -> None:
    payload = os.urandom(5_000_000)

    def objective(parameters: dict[str, Any]) -> dict[str, float]:
        return {"loss": float(len(payload)), **{f"metric-{i}": 0.5 for i in range(20_000)}}

    seen = run(objective)
    assert seen.last.phase is Phase.SUCCEEDED
    assert (len(seen.measurements), seen.measurements[0].value) == (20_001, 5_000_000)


def test_nothing_of_the_parents_leaks_to_workers(runner: ProcessRunner) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        os.set_inheritable(listener.fileno(), True)
        runner.start(attempt(attempt_id(), "sleep", seconds=60))
        until(lambda: bool(update_of(runner, attempt_id()).measurements))
        (pid,) = workers()
        opened = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
        assert f"socket:[{os.stat(listener.fileno()).st_ino}]" not in opened
        assert sum(name.startswith("socket:") for name in opened) == 1


def test_descriptors_are_given_back() -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        run(perform, do="constant")
    assert len(os.listdir("/proc/self/fd")) == before


def test_workers_of_a_process_that_serves_grpc() -> None:
    server = grpc.server(ThreadPoolExecutor(4))
    server.add_insecure_port("127.0.0.1:0")
    server.start()
    runner = ProcessRunner(perform, metric="loss", workers=4)
    try:
        ids = [attempt_id(f"trial-{i}") for i in range(40)]
        for id in ids:
            runner.start(attempt(id, "_exit", code=1) if id.trial[-1] == "5" else attempt(id, "constant"))
        assert ends(runner, *ids).count(Phase.SUCCEEDED) == 36
    finally:
        runner.close()
        server.stop(0).wait()


def test_workers_outlive_the_thread_that_started_them(runner: ProcessRunner) -> None:
    starter = threading.Thread(target=runner.start, args=(attempt(attempt_id(), "sleep", seconds=0.5),))
    starter.start()
    starter.join()
    assert follow(runner, attempt_id()).last.phase is Phase.SUCCEEDED


@pytest.mark.parametrize("call", ["start", "poll", "close"])
def test_after_close(runner: ProcessRunner, call: str) -> None:
    runner.start(attempt(attempt_id(), "sleep", seconds=60))
    began = time.monotonic()
    runner.close()
    assert time.monotonic() - began < 30, "the objective is not waited for"
    if call == "start":
        with pytest.raises(RunnerError, match="closed"):
            runner.start(attempt(attempt_id("other"), "constant"))
    elif call == "poll":
        assert update_of(runner, attempt_id()).phase is Phase.LOST
    else:
        runner.close()


PARENT = """
import sys, threading, time
from pathlib import Path
from katib.core.trial import Attempt, AttemptId, Key
from trial_runners.process import ProcessRunner

FACTOR = 2.0  # a global of __main__ that the function needs

def objective(parameters):
    if parameters["spin"]:
        while True:
            pass
    return helper(parameters["x"])

def helper(x):
    return x * FACTOR

if __name__ == "__main__":
    runner = ProcessRunner(objective, metric="loss", workers=2)
    ids = [AttemptId(Key("team", "study"), name, 1) for name in ("a", "b", "c")]
    runner.start(Attempt(ids[0], 0, {"x": 0.25, "spin": False}))
    while not next(iter(runner.poll({ids[0]: {}}))).phase.ended:
        runner.wait(1)
    def start():
        for id in ids[1:]:
            runner.start(Attempt(id, 0, {"x": 0.0, "spin": True}))
    if sys.argv[1] == "thread":
        thread = threading.Thread(target=start)
        thread.start()
        thread.join()
    else:
        start()
    (update,) = runner.poll({ids[0]: {}})
    print("ready", update.phase, flush=True)
    while True:
        try:
            time.sleep(60)
        except KeyboardInterrupt:
            print("interrupted", *[u.phase for u in runner.poll({id: {} for id in ids})], flush=True)
"""


@pytest.fixture(params=["main", "thread"])
def parent(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process with two busy workers, started by its main thread or by one that has ended; as ``__main__``."""
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(PARENT))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(script), request.param]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment, cwd=tmp_path, start_new_session=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready Succeeded\n"
    until(lambda: len(workers(process.pid)) == 2)
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_workers_die_with_their_parent(parent: subprocess.Popen[str]) -> None:
    pids = workers(parent.pid)
    time.sleep(0.3)  # both are inside the objective
    parent.kill()
    parent.wait()
    until(lambda: not any(alive(pid) for pid in pids), timeout=5)


def test_ctrl_c_at_the_terminal_does_not_reach_workers(parent: subprocess.Popen[str]) -> None:
    time.sleep(0.3)
    os.killpg(parent.pid, signal.SIGINT)
    assert parent.stdout is not None
    assert parent.stdout.readline() == "interrupted Succeeded Running Running\n"
    assert len(workers(parent.pid)) == 2
