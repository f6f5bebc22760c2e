"""What a pod gets so that its metrics can be read, by the kind of the collector."""

from __future__ import annotations

from typing import Any

import pytest

from katib.core.collector import CollectorSpec
from katib.core.errors import RunnerError
from katib.core.experiment import TrialTemplate
from katib.core.trial import Attempt
from tests.contracts.runner_contract import attempt_id
from tests.trial_runners.test_kubernetes_manifest import SIDE, TRAIN, container_of, job, pod, replicas, values
from trial_runners.kubernetes.collecting import SCRIPT, collector_container
from trial_runners.kubernetes.manifest import manifest_for
from trial_runners.kubernetes.names import COLLECTOR
from trial_runners.settings import KubernetesSettings

FILE = CollectorSpec("File", "/katib/mnist.log")
JSON = CollectorSpec("File", "/katib/mnist.json", format="JSON")
EVENTS = CollectorSpec("TensorFlowEvent", "/logs/train/", directory=True)
PUSH = CollectorSpec("Push")
PROMETHEUS = CollectorSpec("PrometheusMetric", options={"httpGet": {"port": "9090", "path": "/metrics"}})
CUSTOM = CollectorSpec("Custom", "/katib/x.csv", options={"customCollector": {"name": "mine", "args": ["-v"]}})
BARE = CollectorSpec("Custom", options={"customCollector": {"name": "mine", "image": "i", "command": ["c"]}})

PLAIN = KubernetesSettings(db_manager="")


def attempt_of(collector: CollectorSpec, run: dict[str, Any]) -> Attempt:
    return Attempt(attempt_id(), 3, {}, run=run, primary_container="training", collector=collector)


def made(
    collector: CollectorSpec, run: dict[str, Any] | None = None, settings: KubernetesSettings = PLAIN
) -> dict[str, Any]:
    return manifest_for(attempt_of(collector, run or job(TRAIN)), TrialTemplate(), settings)


def spec_of(manifest: dict[str, Any]) -> dict[str, Any]:
    return manifest["spec"]["template"]["spec"]


def told(manifest: dict[str, Any]) -> dict[str, Any]:
    env = values(container_of(manifest))
    return {name.removeprefix("KATIB_METRICS_"): env[name] for name in env if name.startswith("KATIB_METRICS_")}


