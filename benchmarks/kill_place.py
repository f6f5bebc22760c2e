"""Where the kill benchmark happens: the experiment, and the ledger that its commands write themselves down in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from katib.compose import Workshop
from katib.core.ports import Store
from katib.core.trial import AttemptId, Key, Trial
from katib.options import Options
from trial_runners.attempt_folder import AttemptFolder
from trial_runners.local.processes import marked

KEY = Key("default", "kill")

# Arguments: ledger, integer part of the metric, lines to print, seconds between them, launches after which commands
# wait, file they wait for. The last trials wait for the last kill, so that no kill comes too late on a quick machine.
SCRIPT = """\
echo "$KATIB_TRIAL_NAME $KATIB_ATTEMPT $$" >>"$1"
if [ "$(wc -l <"$1")" -gt "$5" ]; then while [ ! -e "$6" ]; do sleep 0.1; done; fi
line=1
while [ "$line" -le "$3" ]; do echo "loss=$2.$line"; line=$((line + 1)); sleep "$4"; done
"""


@dataclass(frozen=True, slots=True)
class Scenario:
    """pause: seconds between two of a trial's ``lines``. seed: of the search, and of the moments of the kills. life:
    longest of a process before a kill, in seconds of work."""

    trials: int = 30
    parallel: int = 3
    lines: int = 6
    pause: float = 0.3
    kills: int = 20
    seed: int = 1
    life: float = 1.2


class Place:
    """A home with the experiment's YAML, the ledger and the gate that the last trials wait at. key: the experiment's.
    options: further ones of ``katib run``."""

    key = KEY
    options: tuple[str, ...] = ()

    def __init__(self, home: Path, scenario: Scenario, store: str = "") -> None:
        """store: its URL, empty for the SQLite file in ``home``."""
        self.home = home
        self.store = store
        self.scenario = scenario
        self.ledger = home / "ledger"
        self.gate = home / "gate"
        self.file = home / "experiment.yaml"
        home.mkdir(parents=True, exist_ok=True)
        self.file.write_text(json.dumps(self.document()), encoding="utf-8")

    def run(self) -> subprocess.Popen[str]:
        """Start ``katib run``."""
        command = [sys.executable, "-m", "katib.cli.main", "run", str(self.file)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("KATIB_")}
        store = {"KATIB_STORE": self.store} if self.store else {}
        return subprocess.Popen(
            [*command, "--seed", str(self.scenario.seed), *self.options],
            env={
                **environment,
                **store,
                "KATIB_HOME": str(self.home),
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            },
            cwd=self.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def launches(self) -> tuple[tuple[str, int], ...]:
        """What the ledger says: (trial, attempt) of each command."""
        with suppress(FileNotFoundError):
            words = [line.split() for line in self.ledger.read_text().splitlines()]
            return tuple((name, int(attempt)) for name, attempt, _ in words)
        return ()

    def read(self) -> tuple[tuple[Trial, ...], dict[tuple[str, int], list[str]]]:
        """Trials by number and stored metric texts by (trial, attempt); nothing before the experiment exists."""
        workshop = Workshop(Options(self.home, self.store))
        try:
            trials = tuple(sorted(workshop.store.trials(self.key), key=lambda trial: trial.number))
            return trials, _curves(workshop.store, self.key, trials)
        finally:
            workshop.close()

    def printed(self, launches: tuple[tuple[str, int], ...]) -> dict[tuple[str, int], list[str]]:
        """The metric's texts in the logs."""
        root, texts = self.home / "trials", {}
        for name, attempt in launches:
            log = AttemptFolder.of(root, AttemptId(KEY, name, attempt)).log.read_text()
            lines = log.splitlines()  # a shell may add "Terminated" when it was stopped
            texts[name, attempt] = [line.removeprefix("loss=") for line in lines if line.startswith("loss=")]
        return texts

    def left(self) -> int:
        """Processes of trials that still run."""
        return sum(len(processes) for processes in marked((self.home / "trials").resolve()).values())

    def document(self) -> dict[str, Any]:
        """The experiment."""
        scenario = self.scenario
        waits_after = scenario.trials - scenario.parallel
        words = [self.ledger, "${trialParameters.n}", scenario.lines, scenario.pause, waits_after, self.gate]
        # Kubernetes takes $$ for $ in commands, to tell it from $(VARIABLE).
        command = ["/bin/sh", "-c", SCRIPT.replace("$", "$$"), "trial", *map(str, words)]
        return {
            "apiVersion": "kubeflow.org/v1beta1",
            "kind": "Experiment",
            "metadata": {"name": KEY.name},
            "spec": {
                "objective": {"type": "minimize", "objectiveMetricName": "loss"},
                "algorithm": {"algorithmName": "random"},
                "earlyStopping": {"algorithmName": "medianstop"},
                "maxTrialCount": scenario.trials,
                "parallelTrialCount": scenario.parallel,
                "parameters": [
                    {"name": "n", "parameterType": "int", "feasibleSpace": {"min": "1", "max": "1000000"}},
                    {"name": "x", "parameterType": "double", "feasibleSpace": {"min": "0", "max": "1"}},
                ],
                "trialTemplate": {
                    "primaryContainerName": "main",
                    "trialParameters": [{"name": "n", "reference": "n"}],
                    "trialSpec": {
                        "apiVersion": "batch/v1",
                        "kind": "Job",
                        "spec": {
                            "template": {"spec": {"containers": [{"name": "main", "image": "sh", "command": command}]}}
                        },
                    },
                },
            },
        }


def _curves(store: Store, key: Key, trials: tuple[Trial, ...]) -> dict[tuple[str, int], list[str]]:
    names = {trial.number: trial.name for trial in trials}
    texts: dict[tuple[str, int], list[str]] = {}
    for number, recorded in store.curve(key):
        texts.setdefault((names[number], recorded.attempt), []).append(recorded.measurement.text)
    return texts
