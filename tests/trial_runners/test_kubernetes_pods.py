"""Real pods, through the whole engine: metrics of every kind of collector, checkpoints on a claim, Python functions."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import katib
from katib.compose import Workshop
from katib.core.collector import CollectorSpec
from katib.core.errors import NotFoundError
from katib.core.experiment import Budget, Component, ExperimentSpec, TrialTemplate
from katib.core.objective import Objective
from katib.core.space import Integer, Real, SearchSpace
from katib.core.trial import FailureClass, TrialState
from katib.options import Options
from tests.end_to_end.experiments import katib as katib_command
from tests.end_to_end.experiments import until
from tests.end_to_end.test_hyperband import TRAIN, ancestors
from tests.trial_runners.kubernetes_attempts import IMAGE, job
from tests.trial_runners.kubernetes_experiments import EVENTS, FILE, PUSH, PYTHON, SERVE, VALUES, WRITE, Bench
from trial_runners.kubernetes import phases
from trial_runners.kubernetes.api import Request, Resource

pytestmark = [pytest.mark.requires("k8s")]


@pytest.fixture
def bench(kubernetes_namespace: str, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(kubernetes_namespace, tmp_path)
    yield bench
    bench.api.close()


FOLLOW = """
import os, time
open(os.environ["KATIB_METRICS_FILE"], "a").close()
with open(os.environ["KATIB_METRICS_FILE"]) as file:
    while True:
        print(file.readline().replace("value ", "loss="), end="", flush=True)
        time.sleep(0.05)
"""
CUSTOM = {"name": "follow", "image": IMAGE, "command": [*PYTHON, FOLLOW]}

KINDS = [
    pytest.param("LINE = 'loss={}'" + WRITE, CollectorSpec("File", FILE), "loss", id="File-TEXT"),
    pytest.param(
        'LINE = \'{{"loss": "{}"}}\'' + WRITE, CollectorSpec("File", FILE, format="JSON"), "loss", id="File-JSON"
    ),
    pytest.param(EVENTS, CollectorSpec("TensorFlowEvent", "/logs/tf", directory=True), "train/loss", id="events"),
    pytest.param(PUSH, CollectorSpec("Push"), "loss", id="Push"),
    pytest.param(SERVE, CollectorSpec("PrometheusMetric"), 'loss{split="val"}', id="Prometheus"),
    pytest.param(
        "LINE = 'value {}'" + WRITE,
        CollectorSpec("Custom", FILE, options={"customCollector": CUSTOM}),
        "loss",
        id="Custom",
    ),
]


@pytest.mark.parametrize(("script", "collector", "metric"), KINDS)
def test_every_kind_of_collector(
    bench: Bench, script: str, collector: CollectorSpec, metric: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phases, "_COLLECTOR_PATIENCE", 2.0)  # the Custom one does not end by itself
    spec = bench.spec([*PYTHON, script], collector=collector, objective=Objective(metric))
    (trial,) = bench.run(spec)
    assert (trial.state, trial.reason) == (TrialState.SUCCEEDED, "")
    assert bench.texts() == VALUES


def test_a_training_of_milliseconds(bench: Bench) -> None:
    spec = bench.spec(["sh", "-c", f"echo loss=0.5 >{FILE}"], collector=CollectorSpec("File", FILE))
    (trial,) = bench.run(spec)
    assert trial.state is TrialState.SUCCEEDED
    assert bench.texts() == ["0.5"]


def test_a_training_that_writes_nothing(bench: Bench) -> None:
    (trial,) = bench.run(bench.spec(["true"], collector=CollectorSpec("File", FILE)))
    assert trial.state is TrialState.METRICS_UNAVAILABLE
    assert f"{FILE} was not written" in trial.reason


def test_an_image_without_python(bench: Bench) -> None:
    """The command of the echo is not there; the training's own is."""
    spec = bench.spec(["sleep", "60"], collector=CollectorSpec("File", FILE))
    (trial,) = bench.run(spec, collector_image="localhost/pause:1")
    assert (trial.state, trial.failure) == (TrialState.FAILED, FailureClass.USER_ERROR)
    assert "the metrics collector cannot start in its image, localhost/pause:1" in trial.reason
    assert "python3" in trial.reason


