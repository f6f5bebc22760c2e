"""Population based training of a real (small) model on this machine: what is continued is a copy of the parent's
weights, an exploit takes the good one's, and neither the owner's death nor a lost checkpoint stops the population."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from algorithms import ALGORITHMS, STOPPERS
from algorithms.population_based_training import GENERATION, MEMBER, PARENT
from katib.compose import Workshop
from katib.core.errors import NotFoundError
from katib.core.experiment import Budget, Verdict
from katib.core.trial import Trial, TrialState
from katib.engine import lifecycle
from katib.options import Options
from katib.resources.load import load_experiment
from katib.resources.validation import Known
from tests.end_to_end.experiments import KEY, Ran, katib, nothing_left, ran, until

# Logistic regression by gradient descent, 20 steps a trial. The folder comes from the command line, as Katib's own
# example has it. Prints a digest of the weights that it begins with and keeps one of those that it ends with.
TRAIN = """
import hashlib, json, sys
from pathlib import Path
import numpy as np

rate, folder = float(sys.argv[1]), Path(sys.argv[2])
rng = np.random.default_rng(0)
x = rng.normal(size=(200, 8)) * [1, 1, 1, 1, 5, 5, 9, 9]
y = (x @ rng.normal(size=8) > 0).astype(float)
file = folder / "weights.npz"
weights = np.load(file)["weights"] if file.exists() else np.full(8, 0.01)
print("began with", hashlib.sha256(weights.tobytes()).hexdigest(), flush=True)
with np.errstate(all="ignore"):
    for step in range(20):
        weights -= rate * x.T @ (1 / (1 + np.exp(-x @ weights)) - y) / len(y)
        margin = np.where(y > 0, 1, -1) * (x @ weights)
        print(f"loss={np.logaddexp(0, -margin).mean():.17g}", flush=True)
np.savez(folder / "aside.npz", weights=weights)
(folder / "aside.npz").replace(file)
(folder / "aside.json").write_text(json.dumps(hashlib.sha256(weights.tobytes()).hexdigest()))
(folder / "aside.json").replace(folder / "digest.json")
"""


def document(trials: int, parallel: int, wait: str = "") -> dict[str, Any]:
    settings = {"n_population": "5", "truncation_threshold": "0.3", "suggestion_trial_dir": "/opt/pbt/checkpoints"}
    words = [sys.executable, "-c", wait + TRAIN, "${trialParameters.rate}", "/opt/pbt/checkpoints/"]
    container = {"name": "main", "image": "example/image", "command": words}
    return {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Experiment",
        "metadata": {"name": KEY.name, "namespace": KEY.namespace},
        "spec": {
            "objective": {
                "type": "minimize",
                "objectiveMetricName": "loss",
                "metricStrategies": [{"name": "loss", "value": "latest"}],
            },
            "algorithm": {
                "algorithmName": "pbt",
                "algorithmSettings": [{"name": name, "value": value} for name, value in settings.items()],
            },
            "maxTrialCount": trials,
            "parallelTrialCount": parallel,
            "parameters": [
                {
                    "name": "rate",
                    "parameterType": "double",
                    "feasibleSpace": {"min": "0.0001", "max": "1", "distribution": "logUniform"},
                }
            ],
            "trialTemplate": {
                "primaryContainerName": "main",
                "trialParameters": [{"name": "rate", "reference": "rate"}],
                "trialSpec": {
                    "apiVersion": "batch/v1",
                    "kind": "Job",
                    "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [container]}}},
                },
            },
        },
    }


@dataclass(frozen=True)
class Place:
    """A home and the experiment's file in it."""

    home: Path

    @property
    def file(self) -> Path:
        return self.home / "experiment.yaml"

    def write(self, trials: int, parallel: int, wait: str = "") -> None:
        self.file.write_text(yaml.safe_dump(document(trials, parallel, wait)))

    def folder(self, trial: Trial) -> Path:
        return self.home / "trials" / KEY.namespace / KEY.name / trial.name / str(trial.attempt)

    def log(self, trial: Trial) -> list[str]:
        return (self.folder(trial) / "stdout.log").read_text().splitlines()

    def began_with(self, trial: Trial) -> str:
        return next(line.split()[-1] for line in self.log(trial) if line.startswith("began with"))

    def ended_with(self, trial: Trial) -> str:
        """Digest of its last weights; empty if its checkpoint is gone."""
        file = self.folder(trial) / "checkpoint" / "digest.json"
        return json.loads(file.read_text()) if file.exists() else ""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with nothing_left(tmp_path):
        yield Place(tmp_path)


def read(place: Place) -> Ran:
    workshop = Workshop(Options(place.home))
    try:
        return ran(workshop)
    finally:
        workshop.close()


class Watched:
    """Runs in this process and notes each trial's last weights before they may be released."""

    def __init__(self, place: Place) -> None:
        self.place, self.weights = place, dict[int, str]()
        self.workshop = Workshop(Options(place.home))
        lifecycle.create(self.workshop.store, load_experiment(place.file, known=Known(ALGORITHMS, STOPPERS)).spec, {})
        self.controller = self.workshop.controller()

    def steps(self) -> Iterator[tuple[Trial, ...]]:
        """The trials after each look, until the end."""
        while (delay := self.controller.reconcile(KEY)) is not None:
            trials = tuple(self.workshop.store.trials(KEY))
            for trial in trials:
                self.weights[trial.number] = self.place.ended_with(trial) or self.weights.get(trial.number, "")
            yield trials
            self.controller.wait(KEY, delay)

    def close(self) -> Ran:
        self.controller.close()
        found = ran(self.workshop)
        self.workshop.close()
        return found


