"""What is put into the cluster for an attempt: names, labels and variables in jobs of every kind."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest

from katib.core.errors import RunnerError
from katib.core.experiment import TrialTemplate
from katib.core.trial import Attempt
from tests.contracts.runner_contract import attempt_id
from trial_runners.kubernetes.manifest import FORGOTTEN_SECONDS, manifest_for
from trial_runners.kubernetes.names import identity, job_name, label_value, labels_of
from trial_runners.settings import KubernetesSettings

TRAIN = {"name": "training", "image": "mnist:1", "command": ["sh", "-c", "echo 'a  b' $X"], "args": ["--lr", "0.1"]}
SIDE = {"name": "side", "image": "side:1"}


def pod(*containers: Any, **labels: str) -> dict[str, Any]:
    metadata = {"metadata": {"labels": labels}} if labels else {}
    return {**metadata, "spec": {"restartPolicy": "Never", "containers": [copy.deepcopy(c) for c in containers]}}


def job(*containers: Any, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "trial-a", "namespace": "team"},
        "spec": {"template": pod(*containers), **spec},
    }


def attempt_of(run: dict[str, Any], number: int = 1, **fields: Any) -> Attempt:
    return Attempt(attempt_id(attempt=number), 3, {}, run=run, primary_container="training", seed=42, **fields)


def made(run: dict[str, Any], template: TrialTemplate | None = None, **fields: Any) -> dict[str, Any]:
    return manifest_for(attempt_of(run, **fields), template or TrialTemplate(), KubernetesSettings())


def values(container: dict[str, Any]) -> dict[str, Any]:
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in container.get("env", [])}


def container_of(manifest: dict[str, Any], name: str = "training") -> dict[str, Any]:
    return next(c for c in manifest["spec"]["template"]["spec"]["containers"] if c["name"] == name)


IDENTITY = {
    "katib.kubeflow.org/experiment": "study",
    "katib.kubeflow.org/trial": "trial-a",
    "katib.dev/attempt": "1",
}


def test_a_job_gets_labels_and_variables_and_stays_otherwise() -> None:
    run = job(TRAIN, SIDE)
    before = copy.deepcopy(run)
    manifest = made(run, labels={"bracket": "2"})
    assert run == before
    labels = {"bracket": "2", **IDENTITY}
    assert manifest["metadata"] == {"name": "trial-a", "namespace": "team", "labels": labels}
    assert manifest["spec"]["template"]["metadata"] == {"labels": labels}
    training = container_of(manifest)
    assert {key: training[key] for key in TRAIN} == TRAIN
    assert container_of(manifest, "side") == SIDE
    env = values(training)
    assert env["KATIB_TRIAL_NAME"] == {"fieldRef": {"fieldPath": "metadata.labels['katib.kubeflow.org/trial']"}}
    assert {
        name: env[name] for name in ("KATIB_NAMESPACE", "KATIB_EXPERIMENT_NAME", "KATIB_ATTEMPT", "KATIB_SEED")
    } == {
        "KATIB_NAMESPACE": "team",
        "KATIB_EXPERIMENT_NAME": "study",
        "KATIB_ATTEMPT": "1",
        "KATIB_SEED": "42",
    }


def test_what_the_user_set_wins_and_may_refer_to_ours() -> None:
    own = [{"name": "KATIB_SEED", "value": "7"}, {"name": "OUT", "value": "/data/$(KATIB_TRIAL_NAME)"}]
    env = container_of(made(job({**TRAIN, "env": own})))["env"]
    assert env[-2:] == own
    assert [entry["name"] for entry in env].count("KATIB_SEED") == 1


@pytest.mark.parametrize(
    ("run", "retain", "expected"),
    [
        pytest.param(job(TRAIN), False, FORGOTTEN_SECONDS, id="safety net"),
        pytest.param(job(TRAIN), True, None, id="retained"),
        pytest.param(job(TRAIN, ttlSecondsAfterFinished=5), False, 5, id="the user's"),
        pytest.param({**job(TRAIN), "apiVersion": "batch.volcano.sh/v1alpha1"}, False, None, id="another kind of Job"),
        pytest.param({**job(TRAIN), "kind": "Odd"}, False, None, id="another kind"),
    ],
)
def test_jobs_that_nobody_comes_back_to_are_forgotten(run: dict[str, Any], retain: bool, expected: int | None) -> None:
    assert made(run, retain=retain)["spec"].get("ttlSecondsAfterFinished") == expected


def replicas(**roles: Any) -> dict[str, Any]:
    return {
        "kind": "PyTorchJob",
        "spec": {"pytorchReplicaSpecs": {role: {"replicas": 1, "template": t} for role, t in roles.items()}},
    }


@pytest.mark.parametrize(
    "run",
    [
        pytest.param(job(TRAIN), id="Job"),
        pytest.param({"kind": "Pod", **pod(TRAIN)}, id="Pod"),
        pytest.param(replicas(Worker=pod(TRAIN), Master=pod(TRAIN)), id="PyTorchJob"),
        pytest.param({"kind": "CronJob", "spec": {"jobTemplate": job(TRAIN)}}, id="CronJob"),
        pytest.param({"kind": "Odd", "spec": {"deep": [{"x": 1}, {"inner": pod(TRAIN, own="x")}]}}, id="unknown kind"),
    ],
)
def test_every_pod_template_gets_them(run: dict[str, Any]) -> None:
    found: list[dict[str, Any]] = []

    def look(node: Any) -> None:
        if isinstance(node, dict):
            if isinstance(node.get("spec"), dict) and "containers" in node["spec"]:
                found.append(node)
            for item in node.values():
                look(item)
        elif isinstance(node, list):
            for item in node:
                look(item)

    look(made(run))
    assert found
    for template in found:
        assert IDENTITY.items() <= template["metadata"]["labels"].items()
        assert values(template["spec"]["containers"][0])["KATIB_ATTEMPT"] == "1"


def test_a_train_job_passes_labels_and_variables_on() -> None:
    run = {"kind": "TrainJob", "spec": {"labels": {"own": "x"}, "trainer": {"image": "i", "command": ["python"]}}}
    spec = made(run)["spec"]
    assert spec["labels"] == {"own": "x", **IDENTITY}
    assert spec["trainer"]["command"] == ["python"]
    assert values(spec["trainer"])["KATIB_TRIAL_NAME"] == "trial-a"


def test_a_workflow_passes_labels_and_variables_on() -> None:
    run = {"kind": "Workflow", "spec": {"templates": [{"name": "s", "steps": []}, {"name": "t", "container": TRAIN}]}}
    spec = made(run)["spec"]
    assert spec["podMetadata"] == {"labels": IDENTITY}
    assert spec["templates"][0] == {"name": "s", "steps": []}
    assert values(spec["templates"][1]["container"])["KATIB_TRIAL_NAME"] == "trial-a"


def test_a_pipeline_run_passes_variables_on() -> None:
    task = {"name": "t", "taskSpec": {"steps": [TRAIN, SIDE]}}
    manifest = made({"kind": "PipelineRun", "spec": {"pipelineSpec": {"tasks": [task, {"name": "other"}]}}})
    assert manifest["metadata"]["labels"] == IDENTITY
    first, other = manifest["spec"]["pipelineSpec"]["tasks"]
    assert values(first["taskSpec"]["steps"][0])["KATIB_TRIAL_NAME"] == "trial-a"
    assert first["taskSpec"]["steps"][1] == SIDE
    assert other == {"name": "other"}


def test_no_container_of_that_name() -> None:
    with pytest.raises(RunnerError, match="no pod template in the Job has a container 'training'"):
        made(job(SIDE))


LONG = "a" * 70


@pytest.mark.parametrize(
    ("trial", "number", "expected"),
    [
        pytest.param("trial-a", 1, "trial-a", id="Katib's"),
        pytest.param("trial-a", 2, "trial-a-2", id="second attempt"),
        pytest.param("Trial_A.", 1, r"trial-a-[0-9a-f]{8}", id="letters that no name has"),
        pytest.param(LONG, 1, r"a{54}-[0-9a-f]{8}", id="too long"),
        pytest.param("a" * 62, 12, r"a{54}-[0-9a-f]{8}", id="too long with its attempt"),
        pytest.param("--", 1, r"x[0-9a-f]{8}", id="nothing left"),
    ],
)
def test_names_of_jobs(trial: str, number: int, expected: str) -> None:
    assert re.fullmatch(expected, job_name(attempt_id(trial, number)))


def test_names_that_were_changed_stay_apart() -> None:
    ids = [attempt_id(trial, number) for trial in (LONG, LONG + "b", "A", "a") for number in (1, 2, 11)]
    assert len({job_name(id) for id in ids}) == len(ids)
    assert len({identity(id)["katib.kubeflow.org/trial"] for id in ids}) == 4


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("study", "study", id="as it is"),
        pytest.param("Rung_1.5", "Rung_1.5", id="all letters"),
        pytest.param("", "", id="empty"),
        pytest.param("a b", r"a-b-[0-9a-f]{8}", id="space"),
        pytest.param("-1", r"1-[0-9a-f]{8}", id="minus in front"),
        pytest.param(LONG, r"a{54}-[0-9a-f]{8}", id="too long"),
    ],
)
def test_values_of_labels(text: str, expected: str) -> None:
    assert re.fullmatch(expected, label_value(text))


def test_labels_whose_keys_cannot_be_are_left_out() -> None:
    labels = {"bracket": "1", "team/x": "2", "a b": "3", "/x": "4", "x/": "5", LONG: "6"}
    assert labels_of(attempt_of(job(TRAIN), labels=labels)) == {"bracket": "1", "team/x": "2", **IDENTITY}
