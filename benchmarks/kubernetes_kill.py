"""What an experiment of pods looks like after its controller was killed again and again:
``python -m benchmarks.kubernetes_kill [--kills 20] [--outage 60]``.

``katib run --runner kubernetes`` gets SIGKILL at random moments, each time followed by the same command. With
``--outage`` the API server is killed instead, once, and started again after so many seconds. A watch of the
benchmark's own writes down every job and pod that is made, and every pod prints lines that are known beforehand, so
what really ran is compared with what was recorded, and the search with an unbroken one of the same seed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import urllib3
from kubernetes import client, watch

from benchmarks import kubernetes_place
from benchmarks.kill import Findings, killed_run, rows_of, unbroken_run
from benchmarks.kill_place import Place, Scenario
from benchmarks.kubernetes_bed import Bed
from benchmarks.kubernetes_place import Namespace
from benchmarks.table import Row, show, write
from katib.core.trial import Key

TRIAL_LABEL, ATTEMPT_LABEL = "katib.kubeflow.org/trial", "katib.dev/attempt"

# A training that prints what is known beforehand. Arguments: integer part of the metric, lines, seconds between them.
SCRIPT = """\
import sys, time
import numpy as np
number, lines, pause = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
x = np.random.default_rng(number).normal(size=(200, 20))
y, weights = x @ np.arange(20.0), np.zeros(20)
for line in range(1, lines + 1):
    weights -= 0.1 * x.T @ (x @ weights - y) / len(y)
    print(f"loss={number}.{line}", flush=True)
    time.sleep(pause)
"""


class Ledger:
    """Every job and pod that was ever made in a namespace: (kind, uid) -> (trial, attempt)."""

    def __init__(self, namespace: Namespace) -> None:
        self.made: dict[tuple[str, str], tuple[str, int]] = {}
        self._closed = threading.Event()
        self._threads = [
            threading.Thread(target=self._follow, args=(kind, listed, namespace.name), daemon=True)
            for kind, listed in (
                ("job", namespace.batch.list_namespaced_job),
                ("pod", namespace.core.list_namespaced_pod),
            )
        ]
        for thread in self._threads:
            thread.start()

    def of(self, kind: str) -> tuple[tuple[str, int], ...]:
        """(trial, attempt) of each object of a kind, in order of their making."""
        return tuple(whose for (own, _), whose in list(self.made.items()) if own == kind)

    def close(self) -> None:
        """Watch no more."""
        self._closed.set()
        for thread in self._threads:
            thread.join(timeout=10.0)

    def _follow(self, kind: str, listed: Any, namespace: str) -> None:
        watcher: Any = watch.Watch
        while not self._closed.is_set():
            try:  # each watch begins with all there is, so a break hides only what came and went meanwhile
                for event in watcher().stream(listed, namespace, timeout_seconds=2):
                    metadata = event["object"].metadata
                    labels = metadata.labels or {}
                    self.made[kind, metadata.uid] = labels[TRIAL_LABEL], int(labels[ATTEMPT_LABEL])
            except (client.ApiException, urllib3.exceptions.HTTPError):
                self._closed.wait(0.1)


class KubernetesPlace(Place):
    """An experiment whose trials are pods in a namespace."""

    options = ("--runner", "kubernetes")

    def __init__(self, home: Path, scenario: Scenario, namespace: Namespace, ledger: Ledger) -> None:
        self.namespace, self.watched = namespace, ledger
        self.key = Key(namespace.name, "kill")
        super().__init__(home, scenario)

    def launches(self) -> tuple[tuple[str, int], ...]:
        """The pods that were made."""
        return self.watched.of("pod")

    def printed(self, launches: tuple[tuple[str, int], ...]) -> dict[tuple[str, int], list[str]]:
        """What each pod prints."""
        numbers = {trial.name: trial.parameters["n"] for trial in self.read()[0]}
        lines = range(1, self.scenario.lines + 1)
        return {(name, attempt): [f"{numbers[name]}.{line}" for line in lines] for name, attempt in launches}

    def left(self) -> int:
        """Jobs and pods that are still there."""
        return self.namespace.await_gone()

    def document(self) -> dict[str, Any]:
        """The experiment."""
        scenario = self.scenario
        words = ["${trialParameters.n}", str(scenario.lines), str(scenario.pause)]
        job = kubernetes_place.job(["python3", "-c", SCRIPT, *words], kubernetes_place.TRIAL_IMAGE)
        return kubernetes_place.experiment(self.namespace.name, self.key.name, job, scenario.trials, scenario.parallel)


@contextmanager
def place_in(home: Path, scenario: Scenario) -> Iterator[KubernetesPlace]:
    """A new one, in a namespace of its own."""
    with kubernetes_place.namespace() as namespace:
        ledger = Ledger(namespace)
        try:
            yield KubernetesPlace(home, scenario, namespace, ledger)
        finally:
            ledger.close()


def torture(folder: Path, scenario: Scenario, bed: Bed | None, outage: float) -> tuple[Findings, list[Row]]:
    """An unbroken run for comparison, then the one that is disturbed. bed: for an outage."""
    with place_in(folder / "unbroken", replace(scenario, pause=0.0)) as place:
        unbroken, ready = unbroken_run(place)
    with place_in(folder / "disturbed", scenario) as place:
        if bed is None:
            found = killed_run(place, unbroken, ready)
        else:
            found = _outage_run(place, unbroken, bed, outage)
        return found, _rows_of_jobs(place.watched)


def _outage_run(place: KubernetesPlace, unbroken: Any, bed: Bed, outage: float) -> Findings:
    """Take the API server away in the middle."""
    process = place.run()
    while len(place.launches()) < place.scenario.trials // 3:
        time.sleep(0.1)
    bed.kill("kube-apiserver")
    time.sleep(outage)
    bed.control("k8s-up.sh")
    process.communicate()
    trials, stored = place.read()
    launches = place.launches()
    printed = place.printed(launches)
    return Findings((), trials, launches, printed, stored, unbroken, process.returncode, place.left())


def _rows_of_jobs(ledger: Ledger) -> list[Row]:
    jobs = ledger.of("job")
    twice = sum(count - 1 for count in Counter(jobs).values())
    return [
        Row("jobs that were made", len(jobs), "jobs", f"= {len(set(jobs))}", not twice),
        Row("of these a second time for one attempt", twice, "jobs", "= 0", not twice),
    ]


def main() -> None:
    """Disturb, look, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("benchmark-results/kubernetes_kill.json"))
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--outage", type=float, default=0.0, help="seconds without the API server of a bed of its own")
    options = parser.parse_args()
    kills = 0 if options.outage else options.kills
    scenario = Scenario(trials=options.trials, parallel=3, lines=8, pause=1.0, kills=kills, seed=options.seed)
    place = kubernetes_place.own_bed() if options.outage else kubernetes_place.cluster()
    with place as bed, tempfile.TemporaryDirectory() as folder:
        found, rows = torture(Path(folder), scenario, bed, options.outage)
        rows = [*rows_of(found, scenario), *rows]
    show(rows)
    write(rows, options.out)
    if not all(row.met is not False for row in rows):
        sys.exit("the engine broke a promise")


if __name__ == "__main__":
    main()