def check_labels(trials: tuple[Trial, ...]) -> None:
    for trial in trials:
        if trial.parent is None:
            assert trial.labels[GENERATION] == "0"
            continue
        parent = trials[trial.parent]
        assert trial.labels[PARENT] == parent.name
        assert int(trial.labels[GENERATION]) == int(parent.labels[GENERATION]) + 1
        if trial.labels[MEMBER] == parent.labels[MEMBER]:
            assert trial.parameters == parent.parameters
        else:
            moved = trial.parameters["rate"] / parent.parameters["rate"]
            moves = (0.8**down * 1.2**up for down in range(5) for up in range(5) if down or up)
            assert trial.parameters["rate"] == 1.0 or any(moved == pytest.approx(move) for move in moves)


def last_loss(found: Ran, trial: Trial) -> float:
    return float(found.lines[trial.number][-1])


def test_the_poor_go_on_with_the_weights_of_the_good(place: Place) -> None:
    place.write(trials=30, parallel=2)
    watched = Watched(place)
    for _ in watched.steps():
        pass
    found = watched.close()
    trials = found.trials
    assert found.experiment.status.verdict is Verdict.MAX_TRIALS_REACHED
    assert {trial.state for trial in trials} == {TrialState.SUCCEEDED}
    check_labels(trials)
    exploits = [t for t in trials if t.parent is not None and t.labels[MEMBER] != trials[t.parent].labels[MEMBER]]
    assert len(exploits) >= 3
    for trial in trials:
        if trial.parent is not None:
            assert place.began_with(trial) == watched.weights[trial.parent]
    for trial in exploits:
        own = [t for t in trials[: trial.number] if t.labels[MEMBER] == trial.labels[MEMBER]][-1]
        assert trial.parent is not None
        assert last_loss(found, trials[trial.parent]) < last_loss(found, own)
        assert place.began_with(trial) != watched.weights[own.number]
    best_of_first = min(last_loss(found, t) for t in trials if t.parent is None)
    assert found.experiment.status.best_value is not None
    assert found.experiment.status.best_value < best_of_first
    kept = {trial.number for trial in trials if place.ended_with(trial)}
    assert found.experiment.status.best in kept
    assert len(kept) <= 5 + 2 + 2  # a result of each member, the best, and what the last trials began from


@pytest.mark.slow
def test_killed_owners_lose_no_weights(place: Place) -> None:
    place.write(trials=20, parallel=2, wait="import time; time.sleep(0.2)")
    for finished in (3, 7, 12):
        owner = katib(place.home, "run", str(place.file))
        try:
            until(lambda wanted=finished: done(place) >= wanted)
        finally:
            owner.kill()
            owner.communicate()
    owner = katib(place.home, "run", str(place.file))
    output, _ = owner.communicate(timeout=120)
    assert owner.returncode == 0, output
    found = read(place)
    assert len(found.trials) == 20
    assert {trial.state for trial in found.trials} == {TrialState.SUCCEEDED}
    check_labels(found.trials)
    fresh = {place.began_with(trial) for trial in found.trials if trial.parent is None}
    assert len(fresh) == 1
    for trial in found.trials:
        assert len(found.lines[trial.number]) == 20
        if trial.parent is not None:
            assert place.began_with(trial) not in fresh
            ended = place.ended_with(found.trials[trial.parent])
            assert ended in ("", place.began_with(trial))


def done(place: Place) -> int:
    try:
        return sum(trial.state.finished for trial in read(place).trials)
    except NotFoundError:  # the owner has not created it yet
        return 0


def test_a_lost_checkpoint_is_told_and_the_training_begins_anew(place: Place) -> None:
    place.write(trials=14, parallel=1)
    watched = Watched(place)
    lost: set[int] = set()
    for trials in watched.steps():
        if not lost and sum(trial.state.finished for trial in trials) == 5:
            lost = {trial.number for trial in trials if trial.state.finished}
            for trial in (trial for trial in trials if trial.state.finished):
                shutil.rmtree(place.folder(trial) / "checkpoint", ignore_errors=True)
    found = watched.close()
    assert found.experiment.status.verdict is Verdict.MAX_TRIALS_REACHED
    robbed = [trial for trial in found.trials if trial.parent in lost]
    assert robbed
    fresh = place.began_with(found.trials[0])
    for trial in found.trials:
        if trial.parent is not None:
            told = f"katib: trial {trial.labels[PARENT]} has left no checkpoint to continue from"
            assert (told in place.log(trial)) == (place.began_with(trial) == fresh)
    assert any(place.began_with(trial) == fresh for trial in robbed)


def test_a_restart_with_a_larger_budget_goes_on_from_the_checkpoints(place: Place) -> None:
    tree = document(trials=8, parallel=2)
    tree["spec"]["resumePolicy"] = "FromVolume"
    place.file.write_text(yaml.safe_dump(tree))
    watched = Watched(place)
    for _ in watched.steps():
        pass
    watched.controller.close()
    lifecycle.set_budget(watched.workshop.store, KEY, Budget(2, 16))
    for _ in watched.steps():
        pass
    found = watched.close()
    assert len(found.trials) == 16
    check_labels(found.trials)
    for trial in found.trials[8:]:
        assert trial.parent is not None
        assert place.began_with(trial) == watched.weights[trial.parent]
