"""What our engine adds to Kubernetes: ``python -m benchmarks.kubernetes [--trials 200] [--parallel 20]``.

The same no-op Jobs are made by a bare loop with the official client (create, one watch, delete when done) and by an
experiment through the whole engine, in turns, on the cluster of ``KUBECONFIG`` or a test bed. The requests that the
engine sends to the API server are counted by verb, in fifths of the run: their number a trial must not grow.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kubernetes import watch

from algorithms import ALGORITHMS, STOPPERS
from benchmarks import kubernetes_place
from benchmarks.kubernetes_place import Namespace, Tree
from benchmarks.table import Row, show, write
from katib.compose import Workshop
from katib.core.trial import AttemptId, TrialState
from katib.engine import lifecycle
from katib.options import Options
from katib.resources.load import Known, load_experiment
from trial_runners.kubernetes import KubernetesRunner
from trial_runners.settings import KubernetesSettings

PARTS = 5
KNOWN = Known(frozenset(ALGORITHMS), frozenset(STOPPERS))
PATIENCE = 600  # seconds for one run

Counts = Counter[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Run:
    """seconds: from the first request to the last trial's end. counts: requests of each part of the run."""

    seconds: float
    counts: tuple[Counts, ...]
    succeeded: int


def bare_seconds(place: Namespace, count: int, parallel: int) -> float:
    """Seconds that the loop takes."""
    began = time.perf_counter()
    version = place.batch.list_namespaced_job(place.name).metadata.resource_version
    started = done = 0
    for started in range(1, min(parallel, count) + 1):
        place.batch.create_namespaced_job(place.name, _named(started))
    watcher: Any = watch.Watch
    stream = watcher().stream(
        place.batch.list_namespaced_job, place.name, resource_version=version, timeout_seconds=PATIENCE
    )
    ended: set[str] = set()
    for event in stream:
        job = event["object"]
        name = job.metadata.name
        if name in ended or not any(c.type == "Complete" for c in job.status.conditions or ()):
            continue
        ended.add(name)
        place.batch.delete_namespaced_job(name, place.name, propagation_policy="Foreground")
        done += 1
        if started < count:
            started += 1
            place.batch.create_namespaced_job(place.name, _named(started))
        if done == count:
            return time.perf_counter() - began
    raise RuntimeError(f"{done} of {count} jobs ended within {PATIENCE} s")


def _no_op(value: object) -> Tree:
    return kubernetes_place.job(["/bin/echo", f"loss={value}"])


def _named(number: int) -> Tree:
    return {**_no_op(number), "metadata": {"name": f"bare-{number}"}}


def engine_run(place: Namespace, count: int, parallel: int) -> Run:
    """The same Jobs as the trials of an experiment: random search, a SQLite store, logs read, metrics stored."""
    document = kubernetes_place.experiment(place.name, "bench", _no_op("${trialParameters.n}"), count, parallel)
    loaded = load_experiment(json.dumps(document), known=KNOWN)
    with tempfile.TemporaryDirectory() as folder:
        options = Options(Path(folder))
        workshop = Workshop(options)
        runner = KubernetesRunner(
            workshop.trials_folder,
            settings=KubernetesSettings(),
            key=loaded.spec.key,
            template=loaded.spec.template,
            settled=lambda id: _is_settled(workshop, id),
        )
        running = Workshop(replace(options, runner=runner))
        key = lifecycle.create(workshop.store, loaded.spec, loaded.document).key
        controller = running.controller()
        marks = [Counter[tuple[str, str]]()]
        began = time.perf_counter()
        while (delay := controller.reconcile(key)) is not None:
            sent = runner.requests
            made, removed = sent.get(("create", "jobs"), 0), sent.get(("delete", "jobs"), 0)
            # Halfway between made and removed, or the first part would hold jobs of the second.
            if made + removed >= 2 * len(marks) * count / PARTS:
                marks.append(Counter(sent))
            controller.wait(key, delay)
        seconds = time.perf_counter() - began
        running.close()  # deletes the last jobs
        marks = [*marks[:PARTS], Counter(runner.requests)]
        succeeded = sum(trial.state is TrialState.SUCCEEDED for trial in workshop.store.trials(key))
        workshop.close()
    return Run(seconds, tuple(after - before for before, after in itertools.pairwise(marks)), succeeded)


def _is_settled(workshop: Workshop, id: AttemptId) -> bool:
    trial = workshop.store.trial(id.key, id.trial)
    return trial.state.finished or trial.attempt > id.attempt


def measure(count: int, parallel: int, repeats: int) -> list[Row]:
    """Both in turns, each in a new namespace that is empty again before the next one's turn."""
    bare, ours = [], []
    for _ in range(repeats):
        with kubernetes_place.namespace() as place:
            bare.append(bare_seconds(place, count, parallel) / count)
            place.await_gone()
        with kubernetes_place.namespace() as place:
            ours.append(engine_run(place, count, parallel))
            left = place.await_gone()
    return _rows(bare, ours, left, count)


def _rows(bare: list[float], ours: list[Run], left: int, count: int) -> list[Row]:
    seconds = [run.seconds / count for run in ours]
    ratio = statistics.median(seconds) / statistics.median(bare)
    last = ours[-1]
    rows = [
        Row("bare loop with the official client", statistics.median(bare), "s/trial", samples=tuple(bare)),
        Row("the same jobs through our engine", statistics.median(seconds), "s/trial", samples=tuple(seconds)),
        Row("ours over bare", ratio, "times", "<= 1.2", ratio <= 1.2),
        Row("trials that succeeded", last.succeeded, "trials", f"= {count}", last.succeeded == count),
        Row("jobs and pods left", left, "objects", "= 0", left == 0),
    ]
    each = [_by_verb(counts, count / PARTS) for counts in last.counts]
    for number, (counts, verbs) in enumerate(zip(last.counts, each, strict=True), 1):
        said = ", ".join(f"{verb} {value:.2f}" for verb, value in sorted(verbs.items()))
        rows.append(Row(f"requests a trial, part {number} of {PARTS}", counts.total() / count * PARTS, said))
    growth = rows[-1].value / rows[-PARTS].value
    return [*rows, Row("last part over first", growth, "times", "<= 1.1", growth <= 1.1)]


def _by_verb(counts: Mapping[tuple[str, str], int], trials: float) -> dict[str, float]:
    verbs = Counter[str]()
    for (verb, _), number in counts.items():
        verbs[verb] += number
    return {verb: number / trials for verb, number in verbs.items()}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("benchmark-results/kubernetes.json"))
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--parallel", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=1)
    options = parser.parse_args()
    with kubernetes_place.cluster():
        rows = measure(options.trials, options.parallel, options.repeats)
    show(rows)
    write(rows, options.out)


if __name__ == "__main__":
    main()
