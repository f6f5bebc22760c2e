"""What it costs to follow many trials on Ray: ``python -m benchmarks.ray_reports [--seconds S] [--every S]``.

One experiment with 1,040 running trials, followed by one controller: the whole engine, the Ray runner, SQLite. 40 of
them are real: actors of 0.01 CPUs each on a Ray of this machine's own, that sleep and report three times a second with
``katib.report_metrics``. The other 1,000 are simulated on their node's side alone, since no small machine holds so many
processes: one process holds their attempt folders as slots do, lock included, and writes their reports as slots do.
To the controller they are trials that an earlier controller has started (the store has them as running), so it finds
them on the node as after a restart, and from then on asks the node's agent for them in the same calls as for the real
ones. Its processor time, user and system, is that of this process: engine, store, runner and Ray's driver.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ray

import katib
from benchmarks.engine import make_spec
from benchmarks.ray_reporters import METRIC, Planter, finish, reporters
from benchmarks.table import Row, show, write
from katib.compose import Workshop
from katib.core.experiment import Budget, ExperimentSpec, TrialTemplate
from katib.core.trial import AttemptId, Key, TrialState
from katib.engine import lifecycle
from katib.engine.controller import Controller
from katib.options import Options
from katib.resources.python_function import function_document
from trial_runners.ray import RayRunner
from trial_runners.ray.agents import INTERVAL
from trial_runners.settings import RaySettings

REAL, SIMULATED = 40, 1000
PER_SECOND = 3.0  # reports of a real trial
WINDOW = 10.0  # seconds that one sample is taken over
TARGET = 0.30
DOCUMENT = function_document({"cpu": "10m"}, 1, False)


@dataclass(frozen=True, slots=True)
class Followed:
    """shares: of a core, a window each. calls: of the node's agent, a second. reports: taken in, a second."""

    shares: tuple[float, ...]
    calls: float
    reports: float


@dataclass(frozen=True, slots=True)
class Setup:
    """seconds: that are measured. every: seconds between two reports of a simulated trial."""

    seconds: float
    every: float


def sleeper(ledger: Path) -> Callable[[Mapping[str, Any]], None]:
    """The objective of the real trials: reports until the ledger has a file ``over``, then writes down how often."""

    def report_for_long(parameters: Mapping[str, Any]) -> None:
        count = 0
        while not (ledger / "over").exists():
            katib.report_metrics({METRIC: count / 1000}, step=count)
            count += 1
            time.sleep(1 / PER_SECOND)
        (ledger / os.environ["KATIB_TRIAL_NAME"]).write_text(str(count))

    return report_for_long


def measure(home: Path, setup: Setup) -> list[Row]:
    """Everything: the rows of the table."""
    spec = replace(make_spec(SIMULATED, SIMULATED), template=TrialTemplate(DOCUMENT))
    ledger = home / "ledger"
    ledger.mkdir()
    join(home, ledger).close()  # the earlier controller: a folder that nobody has used holds no traces
    runner = join(home, ledger)
    planted = plant(home, spec)
    process = reporters(home / "trials", planted, ray.get_runtime_context().get_node_id(), setup.every)
    workshop = Workshop(Options(home, runner=runner))
    try:
        lifecycle.set_budget(workshop.store, spec.key, Budget(REAL + SIMULATED, REAL + SIMULATED))
        controller = workshop.controller()
        followed = follow(controller, spec.key, runner, setup.seconds)
        (ledger / "over").touch()
        simulated = dict(zip([id.trial for id in planted], finish(process), strict=True))
        controller.run(spec.key)
        real = {file.name: int(file.read_text()) for file in ledger.iterdir() if file.name != "over"}
        rows = [
            row
            for kind, written in {"real": real, "simulated": simulated}.items()
            for row in compare(workshop, spec.key, kind, written)
        ]
    finally:
        process.kill()
        workshop.close()
    share = statistics.median(followed.shares)
    rate = 1 / INTERVAL
    return [
        Row("reports taken in", followed.reports, "1/s"),
        Row("processor time of the controller", share, "cores", f"< {TARGET:g}", share < TARGET, followed.shares),
        Row("calls of the node", followed.calls, "1/s", f"<= {rate:g}", followed.calls <= rate * 1.01),
        *rows,
    ]


