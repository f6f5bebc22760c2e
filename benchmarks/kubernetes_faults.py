"""What becomes of a trial when Kubernetes lets it down: ``python -m benchmarks.kubernetes_faults [NAME ...]``.

Each fault is brought about for real, on a test bed of its own, in the first attempt of a one-trial experiment that runs
by ``katib run --runner kubernetes``; the next attempt, where the policy of retries grants one, is left in peace.
Printed are what the trial waited for, how the first attempt ended, and how the trial did.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks import kubernetes_place
from benchmarks.kubernetes_bed import Bed
from benchmarks.kubernetes_fault_cases import CASES, Case, Scene
from benchmarks.table import Row, show, write
from katib.compose import Workshop
from katib.core.changes import Event
from katib.core.trial import Key, Trial, TrialState
from katib.options import Options

PATIENCE = 280.0  # seconds for one fault
IMAGE_PATIENCE = "10"  # seconds that the runner waits for an image here; more by default
EVICT_AFTER = 10  # seconds that pods stay on a node that is found silent; more by default
AT_ONCE = 3  # faults beside each other
_OPENING = threading.Lock()
_RETRIED = re.compile(r"attempt 1 ended \((.*)\); attempt 2 follows", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Outcome:
    """waits: what the trial waited for. first: the reason of the first attempt's end. trial: at the end."""

    seconds: float
    waits: tuple[str, ...]
    first: str
    trial: Trial | None

    def wrong(self, case: Case) -> list[str]:
        """What is not as it must be."""
        trial = self.trial
        if trial is None:
            return ["there was no trial"]
        attempts = max(1, sum(case.failures.values()) + (case.state is TrialState.SUCCEEDED))
        checks = {
            f"waited for something with {case.waits!r}": not case.waits or any(case.waits in w for w in self.waits),
            f"ended as {case.state}": trial.state is case.state,
            f"failed as {dict(case.failures)}": dict(trial.failures) == dict(case.failures),
            f"had {attempts} attempts": trial.attempt == attempts,
            f"said {case.words!r}": case.words in self.first,
        }
        return [words for words, held in checks.items() if not held]


def bring_about(case: Case, bed: Bed) -> Outcome:
    """Run the experiment, take the fault's steps meanwhile, and look until its end."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, kubernetes_place.namespace() as place:
        scene, steps = Scene(place, bed), list(case.steps)
        case.before(scene)
        document = kubernetes_place.experiment(place.name, "fault", case.job, 1, 1, retryPolicy=dict(case.retry))
        with _OPENING:  # a new store's tables are made, which threads cannot do beside each other
            workshop = Workshop(Options(Path(folder)))
        process = _katib_run(document, Path(folder))
        try:
            while process.poll() is None and time.monotonic() < began + PATIENCE:
                time.sleep(0.2)
                _look(workshop, scene)
                if steps and steps[0](scene):
                    del steps[0]
        finally:
            process.kill()
            process.wait()
        events = _look(workshop, scene)
        workshop.close()
    retried = [found[1] for event in events if (found := _RETRIED.search(event.message))]
    first = retried[0] if retried else scene.trial.reason if scene.trial else ""
    return Outcome(time.monotonic() - began, tuple(scene.waits), first, scene.trial)


def _katib_run(document: kubernetes_place.Tree, home: Path) -> subprocess.Popen[bytes]:
    file = home / "experiment.yaml"
    file.write_text(json.dumps(document))
    own = {"KATIB_HOME": str(home), "KATIB_IMAGE_PATIENCE_SECONDS": IMAGE_PATIENCE}
    return subprocess.Popen(
        [sys.executable, "-m", "katib.cli.main", "run", str(file), "--runner", "kubernetes"],
        env={**os.environ, **own},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _look(workshop: Workshop, scene: Scene) -> Sequence[Event]:
    """Take in the trial's record; the experiment's events."""
    key = Key(scene.place.name, "fault")
    waits = [] if scene.trial is None else [workshop.store.get(key).status.waiting]
    for trial in workshop.store.trials(key):
        scene.trial = trial
        waits.append("" if trial.state.finished else trial.reason)
    scene.waits += [wait for wait in waits if wait and wait not in scene.waits]
    return workshop.store.events(key) if scene.trial else ()


def _row(name: str, case: Case, outcome: Outcome) -> Row:
    wrong = outcome.wrong(case)
    trial = outcome.trial
    ended = "" if trial is None else f"{', '.join(trial.failures)}; {trial.state}, attempt {trial.attempt}"
    return Row(f"{name}: {ended.removeprefix('; ')}", outcome.seconds, "s", "; ".join(wrong), not wrong)


def _print(name: str, outcome: Outcome) -> None:
    print(name)
    for wait in outcome.waits:
        print(f"  waits: {wait}")
    print(f"  ended: {outcome.first}")
    if outcome.trial is not None and outcome.trial.message:
        print("  message: " + outcome.trial.message.strip().replace("\n", "\n    "))


def main(arguments: Sequence[str] | None = None) -> int:
    """Bring about, look, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(CASES)}; all if none")
    parser.add_argument("--out", type=Path, default=Path("benchmark-results/kubernetes_faults.json"))
    options = parser.parse_args(arguments)
    cases = {name: CASES[name] for name in options.names or CASES}
    with kubernetes_place.own_bed(EVICT_AFTER) as bed, ThreadPoolExecutor(AT_ONCE) as pool:
        others = {name: case for name, case in cases.items() if not case.alone}
        outcomes = dict(zip(others, pool.map(lambda case: bring_about(case, bed), others.values()), strict=True))
        outcomes |= {name: bring_about(case, bed) for name, case in cases.items() if case.alone}
    for name, outcome in outcomes.items():
        _print(name, outcome)
    rows = [_row(name, cases[name], outcome) for name, outcome in outcomes.items()]
    show(rows)
    write(rows, options.out)
    return 0 if all(row.met for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
