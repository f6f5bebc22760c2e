"""A node that is killed in the middle of Hyperband: part of ``benchmarks.ray_faults``.

60 trials on a head and two nodes. Each node keeps its attempts in a folder of its own, as if on another machine;
checkpoints go to a folder that all share. A trial trains up to its epochs, from the epoch that its checkpoint says, and
writes down which one that was.
"""

from __future__ import annotations

import contextlib
import json
import os
import tarfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import ray
from ray.cluster_utils import Cluster

import katib
from benchmarks.ray_nodes import cluster_of, node_folder
from benchmarks.table import Row
from katib.compose import Workshop
from katib.core.experiment import Budget, Component, ExperimentSpec
from katib.core.objective import Objective
from katib.core.space import Integer, Real, SearchSpace
from katib.core.trial import FailureClass, Key, Trial, TrialState
from katib.engine import lifecycle
from katib.options import Options
from trial_runners.settings import RaySettings

TRIALS, PARALLEL = 60, 5
EPOCHS = 9
EPOCH_SECONDS = 1.5
CPUS = (1, 2, 2)
PATIENCE_SECONDS = 90.0


class Run(NamedTuple):
    """One attempt as it wrote itself down. start: epochs that its checkpoint had. node: Ray's id."""

    trial: str
    attempt: int
    start: int
    node: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """trials: all of them. runs: in the order of their start. victim: node that was killed. saved: runs there whose
    checkpoint was in the shared folder then, with its epochs."""

    trials: Mapping[str, Trial]
    runs: tuple[Run, ...]
    victim: str
    saved: Mapping[str, int]


def trainer(ledger: Path, seconds: float) -> Callable[[Mapping[str, Any]], None]:
    """The objective. seconds: an epoch."""

    def train(parameters: Mapping[str, Any]) -> None:
        checkpoint = Path(os.environ["KATIB_CHECKPOINT_DIR"], "epochs")
        start = int(checkpoint.read_text()) if checkpoint.exists() else 0
        node = ray.get_runtime_context().get_node_id()
        run = Run(os.environ["KATIB_TRIAL_NAME"], int(os.environ["KATIB_ATTEMPT"]), start, node)
        with open(ledger, "a") as file:
            file.write(json.dumps(run) + "\n")
        for epoch in range(start + 1, int(parameters["epochs"]) + 1):
            time.sleep(seconds)
            aside = checkpoint.with_suffix(".partial")
            aside.write_text(str(epoch))
            aside.replace(checkpoint)
            katib.report_metrics({"loss": (parameters["x"] - 0.3) ** 2 + 1 / epoch}, step=epoch)
        if start >= int(parameters["epochs"]):  # its last attempt was lost after its last epoch
            katib.report_metrics({"loss": (parameters["x"] - 0.3) ** 2 + 1 / start}, step=start)

    return train


def lose_a_node(home: Path) -> list[Row]:
    """The whole of it; the rows."""
    with cluster_of(CPUS) as cluster:
        return rows_of(_run(home, cluster))


def _run(home: Path, cluster: Cluster) -> Outcome:
    ledger, saved, nodes = home / "ledger", home / "checkpoints", home / "nodes"
    settings = RaySettings(address=cluster.address, checkpoints=str(saved), folder=str(nodes))
    options = Options(home, runner="ray", objective=trainer(ledger, EPOCH_SECONDS), ray=settings)
    workshop = Workshop(options)
    try:
        spec = hyperband()
        lifecycle.create(workshop.store, spec, {})
        controller = workshop.controller()
        killed: list[tuple[str, Mapping[str, int]]] = []
        killer = threading.Thread(target=lambda: killed.append(_kill(cluster, ledger, saved, nodes)), daemon=True)
        killer.start()
        controller.run(spec.key)
        killer.join()
        trials = {trial.name: trial for trial in workshop.store.trials(spec.key)}
        return Outcome(trials, runs_of(ledger), *killed[0])
    finally:
        workshop.close()


