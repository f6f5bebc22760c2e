"""Trials as actors of one Ray: slots, deaths, stops, waiting, restarts of the controller."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from katib.core.errors import UnavailableError
from katib.core.ports import Phase, Runner
from katib.core.trial import AttemptId, Cursor, FailureClass
from katib.resources.python_function import function_document
from tests.contracts.runner_contract import attempt_id, follow, until, update_of
from tests.trial_runners.local_attempts import nothing_left, shell
from tests.trial_runners.objectives import attempt, perform
from tests.trial_runners.ray_cluster import joined, open_runner, running_ray
from trial_runners.attempt_folder import AttemptFolder

pytestmark = [pytest.mark.requires("ray"), pytest.mark.ray]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with running_ray(cpus=4) as address, joined(address):
        yield address


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    with nothing_left(tmp_path / "runs"):
        yield tmp_path / "runs"


def until_it_runs(runner: Runner, id: AttemptId) -> None:
    until(lambda: update_of(runner, id).phase is Phase.RUNNING, 30)


def pids(runner: Runner, count: int) -> set[float]:
    """Processes that so many trials, one after the other, ran in."""
    values = set()
    for number in range(count):
        runner.start(attempt(attempt_id(f"t{number}"), "pid"))
        (measured,) = follow(runner, attempt_id(f"t{number}")).measurements
        values.add(measured.value)
    return values


@pytest.mark.parametrize(
    ("document", "processes"),
    [pytest.param({}, 1, id="reused"), pytest.param(function_document({}, 1, True), 3, id="isolated")],
)
def test_slots_are_reused_unless_trials_are_isolated(root: Path, address: str, document, processes: int) -> None:
    runner = open_runner(root, address, objective=perform, parallel=1, document=document)
    assert len(pids(runner, 3)) == processes
    runner.close()


def test_a_stop_takes_effect_at_the_next_report_and_keeps_the_slot(root: Path, address: str) -> None:
    runner = open_runner(root, address, objective=perform, parallel=1)
    (before,) = pids(runner, 1)
    runner.start(attempt(attempt_id("long"), "sleep", seconds=60))
    until_it_runs(runner, attempt_id("long"))
    runner.stop(attempt_id("long"), grace=30)
    began = time.monotonic()
    assert follow(runner, attempt_id("long")).last.phase is Phase.STOPPED
    assert time.monotonic() - began < 3
    runner.start(attempt(attempt_id("next"), "pid"))
    assert follow(runner, attempt_id("next")).measurements[0].value == before
    runner.close()


def test_reports_arrive_while_it_runs_and_once(root: Path, address: str) -> None:
    runner = open_runner(root, address, objective=perform)
    runner.start(attempt(attempt_id(), "sleep", seconds=4))
    cursors: dict[str, Cursor] = {}
    batches, seen = 0, []
    update = update_of(runner, attempt_id())
    while not update.phase.ended:
        runner.wait(0.2)
        update = update_of(runner, attempt_id(), cursors)
        cursors.update(update.ends)
        seen.extend(update.measurements)
        batches += bool(update.measurements)
    assert update.phase is Phase.SUCCEEDED
    assert batches >= 2
    assert [m.value for m in seen].count(0.5) == 1
    assert len({m.time for m in seen}) == len(seen) > 50
    runner.close()


def test_a_killed_actor_is_lost_and_its_children_with_it(root: Path, address: str, tmp_path: Path) -> None:
    runner = open_runner(root, address, objective=perform)
    runner.start(attempt(attempt_id(), "spin", seconds=60, ready=str(tmp_path / "pid")))
    until_it_runs(runner, attempt_id())
    until((tmp_path / "pid").exists)
    psutil.Process(int((tmp_path / "pid").read_text())).kill()
    last = follow(runner, attempt_id()).last
    assert (last.phase, last.failure) == (Phase.LOST, FailureClass.LOST)
    assert "died" in last.reason
    runner.start(attempt(attempt_id(attempt=2), "constant"))
    assert follow(runner, attempt_id(attempt=2)).last.phase is Phase.SUCCEEDED
    runner.close()


def test_a_command_ends_with_its_actor(root: Path, address: str, tmp_path: Path) -> None:
    runner = open_runner(root, address)
    runner.start(shell(f"echo $$ >{tmp_path}/pid; exec sleep 60"))
    until_it_runs(runner, attempt_id())
    until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text() != "")
    command = psutil.Process(int((tmp_path / "pid").read_text()))
    actor = next(parent for parent in command.parents() if "CommandActor" in parent.name() or "ray::" in parent.name())
    actor.kill()
    last = follow(runner, attempt_id()).last
    assert (last.phase, last.failure) == (Phase.LOST, FailureClass.LOST)
    until(lambda: not command.is_running() or command.status() == psutil.STATUS_ZOMBIE)
    runner.close()


@pytest.mark.parametrize("objective", [pytest.param(perform, id="function"), pytest.param(None, id="command")])
def test_what_cannot_be_placed_says_why(root: Path, address: str, objective) -> None:
    document = function_document({"nvidia.com/gpu": 4}, 1, False)
    runner = open_runner(root, address, objective=objective, document=document)
    one = attempt(attempt_id(), "constant") if objective else shell("true", limits={"nvidia.com/gpu": 4})
    runner.start(one)
    until(lambda: "4 GPUs asked, 0 exist" in update_of(runner, attempt_id()).reason, 5)
    assert update_of(runner, attempt_id()).phase is Phase.WAITING
    runner.stop(attempt_id())
    assert update_of(runner, attempt_id()).phase is Phase.STOPPED
    runner.close()


def test_an_objective_that_cannot_be_loaded_fails_its_trial(root: Path, address: str) -> None:
    runner = open_runner(root, address, objective=Unloadable())
    runner.start(attempt(attempt_id(), "constant"))
    last = follow(runner, attempt_id()).last
    assert (last.phase, last.failure) == (Phase.FAILED, FailureClass.USER_ERROR)
    assert "not on this node" in last.message
    runner.close()


class Unloadable:
    def __call__(self, parameters: dict) -> float:
        return 0.0

    def __reduce__(self):
        return refuse, ()


def refuse() -> None:
    raise RuntimeError("not on this node")


# A controller in small, until it is killed: runs one function and says so.
CONTROLLER = """
import sys
from pathlib import Path
from tests.contracts.runner_contract import attempt_id, update_of
from tests.trial_runners.local_attempts import shell
from tests.trial_runners.objectives import attempt, perform
from tests.trial_runners.ray_cluster import open_runner