VOLUMES = Resource("/api/v1", "persistentvolumes", namespaced=False)
CLAIMS = Resource("/api/v1", "persistentvolumeclaims")


@pytest.fixture
def claim(bench: Bench, tmp_path: Path) -> Iterator[str]:
    """A claim bound to a folder of this machine."""
    name = f"work-{bench.key.namespace}"
    capacity = {"storage": "1Gi"}
    common = {"accessModes": ["ReadWriteMany"], "storageClassName": ""}
    (tmp_path / "claim").mkdir(mode=0o777)
    volume = {
        "metadata": {"name": name},
        "spec": {
            **common,
            "capacity": capacity,
            "hostPath": {"path": str(tmp_path / "claim")},
            "claimRef": {"namespace": bench.key.namespace, "name": "work"},
        },
    }
    wish = {"metadata": {"name": "work"}, "spec": {**common, "volumeName": name, "resources": {"requests": capacity}}}
    bench.api.call(Request("create", VOLUMES, "", body=volume))
    bench.api.call(Request("create", CLAIMS, bench.key.namespace, body=wish))
    yield "claim:work/runs"
    bench.api.call(Request("delete", CLAIMS, bench.key.namespace, "work"))
    bench.api.call(Request("delete", VOLUMES, "", name))


def test_promotions_continue_from_checkpoints_on_a_claim(bench: Bench, claim: str, tmp_path: Path) -> None:
    words = ["${trialParameters.epochs}", "${trialParameters.x}"]
    spec = bench.spec(
        ["/bin/sh", "-c", TRAIN, "train", *words],
        space=SearchSpace((Real("x", 0.0, 1.0), Integer("epochs", 1, 3))),
        algorithm=Component("hyperband", {"resource_name": "epochs", "eta": "3", "r_l": "3"}),
        budget=Budget(4, None),
        seed=3,
    )
    trials = tuple(bench.run(spec, checkpoints=claim))
    assert {trial.state for trial in trials} == {TrialState.SUCCEEDED}
    promoted = [trial for trial in trials if trial.parent is not None]
    assert promoted
    for trial in promoted:
        folder = tmp_path / "claim" / "runs" / "pods" / trial.name / "1"
        assert (folder / "line").read_text().split() == [t.name for t in reversed(ancestors(trials, trial))]
        assert len(bench.texts(trial.number)) == 2, "it trains from epoch 1 to 3"


def test_another_attempt_continues_from_the_claim(bench: Bench, claim: str) -> None:
    script = """
    if [ -e $KATIB_CHECKPOINT_DIR/state ]; then echo loss=0.25; exit; fi
    echo x >$KATIB_CHECKPOINT_DIR/state
    kill -9 $$
    """
    seen = {"pod": {"shareProcessNamespace": True}}  # else no signal ends the first process
    (trial,) = bench.run(bench.spec(["sh", "-c", script], changes=seen), checkpoints=claim)
    assert (trial.state, trial.attempt) == (TrialState.SUCCEEDED, 2)
    assert bench.texts() == ["0.25"]


def quadratic(parameters: dict[str, Any]) -> dict[str, float]:
    for step in range(3):
        katib.report_metrics(loss=parameters["x"] ** 2 + 3 - step, step=step)
    return {"loss": parameters["x"] ** 2, "accuracy": 0.5}


def failing(parameters: dict[str, Any]) -> float:
    raise RuntimeError("went wrong")


@pytest.mark.parametrize("collector", [CollectorSpec(), CollectorSpec("Push")], ids=["StdOut", "Push"])
def test_functions(bench: Bench, collector: CollectorSpec) -> None:
    spec = bench.spec([], budget=Budget(2, 3), collector=collector)
    trials = bench.run(_function(spec), objective=quadratic, image="localhost/trial:1")
    assert [(trial.state, trial.reason) for trial in trials] == [(TrialState.SUCCEEDED, "")] * 3
    for trial in trials:
        x = trial.parameters["x"]
        assert isinstance(x, float)
        assert bench.texts(trial.number) == [repr(x**2 + 3 - step) for step in range(3)] + [repr(x**2)]


