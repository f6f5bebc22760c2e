"""The same twelve trials, whether the algorithm runs in the engine or in a service of its own, and whether or not that
service dies in the middle."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from katib.compose import Workshop
from katib.core.experiment import Budget, Component, ExperimentSpec, Verdict
from katib.core.space import Choice, Integer, Real, SearchSpace
from katib.core.trial import TrialState
from katib.engine import lifecycle
from katib.options import Options
from tests.end_to_end.experiments import KEY, ROOT, Ran, command_spec, job, katib, nothing_left, ran

pytestmark = pytest.mark.requires("skopt")

TRIALS = 12
WORDS = [f"${{trialParameters.{name}}}" for name in ("x", "n", "kind")]
BOWL = """
import sys
x, n, kind = float(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
for step in range(3):
    print(f"loss={(x - 0.3) ** 2 + (n - 4) ** 2 / 10 + (kind == 'b') + 1 / (step + 1):.9f}")
"""
COMMAND = [sys.executable, "-c", BOWL, *WORDS]


def document() -> dict[str, object]:
    """The experiment as YAML has it."""
    ranges = {
        "x": ("double", {"min": "-1", "max": "1"}),
        "n": ("int", {"min": "1", "max": "9"}),
        "kind": ("categorical", {"list": ["a", "b", "c"]}),
    }
    spec = {
        "objective": {"type": "minimize", "objectiveMetricName": "loss"},
        "algorithm": {
            "algorithmName": "bayesianoptimization",
            "algorithmSettings": [{"name": "n_initial_points", "value": "5"}],
        },
        "maxTrialCount": TRIALS,
        "parallelTrialCount": 1,
        "parameters": [{"name": n, "parameterType": t, "feasibleSpace": s} for n, (t, s) in ranges.items()],
        "trialTemplate": {
            "primaryContainerName": "main",
            "trialParameters": [{"name": name, "reference": name} for name in ranges],
            "trialSpec": job(COMMAND),
        },
    }
    name = {"name": KEY.name}
    return {"apiVersion": "kubeflow.org/v1beta1", "kind": "Experiment", "metadata": name, "spec": spec}


def run_command(home: Path, *arguments: str) -> Ran:
    """``katib run`` of it as a process."""
    home.mkdir()
    file = home / "experiment.yaml"
    file.write_text(json.dumps(document()))
    with nothing_left(home):
        process = katib(home, "run", str(file), "--seed", "11", *arguments)
        output, _ = process.communicate(timeout=240)
        assert process.returncode == 0, output
    workshop = Workshop(Options(home))
    try:
        return ran(workshop)
    finally:
        workshop.close()


def test_in_process_and_remote_runs_give_the_same_trials(tmp_path: Path) -> None:
    local = run_command(tmp_path / "local")
    remote = run_command(tmp_path / "remote", "--suggestion", "process")
    assert [trial.parameters for trial in local.trials] == [trial.parameters for trial in remote.trials]
    assert len({json.dumps(trial.parameters) for trial in local.trials}) == TRIALS
    assert local.lines == remote.lines
    assert [trial.state for trial in remote.trials] == [TrialState.SUCCEEDED] * TRIALS
    assert local.experiment.status.best == remote.experiment.status.best


class Service:
    """A suggestion service on a port that stays its own through deaths."""

    def __init__(self) -> None:
        self.port = "0"
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "suggestion_service", "--port", self.port]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self.address = self.process.stdout.readline().rsplit(" ", 1)[-1].strip()
        self.port = self.address.rpartition(":")[2]

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


def spec() -> ExperimentSpec:
    return command_spec(
        COMMAND,
        space=SearchSpace((Real("x", -1.0, 1.0), Integer("n", 1, 9), Choice("kind", ("a", "b", "c")))),
        algorithm=Component("bayesianoptimization", {"n_initial_points": "5"}),
        budget=Budget(1, TRIALS),
        seed=11,
    )


def run_with_deaths(home: Path, deaths: tuple[int, ...]) -> tuple[Ran, list[str]]:
    """Run over a service that dies after so many finished trials, and comes back once the engine says that it waits."""
    service = Service()
    workshop = Workshop(Options(home, suggestion=service.address))
    due, waited = list(deaths), []
    try:
        lifecycle.create(workshop.store, spec(), {})
        controller = workshop.controller()
        while (delay := controller.reconcile(KEY)) is not None:
            waiting = workshop.store.get(KEY).status.waiting
            if service.process.returncode is not None and waiting:
                waited.append(waiting)
                service.start()
            view = controller.view(KEY)
            if due and view and len(view[1].finished) >= due[0]:
                due.pop(0)
                service.kill()
            controller.wait(KEY, delay)
        return ran(workshop), waited
    finally:
        workshop.close()
        service.kill()


@pytest.mark.slow
def test_a_service_that_dies_is_waited_for(tmp_path: Path) -> None:
    unbroken, _ = run_with_deaths(tmp_path / "unbroken", ())
    broken, waited = run_with_deaths(tmp_path / "broken", (0, 3, 8))
    assert [trial.parameters for trial in broken.trials] == [trial.parameters for trial in unbroken.trials]
    assert len(broken.trials) == TRIALS
    assert len(waited) == 3
    assert all("suggestion" in text or "127.0.0.1" in text for text in waited), waited
    assert broken.experiment.status.waiting == ""
    assert broken.experiment.status.verdict is Verdict.MAX_TRIALS_REACHED