def hyperband() -> ExperimentSpec:
    """60 trials in brackets of 1, 3 and 9 epochs."""
    settings = {"r_l": str(EPOCHS), "resource_name": "epochs", "eta": "3"}
    return ExperimentSpec(
        key=Key("default", "hyperband"),
        space=SearchSpace((Real("x", 0.0, 1.0), Integer("epochs", 1, EPOCHS))),
        objective=Objective("loss"),
        algorithm=Component("hyperband", settings),
        budget=Budget(PARALLEL, TRIALS),
        seed=1,
    )


def _kill(cluster: Cluster, ledger: Path, saved: Path, nodes: Path) -> tuple[str, Mapping[str, int]]:
    """Kill a node after 20 trials have begun, once a running trial of it has a checkpoint elsewhere. Its folder is
    read by nobody afterwards."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    victims = {node.node_id: node for node in cluster.worker_nodes}
    while True:
        for id, node in victims.items():
            folder = node_folder(nodes, id)
            found = _unfinished(folder, saved, ledger) if folder is not None else {}
            late = time.monotonic() > deadline
            if (found or late) and len(runs_of(ledger)) >= TRIALS // 3:
                cluster.remove_node(node, allow_graceful=False)
                return id, found
        time.sleep(0.05)


def _unfinished(folder: Path, saved: Path, ledger: Path) -> dict[str, int]:
    """Trials that run on the node and have come further than they began, as the shared folder knows: their epochs
    there."""
    found: dict[str, int] = {}
    starts = {(run.trial, run.attempt): run.start for run in runs_of(ledger)}
    for journal in folder.glob("*/*/*/*/actor.jsonl"):
        trial, attempt = journal.parent.parent.name, int(journal.parent.name)
        tar = saved.joinpath(*journal.parent.relative_to(folder).parts).with_suffix(".tar")
        if '{"end"' not in journal.read_text() and (trial, attempt) in starts:
            epochs = _epochs_in(tar)
            if epochs > starts[trial, attempt]:
                found[trial] = epochs
    return found


def _epochs_in(path: Path) -> int:
    with contextlib.suppress(OSError, tarfile.TarError, KeyError), tarfile.open(path) as tar:
        file = tar.extractfile("epochs")
        return int(file.read()) if file is not None else 0
    return 0


def runs_of(ledger: Path) -> tuple[Run, ...]:
    """What the ledger says."""
    lines = ledger.read_text().splitlines() if ledger.exists() else []
    return tuple(Run(*json.loads(line)) for line in lines)


def rows_of(found: Outcome) -> list[Row]:
    """The table."""
    trials, by_number = found.trials, {trial.number: trial for trial in found.trials.values()}
    states = Counter(trial.state for trial in trials.values())
    ends = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    ends += "".join(f"; {trial.name}: {trial.reason}" for trial in trials.values() if trial.reason)
    lost = [trial for trial in trials.values() if trial.failures.get(FailureClass.LOST)]
    due = {
        trial.name: int(str(by_number[trial.parent].parameters["epochs"]))
        for trial in trials.values()
        if trial.parent is not None
    }
    promoted = [run for run in found.runs if run.trial in due]
    late = [run for run in promoted if run.start < due[run.trial]]
    again = [run for run in found.runs if run.attempt > 1]
    resumed = [run for run in again if run.start >= found.saved.get(run.trial, 0)]
    fresh = [run for run in found.runs if run.trial not in due and run.attempt == 1 and run.start]
    once = len({(run.trial, run.attempt) for run in found.runs})
    met = {
        f"trials that succeeded ({ends})": (states[TrialState.SUCCEEDED], TRIALS, "trials"),
        "lost with the node, and run again": (len(lost), None, "trials"),
        "attempts that ran twice": (len(found.runs) - once, 0, "runs"),
        f"promoted runs that began before their parent's last epoch (of {len(promoted)})": (len(late), 0, "runs"),
        "lost ones whose own checkpoint was saved by then": (len(found.saved), None, "trials"),
        f"second runs that began at what was saved or later (of {len(again)})": (len(resumed), len(again), "runs"),
        "new configurations that began elsewhere than at 0": (len(fresh), 0, "runs"),
    }
    return [
        Row(
            f"node killed: {case}",
            value,
            unit,
            "" if want is None else f"= {want}",
            None if want is None else value == want,
        )
        for case, (value, want, unit) in met.items()
    ]