root, address, kind, begun, go = sys.argv[1:]
if kind == "function":
    runner = open_runner(Path(root), address, objective=perform)
    runner.start(attempt(attempt_id(), "await", begun=begun, go=go))
else:
    runner = open_runner(Path(root), address)
    runner.start(shell(f"echo begun >>{begun}; until [ -e {go} ]; do sleep 0.05; done"))
while True:
    runner.wait(0.1)
    update_of(runner, attempt_id())
"""


@pytest.mark.parametrize(
    ("kind", "own"),
    [
        pytest.param("function", False, id="function"),
        pytest.param("command", False, id="command"),
        pytest.param("function", True, id="on a Ray of its own"),
    ],
)
def test_a_killed_controller_finds_its_trial_again(
    root: Path, request: pytest.FixtureRequest, tmp_path: Path, kind: str, own: bool
) -> None:
    address = "" if own else request.getfixturevalue("address")
    begun, go = tmp_path / "begun", tmp_path / "go"
    argv = [sys.executable, "-c", CONTROLLER, str(root), address, kind, str(begun), str(go)]
    first = subprocess.Popen(argv, cwd=Path(__file__).parents[2])
    try:
        until(begun.exists, 120)
    finally:
        first.kill()
        first.wait()
    if own:
        argv[2] = NEXT_CONTROLLER
        subprocess.run(argv, cwd=Path(__file__).parents[2], check=True, timeout=120)
        until(lambda: not (root / ".ray-cluster.json").exists(), 60)
    else:
        runner = open_runner(root, address, objective=perform if kind == "function" else None)
        assert update_of(runner, attempt_id()).phase is Phase.RUNNING
        go.touch()
        assert follow(runner, attempt_id()).last.phase is Phase.SUCCEEDED
        runner.close()
    assert begun.read_text().count("\n") == 1


NEXT_CONTROLLER = """
import sys
from pathlib import Path
from katib.core.ports import Phase
from tests.contracts.runner_contract import attempt_id, follow, update_of
from tests.trial_runners.objectives import perform
from tests.trial_runners.ray_cluster import open_runner

root, address, kind, begun, go = sys.argv[1:]
runner = open_runner(Path(root), address, objective=perform)
assert update_of(runner, attempt_id()).phase is Phase.RUNNING
Path(go).touch()
assert follow(runner, attempt_id()).last.phase is Phase.SUCCEEDED
runner.close()
"""


def test_a_retry_continues_from_the_kept_checkpoint(root: Path, address: str, tmp_path: Path) -> None:
    place = {"checkpoints": str(tmp_path / "kept"), "folder": str(tmp_path / "node")}
    runner = open_runner(root, address, objective=perform, **place)
    runner.start(attempt(attempt_id(), "checkpoint", text="abc"))
    assert follow(runner, attempt_id()).measurements[0].value == 3.0
    runner.close()
    runner = open_runner(root, address, objective=perform, **{**place, "folder": str(tmp_path / "another node")})
    runner.start(attempt(attempt_id(attempt=2), "checkpoint", text="de"))
    assert follow(runner, attempt_id(attempt=2)).measurements[0].value == 5.0
    runner.release(attempt_id(attempt=2))
    until(lambda: [path.name for path in (tmp_path / "kept").rglob("*.tar")] == ["1.tar"])
    runner.close()


def test_output_of_another_machine_is_brought_here(root: Path, address: str, tmp_path: Path) -> None:
    runner = open_runner(root, address, objective=perform, folder=str(tmp_path / "node"))
    runner.start(attempt(attempt_id(), "print", text="x" * 50_000))
    follow(runner, attempt_id())
    log = AttemptFolder.of(root, attempt_id()).log.read_text()
    assert log.startswith("x" * 50_000)
    assert "echo from" not in log.partition("from a child")[0][:50_000]
    assert "error text" in log
    runner.close()


def test_nothing_of_the_cluster_is_held_after_close(root: Path, address: str) -> None:
    import ray

    before = ray.cluster_resources()["CPU"]
    runner = open_runner(root, address, objective=perform)
    pids(runner, 1)
    runner.close()
    until(lambda: ray.available_resources().get("CPU") == before, 60)


def test_a_cluster_that_does_not_answer_is_said_at_once(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from tests.trial_runners.ray_cluster import open_runner;"
        "open_runner(Path(sys.argv[1]), '127.0.0.1:9')"
    )
    began = time.monotonic()
    argv = [sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(argv, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=30)
    assert time.monotonic() - began < 20
    assert f"{UnavailableError.__name__}: no Ray cluster answers at '127.0.0.1:9'" in done.stderr