def without_checkpoints(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [item for item in items if item["name"] != "katib-checkpoints"]


IN_KATIB = {"DIR": "/katib", "FORMAT": "TEXT"}


@pytest.mark.parametrize(
    ("collector", "folder", "expected", "arguments"),
    [
        pytest.param(FILE, "/katib", {**IN_KATIB, "FILE": "/katib/mnist.log"}, ["file", "/katib/mnist.log"], id="TEXT"),
        pytest.param(
            JSON,
            "/katib",
            {"DIR": "/katib", "FILE": "/katib/mnist.json", "FORMAT": "JSON"},
            ["file", "/katib/mnist.json"],
            id="JSON",
        ),
        pytest.param(EVENTS, "/logs/train", {"DIR": "/logs/train"}, ["events", "/logs/train/"], id="events"),
        pytest.param(
            PUSH,
            "/var/log/katib",
            {"DIR": "/var/log/katib", "FILE": "/var/log/katib/metrics.log", "FORMAT": "JSON"},
            ["file", "/var/log/katib/metrics.log"],
            id="Push",
        ),
    ],
)
def test_an_echo_beside_the_training(
    collector: CollectorSpec, folder: str, expected: dict[str, str], arguments: list[str]
) -> None:
    manifest = made(collector)
    spec = spec_of(manifest)
    mount = {"name": "metrics-volume", "mountPath": folder}
    assert told(manifest) == expected
    assert without_checkpoints(spec["volumes"]) == [{"name": "metrics-volume", "emptyDir": {}}]
    assert spec["shareProcessNamespace"] is True
    echo, training = spec["containers"]
    assert without_checkpoints(training["volumeMounts"]) == [mount]
    assert {key: training[key] for key in ("command", "args")} == {key: TRAIN[key] for key in ("command", "args")}
    assert (echo["name"], echo["image"], echo["volumeMounts"]) == (COLLECTOR, "mnist:1", [mount])
    assert echo["command"][:5] == ["python3", "-I", "-S", "-u", "-c"]
    assert echo["command"][5] == SCRIPT
    assert echo["command"][6:] == [*arguments, "/dev/termination-log", "fresh", "alone"]
    assert collector_container(attempt_of(collector, job(TRAIN)), PLAIN) == COLLECTOR


@pytest.mark.parametrize(
    ("collector", "settings", "expected"),
    [
        pytest.param(CollectorSpec(), PLAIN, {}, id="StdOut"),
        pytest.param(PROMETHEUS, PLAIN, {"KATIB_METRICS_PORT": "9090"}, id="Prometheus"),
        pytest.param(
            PUSH, KubernetesSettings(db_manager="db:6789"), {"KATIB_DB_MANAGER_ADDRESS": "db:6789"}, id="DBManager"
        ),
    ],
)
def test_nothing_beside_the_training(
    collector: CollectorSpec, settings: KubernetesSettings, expected: dict[str, str]
) -> None:
    manifest = made(collector, settings=settings)
    spec = spec_of(manifest)
    assert [container["name"] for container in spec["containers"]] == ["training"]
    assert "shareProcessNamespace" not in spec
    env = values(container_of(manifest))
    assert {name: env[name] for name in env if "METRICS" in name or "DB" in name} == expected
    assert collector_container(attempt_of(collector, job(TRAIN)), settings) == ""


def test_the_users_own_collector() -> None:
    spec = spec_of(made(CUSTOM))
    mine = spec["containers"][0]
    assert (mine["name"], mine["image"], mine["args"]) == ("mine", "mnist:1", ["-v"])
    assert mine["volumeMounts"] == [{"name": "metrics-volume", "mountPath": "/katib"}]
    assert values(mine)["KATIB_METRICS_FILE"] == "/katib/x.csv"
    assert not without_checkpoints(spec_of(made(BARE))["volumes"])
    assert collector_container(attempt_of(CUSTOM, job(TRAIN)), PLAIN) == "mine"


@pytest.mark.parametrize(
    ("training", "field", "expected"),
    [
        pytest.param({"resources": {}}, "resources", {"limits": {}, "requests": {}}, id="no resources"),
        pytest.param(
            {"resources": {"limits": {"cpu": 4, "memory": "8Gi", "nvidia.com/gpu": 1}}},
            "resources",
            {"limits": {"cpu": "100m", "memory": "64Mi"}, "requests": {"cpu": "100m", "memory": "64Mi"}},
            id="guaranteed stays guaranteed",
        ),
        pytest.param(
            {"resources": {"requests": {"cpu": 1}}},
            "resources",
            {"limits": {}, "requests": {"cpu": "100m"}},
            id="burstable stays burstable",
        ),
        pytest.param({"securityContext": {"runAsUser": 7}}, "securityContext", {"runAsUser": 7}, id="the same user"),
        pytest.param({"imagePullPolicy": "Never"}, "imagePullPolicy", "Never", id="the same way to the image"),
    ],
)
def test_what_the_echo_takes_after(training: dict[str, Any], field: str, expected: Any) -> None:
    assert spec_of(made(FILE, job({**TRAIN, **training})))["containers"][0][field] == expected


def test_an_image_of_its_own() -> None:
    settings = KubernetesSettings(collector_image="python:3-slim", db_manager="")
    echo = spec_of(made(FILE, job({**TRAIN, "imagePullPolicy": "Never"}), settings))["containers"][0]
    assert echo["image"] == "python:3-slim"
    assert "imagePullPolicy" not in echo


@pytest.mark.parametrize(
    ("mount", "own"),
    [
        pytest.param({"name": "data", "mountPath": "/katib"}, True, id="there"),
        pytest.param({"name": "data", "mountPath": "/katib/", "subPath": "x"}, True, id="there, with a slash"),
        pytest.param({"name": "data", "mountPath": "/"}, True, id="above"),
        pytest.param({"name": "data", "mountPath": "/kat"}, False, id="another folder"),
        pytest.param({"name": "data", "mountPath": "/katib/below"}, False, id="below"),
    ],
)
def test_a_volume_of_the_users_own_is_shared(mount: dict[str, str], own: bool) -> None:
    run = job({**TRAIN, "volumeMounts": [mount]})
    run["spec"]["template"]["spec"]["volumes"] = [{"name": "data", "emptyDir": {}}]
    spec = spec_of(made(FILE, run))
    echo, training = spec["containers"]
    ours = {"name": "metrics-volume", "mountPath": "/katib"}
    assert echo["volumeMounts"] == [mount if own else ours]
    assert without_checkpoints(training["volumeMounts"]) == ([mount] if own else [mount, ours])
    names = [volume["name"] for volume in without_checkpoints(spec["volumes"])]
    assert names == (["data"] if own else ["data", "metrics-volume"])
    assert ("fresh" in echo["command"]) is not own


def words(manifest: dict[str, Any]) -> list[str]:
    return spec_of(manifest)["containers"][0]["command"][9:]


def test_what_the_echo_is_told_of_its_pod() -> None:
    assert words(made(FILE, job(TRAIN, SIDE))) == []
    again = job(TRAIN)
    again["spec"]["template"]["spec"]["restartPolicy"] = "OnFailure"
    assert words(made(FILE, again)) == ["fresh", "alone", "restarts"]


def test_only_the_primary_pod_of_several_has_it() -> None:
    run = replicas(Worker=pod(TRAIN), Master=pod(TRAIN))
    roles = run["spec"]["pytorchReplicaSpecs"]
    roles["Master"]["restartPolicy"] = "OnFailure"
    attempt = attempt_of(FILE, run)
    for labels, primary in (({}, "Master"), ({"training.kubeflow.org/job-role": "worker"}, "Worker")):
        manifest = manifest_for(attempt, TrialTemplate(primary_pod_labels=labels), PLAIN)
        for role, specs in manifest["spec"]["pytorchReplicaSpecs"].items():
            containers = specs["template"]["spec"]["containers"]
            assert len(containers) == (2 if role == primary else 1)
            assert "KATIB_TRIAL_NAME" in values(containers[-1])
            if role == primary:
                assert ("restarts" in containers[0]["command"]) == (role == "Master")


@pytest.mark.parametrize(
    ("collector", "run", "problem"),
    [
        pytest.param(CollectorSpec("File", "/m.log"), job(TRAIN), "'/m.log'", id="root folder"),
        pytest.param(FILE, {"kind": "TrainJob", "spec": {}}, "TrainJob: the metrics collector File", id="TrainJob"),
        pytest.param(EVENTS, {"kind": "Workflow", "spec": {}}, "Workflow: the metrics", id="Workflow"),
        pytest.param(CUSTOM, {"kind": "PipelineRun", "spec": {}}, "PipelineRun: the metrics", id="PipelineRun"),
    ],
)
def test_what_cannot_be(collector: CollectorSpec, run: dict[str, Any], problem: str) -> None:
    with pytest.raises(RunnerError, match=problem):
        made(collector, run)


def test_the_processes_of_the_node_are_not_looked_at() -> None:
    run = job(TRAIN)
    run["spec"]["template"]["spec"]["hostPID"] = True
    with pytest.raises(RunnerError, match="hostPID"):
        made(FILE, run)
