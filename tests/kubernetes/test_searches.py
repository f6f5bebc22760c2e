"""Real trainings in pods, searched as a user would: each search comes to its best trial."""

from __future__ import annotations

from pathlib import Path

import pytest

from algorithms.hyperband import RUNG
from benchmarks import kubernetes_place
from benchmarks.examples import Ran, read_experiment, run_command
from benchmarks.kubernetes_searches import KATIB, OPTIONS, run_search
from katib.core.experiment import Verdict
from katib.core.trial import Trial, TrialState

pytestmark = [pytest.mark.requires("k8s"), pytest.mark.requires("skopt"), pytest.mark.timeout(600)]

ENDS = {
    "random-pods": {TrialState.SUCCEEDED},
    "bayesian-pods": {TrialState.SUCCEEDED, TrialState.EARLY_STOPPED},
    "hyperband-pods": {TrialState.SUCCEEDED},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_search(name: str, kubernetes_cluster: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBECONFIG", str(kubernetes_cluster))
    with kubernetes_place.namespace() as place:
        ran = run_search(name, place, tmp_path, timeout=500)
        assert ran.status == 0, ran.output
        assert place.await_gone() == 0
    objective, status = ran.experiment.spec.objective, ran.experiment.status
    assert status.verdict in (Verdict.MAX_TRIALS_REACHED, Verdict.SEARCH_EXHAUSTED)
    assert {trial.state for trial in ran.trials} == ENDS[name]
    assert {trial.attempt for trial in ran.trials} == {1}
    values = [objective.value(trial.observation) for trial in ran.trials]
    assert status.best_value == min(values)
    if name == "hyperband-pods":
        check_resumed(ran)
    if name == "random-pods":
        check_same_as_here(ran, tmp_path)


def check_resumed(ran: Ran) -> None:
    """A promoted trial trains only the epochs that its parent has not."""
    assert len(ran.trials) == 9 + 3 + 1 + 5 + 1 + 3
    for trial in ran.trials:
        parent = ran.trials[trial.parent] if trial.parent is not None else None
        assert (parent is None) == (trial.labels[RUNG] == "0")
        done = int(parent.parameters["epochs"]) if parent else 0
        assert len(losses(ran, trial)) == int(trial.parameters["epochs"]) - done


def check_same_as_here(ran: Ran, folder: Path) -> None:
    """The same file finds the same on this machine."""
    home = folder / "here"
    home.mkdir()
    here = run_command([*KATIB, "examples/kubernetes/random-pods.yaml"], home)
    assert here.status == 0, here.output
    here = read_experiment(here, home)
    for pod, process in zip(ran.trials, here.trials, strict=True):
        assert pod.parameters == process.parameters
        assert losses(ran, pod) == pytest.approx(losses(here, process), rel=1e-3)


def losses(ran: Ran, trial: Trial) -> list[float]:
    return [report.value for number, report in ran.reports if number == trial.number and report.metric == "loss"]