def test_a_function_that_fails(bench: Bench) -> None:
    (trial,) = bench.run(_function(bench.spec([])), objective=failing, image="localhost/trial:1")
    assert (trial.state, trial.failure) == (TrialState.FAILED, FailureClass.USER_ERROR)
    assert "RuntimeError: went wrong" in trial.message


def test_an_image_that_cannot_run_functions(bench: Bench) -> None:
    (trial,) = bench.run(_function(bench.spec([])), objective=quadratic, image=IMAGE)
    assert trial.state is TrialState.FAILED
    assert "this image has no package cloudpickle" in trial.message


def _function(spec: ExperimentSpec) -> ExperimentSpec:
    return replace(spec, template=TrialTemplate())


def document(bench: Bench, script: str, collector: dict[str, Any], metric: str) -> dict[str, Any]:
    """An experiment of one trial, for ``katib run``."""
    run = job([*PYTHON, script])
    del run["metadata"]
    return {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Experiment",
        "metadata": {"name": bench.key.name, "namespace": bench.key.namespace},
        "spec": {
            "objective": {"type": "minimize", "objectiveMetricName": metric},
            "algorithm": {"algorithmName": "random"},
            "maxTrialCount": 1,
            "parallelTrialCount": 1,
            "parameters": [{"name": "x", "parameterType": "double", "feasibleSpace": {"min": "0", "max": "1"}}],
            "metricsCollectorSpec": collector,
            "trialTemplate": {"primaryContainerName": "main", "trialParameters": [], "trialSpec": run},
        },
    }


@pytest.mark.parametrize(
    ("script", "collector", "metric"),
    [
        pytest.param("LINE = 'loss={}'" + WRITE, {"collector": {"kind": "File"}}, "loss", id="File"),
        pytest.param(
            EVENTS,
            {"collector": {"kind": "TensorFlowEvent"}, "source": {"fileSystemPath": {"path": "/logs/tf"}}},
            "train/loss",
            id="events",
        ),
        pytest.param(SERVE, {"collector": {"kind": "PrometheusMetric"}}, 'loss{split="val"}', id="Prometheus"),
    ],
)
def test_no_metric_is_lost_or_repeated_when_the_controller_is_killed(
    bench: Bench, script: str, collector: dict[str, Any], metric: str
) -> None:
    file = bench.home / "experiment.json"
    file.write_text(json.dumps(document(bench, script, collector, metric)))
    with Looking(bench) as texts:
        for wanted in (1, 3, len(VALUES) + 1):
            process = katib_command(bench.home, "run", str(file), "--runner", "kubernetes")
            try:
                until(partial(_enough, process, texts, wanted), 60)
            finally:
                process.kill()
                said = process.communicate()[0]
        expected = VALUES
        if collector["collector"]["kind"] == "PrometheusMetric":  # nobody scrapes while there is no controller
            expected = [value for value in VALUES if value in texts()]
        assert (texts(), process.returncode) == (expected, 0), said


def _enough(process: subprocess.Popen[str], texts: Callable[[], list[str]], wanted: int) -> bool:
    return len(texts()) >= wanted or process.poll() is not None


class Looking:
    """Looks at the store while a command runs the experiment."""

    def __init__(self, bench: Bench) -> None:
        self._bench, self._workshop = bench, Workshop(Options(bench.home))

    def __enter__(self) -> Callable[[], list[str]]:
        return self._texts

    def __exit__(self, *error: object) -> None:
        self._workshop.close()

    def _texts(self) -> list[str]:
        try:
            return [recorded.measurement.text for _, recorded in self._workshop.store.curve(self._bench.key)]
        except NotFoundError:
            return []
