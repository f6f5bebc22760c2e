"""What ``benchmarks.serve`` measures: stores with something in them, and servers over them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from algorithms import ALGORITHMS
from katib.compose import Workshop
from katib.core.changes import Changes, TrialChange
from katib.core.experiment import Desired, ExperimentStatus
from katib.core.objective import MetricSummary
from katib.core.ports import Store
from katib.core.trial import Key, Trial, TrialState
from katib.engine import lifecycle
from katib.options import Options
from katib.resources.load import Known, read_experiment

BASE = "/apis/kubeflow.org/v1beta1"
POOL, CHURN, ENGINE = "pool", "churn", "engine"  # namespaces: what is read, what comes and goes, what runs

_BATCH = 1000


def path(namespace: str, name: str = "", plural: str = "experiments") -> str:
    """Of an object, or of the list."""
    return f"{BASE}/namespaces/{namespace}/{plural}" + (f"/{name}" if name else "")


def document(name: str, trials: int, command: str) -> dict[str, Any]:
    """An experiment whose trials run ``command`` in a shell."""
    container = {"name": "main", "image": "none", "command": ["sh", "-c", f"{command} # ${{trialParameters.x}}"]}
    job = {"template": {"spec": {"restartPolicy": "Never", "containers": [container]}}}
    return {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Experiment",
        "metadata": {"name": name},
        "spec": {
            "objective": {"type": "minimize", "objectiveMetricName": "loss"},
            "algorithm": {"algorithmName": "random"},
            "maxTrialCount": trials,
            "parallelTrialCount": min(2, trials),
            "parameters": [{"name": "x", "parameterType": "double", "feasibleSpace": {"min": "0", "max": "1"}}],
            "trialTemplate": {
                "primaryContainerName": "main",
                "trialParameters": [{"name": "x", "reference": "x"}],
                "trialSpec": {"apiVersion": "batch/v1", "kind": "Job", "spec": job},
            },
        },
    }


def fill(home: Path, experiments: int, trials: int = 0) -> None:
    """Make the default store of ``home``: stopped experiments in the namespace of what is read, with finished trials
    each."""
    workshop = Workshop(Options(home))
    try:
        for number in range(experiments):
            tree = document(f"{POOL}-{number:03}", trials + 10, "true")
            tree["metadata"]["namespace"] = POOL
            loaded = read_experiment(tree, known=Known(frozenset(ALGORITHMS), frozenset()))
            lifecycle.create(workshop.store, loaded.spec, loaded.document)
            _add_trials(workshop.store, loaded.spec.key, trials)
            lifecycle.want(workshop.store, loaded.spec.key, Desired.STOP)
    finally:
        workshop.close()


def _add_trials(store: Store, key: Key, trials: int) -> None:
    now = time.time()
    for first in range(0, trials, _BATCH):
        made = [_trial(key, number, now) for number in range(first, min(first + _BATCH, trials))]
        store.commit(Changes(key, trials=tuple(map(TrialChange, made))))
    counts = {TrialState.SUCCEEDED: trials} if trials else {}
    store.commit(Changes(key, status=ExperimentStatus(counts, started=now, stopped=True)))


def _trial(key: Key, number: int, now: float) -> Trial:
    value = number / 1000
    return Trial(
        number=number,
        name=f"{key.name}-{number:08x}",
        parameters={"x": value % 1},
        state=TrialState.SUCCEEDED,
        created=now,
        started=now,
        finished=now,
        observation={"loss": MetricSummary(value, value, value, str(value), now, 1)},
        measured=1,
    )


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs. address: HOST:PORT of its API."""

    address: str
    process: psutil.Process

    def cpu_seconds(self) -> float:
        """Time of processors that it used so far, its trials not counted."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def memory(self) -> float:
        """MiB that it holds."""
        return float(self.process.memory_info().rss) / 2**20


@contextmanager
def serving(home: Path, environment: Mapping[str, str] = os.environ) -> Iterator[Server]:
    """``katib serve`` over the default store of ``home``."""
    ports = [word for option in ("--port", "--grpc-port", "--early-stopping-port") for word in (option, "0")]
    command = [sys.executable, "-m", "katib.cli.main", "serve", *ports]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**environment, "KATIB_HOME": str(home)}
    ) as process:
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(3)]
            if not all("listening on" in line for line in lines):
                raise RuntimeError(f"the server did not come up: {lines}")
            yield Server(lines[0].split("//")[-1].strip(), psutil.Process(process.pid))
        finally:
            process.terminate()
            process.wait(60)