def join(home: Path, ledger: Path) -> RayRunner:
    """A controller's runner."""
    return RayRunner(
        home / "trials",
        settings=RaySettings(),
        objective=sleeper(ledger),
        metric=METRIC,
        parallel=REAL + SIMULATED,
        document=DOCUMENT,
    )


def plant(home: Path, spec: ExperimentSpec) -> list[AttemptId]:
    """What an earlier controller left: an experiment whose simulated trials run."""
    planter = Planter()
    workshop = Workshop(Options(home, runner=planter))
    lifecycle.create(workshop.store, spec, {})
    controller = workshop.controller()
    while len(planter.started) < SIMULATED:
        controller.reconcile(spec.key)
    controller.reconcile(spec.key)  # records that they run
    controller.close()
    workshop.close()
    return planter.started


def follow(controller: Controller, key: Key, runner: RayRunner, seconds: float) -> Followed:
    """Let all come up, then measure for so long."""
    _reconcile(controller, key, lambda: _running(controller, key) == REAL + SIMULATED)
    settled = time.monotonic() + 3
    _reconcile(controller, key, lambda: time.monotonic() > settled)
    shares: list[float] = []
    began, calls, reports = time.monotonic(), sum(runner.calls.values()), _reports(controller, key)
    while (now := time.monotonic()) < began + seconds:
        busy = _busy()
        _reconcile(controller, key, lambda now=now: time.monotonic() >= now + WINDOW)
        shares.append((_busy() - busy) / (time.monotonic() - now))
    took = time.monotonic() - began
    return Followed(
        tuple(shares), (sum(runner.calls.values()) - calls) / took, (_reports(controller, key) - reports) / took
    )


def compare(workshop: Workshop, key: Key, kind: str, written: Mapping[str, int]) -> list[Row]:
    """Trials of a kind that have succeeded, and whose reports are stored once each and in order. written: how many
    each has made."""
    all_ = {"real": REAL, "simulated": SIMULATED}[kind]
    trials = {trial.number: trial.name for trial in workshop.store.trials(key) if trial.state is TrialState.SUCCEEDED}
    steps: dict[str, list[int | None]] = {}
    for number, recorded in workshop.store.curve(key):
        steps.setdefault(trials.get(number, ""), []).append(recorded.measurement.step)
    ended = sum(name in written for name in trials.values())
    exact = sum(steps.get(name, []) == list(range(count)) for name, count in written.items())
    reports = sum(written.values())
    return [
        Row(f"{kind} trials that succeeded", ended, "trials", f"= {all_}", ended == all_),
        Row(f"of these all {reports:,} reports stored once", exact, "trials", f"= {all_}", exact == all_),
    ]


def _reconcile(controller: Controller, key: Key, until: Any) -> None:
    while not until():
        delay = controller.reconcile(key)
        if delay is None:
            raise RuntimeError("the experiment has ended too early")
        controller.wait(key, delay)


def _running(controller: Controller, key: Key) -> int:
    view = controller.view(key)
    return sum(trial.state is TrialState.RUNNING for trial in view[1].active.values()) if view else 0


def _reports(controller: Controller, key: Key) -> int:
    view = controller.view(key)
    return sum(trial.measured for trial in view[1].trials.values()) if view else 0


def _busy() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("benchmark-results/ray-reports.json"))
    parser.add_argument("--seconds", type=float, default=60.0, help="time that is measured")
    parser.add_argument("--every", type=float, default=5.0, help="seconds between two reports of a simulated trial")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        rows = measure(Path(home), Setup(options.seconds, options.every))
    show(rows)
    write(rows, options.out)


if __name__ == "__main__":
    main()
