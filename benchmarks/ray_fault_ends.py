"""Single trials on Ray that die, wait or are stopped: part of ``benchmarks.ray_faults``.

Each is an attempt of a runner of its own, on one node of two CPUs.
"""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import katib
from benchmarks.ray_nodes import cluster_of
from benchmarks.table import Row
from katib.core.ports import Phase, Update
from katib.core.trial import Attempt, AttemptId, Cursor, FailureClass, Key
from katib.resources.python_function import function_document
from trial_runners.ray import RayRunner
from trial_runners.settings import RaySettings

ID = AttemptId(Key("default", "ends"), "trial", 1)
REPORT_SECONDS = 0.5
REASON_SECONDS = 5.0
_PATIENCE_SECONDS = 90.0


def die(parameters: Mapping[str, Any]) -> float:
    """Its process is killed."""
    os.kill(os.getpid(), signal.SIGKILL)
    return 0.0


def exhaust(parameters: Mapping[str, Any]) -> float:
    """It asks for more memory than its process may have."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20), resource.RLIM_INFINITY))
    try:
        return float(len(bytearray(1 << 30)))
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def talker(ledger: Path) -> Callable[[Mapping[str, Any]], None]:
    """Reports for long, and writes down when it did."""

    def report(parameters: Mapping[str, Any]) -> None:
        for step in range(1000):
            with open(ledger, "a") as file:
                file.write(f"{time.time()}\n")
            katib.report_metrics({"loss": step}, step=step)
            time.sleep(REPORT_SECONDS)

    return report


def ends(home: Path) -> list[Row]:
    """All of them; the rows."""
    with cluster_of((2,)) as cluster:
        return [
            *[_fails(home / f"fails-{i}", cluster.address, end) for i, end in enumerate(_ENDS)],
            _waits(home / "waits", cluster.address),
            *_stops(home / "stops", cluster.address),
        ]


class _End(NamedTuple):
    """What is done to an actor, and what its attempt must end in."""

    objective: Callable[[Mapping[str, Any]], float]
    what: str
    phase: Phase
    failure: FailureClass


_ENDS = (
    _End(die, "an actor killed with -9", Phase.LOST, FailureClass.LOST),
    _End(exhaust, "a function that gets no more memory", Phase.FAILED, FailureClass.OUT_OF_MEMORY),
)


def _fails(root: Path, address: str, end: _End) -> Row:
    runner = _runner(root, address, end.objective)
    try:
        began = time.monotonic()
        runner.start(_attempt())
        update = _until(runner, lambda update: update.phase.ended and not update.more)
        met = (update.phase, update.failure) == (end.phase, end.failure)
        took = time.monotonic() - began
        return Row(f"{end.what}: {update.phase}, {update.failure}", took, "s", f"{end.phase}, {end.failure}", met)
    finally:
        runner.close()


def _waits(root: Path, address: str) -> Row:
    """Seconds until a trial that can never run says why."""
    runner = _runner(root, address, die, function_document({"nvidia.com/gpu": 4}, 1, False))
    try:
        runner.start(_attempt())
        began = time.monotonic()  # the node's agent is up by now, as in any experiment that has run for a while
        update = _until(runner, lambda update: update.phase is Phase.WAITING and "4 GPUs asked" in update.reason)
        took = time.monotonic() - began
        runner.stop(ID)
        target = f"<= {REASON_SECONDS:g}"
        return Row(
            f'a trial that waits says "{update.reason}"', took, "s after its start", target, took <= REASON_SECONDS
        )
    finally:
        runner.close()


def _stops(root: Path, address: str) -> list[Row]:
    """How many reports a function makes after it was asked to stop."""
    ledger = root.with_suffix(".ledger")
    runner = _runner(root, address, talker(ledger))
    try:
        runner.start(_attempt())
        _until(runner, lambda update: bool(update.measurements))
        asked = time.time()
        runner.stop(ID, grace=30.0)
        update = _until(runner, lambda update: update.phase.ended and not update.more)
        took = time.time() - asked
        after = sum(float(line) > asked for line in ledger.read_text().splitlines())
        return [
            Row(f"asked to stop: {update.phase}; reports made afterwards", after, "reports", "<= 1", after <= 1),
            Row(f"one report every {REPORT_SECONDS:g} s; it took", took, "s"),
        ]
    finally:
        runner.close()


def _runner(
    root: Path, address: str, objective: Callable[[Mapping[str, Any]], Any], document: Mapping[str, Any] | None = None
) -> RayRunner:
    return RayRunner(
        root,
        settings=RaySettings(address=address),
        objective=objective,
        metric="loss",
        parallel=1,
        document=document or {},
    )


def _attempt() -> Attempt:
    return Attempt(id=ID, number=0, parameters={}, run={})


def _until(runner: RayRunner, true: Callable[[Update], bool]) -> Update:
    """The first update of which it holds."""
    cursors: dict[str, Cursor] = {}
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        (update,) = runner.poll({ID: cursors})
        cursors.update(update.ends)
        if true(update):
            return update
        runner.wait(0.2)
    raise RuntimeError(f"nothing of the kind within {_PATIENCE_SECONDS:g} s: {update}")
