"""Where the Kubernetes benchmarks happen: a cluster, namespaces in it, and experiments of small pods."""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kubernetes import client, config

from benchmarks import kubernetes_bed
from benchmarks.kubernetes_bed import Bed

PATIENCE = 120.0  # seconds that the cluster may take to bring a namespace up or down
PYTHON_IMAGE, TRIAL_IMAGE = "localhost/python:1", "localhost/trial:1"

Tree = dict[str, Any]


@contextlib.contextmanager
def cluster() -> Iterator[None]:
    """Have a cluster that ``KUBECONFIG`` leads to: where it leads to none, a test bed."""
    if os.environ.get("KUBECONFIG"):
        yield
    else:
        with own_bed():
            yield


@contextlib.contextmanager
def own_bed(evict_after: int = 300) -> Iterator[Bed]:
    """A test bed that nobody else uses; ``KUBECONFIG`` leads to it meanwhile."""
    before = os.environ.get("KUBECONFIG", "")
    with kubernetes_bed.running(evict_after) as bed:
        os.environ["KUBECONFIG"] = str(bed.kubeconfig)
        try:
            yield bed
        finally:
            os.environ["KUBECONFIG"] = before


class Namespace:
    """One namespace, by the official client."""

    def __init__(self, connection: Any, name: str) -> None:
        self.name = name
        self.core: Any = client.CoreV1Api(connection)
        self.batch: Any = client.BatchV1Api(connection)

    def jobs(self) -> list[Any]:
        """Those that exist."""
        return list(self.batch.list_namespaced_job(self.name).items)

    def pods(self) -> list[Any]:
        """Those that exist."""
        return list(self.core.list_namespaced_pod(self.name).items)

    def await_gone(self, timeout: float = PATIENCE) -> int:
        """Wait until no job and no pod is left; how many there are after ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        while (left := len(self.jobs()) + len(self.pods())) and time.monotonic() < deadline:
            time.sleep(0.2)
        return left


@contextlib.contextmanager
def namespace() -> Iterator[Namespace]:
    """A new one in the cluster of ``KUBECONFIG``, ready for pods; it goes with all that is in it, without waiting."""
    connect: Any = config.new_client_from_config
    with connect(os.environ["KUBECONFIG"]) as connection:
        found = Namespace(connection, f"katib-{uuid.uuid4().hex[:10]}")
        found.core.create_namespace({"metadata": {"name": found.name}})
        try:
            _await_service_account(found)
            yield found
        finally:
            found.core.delete_namespace(found.name)


def _await_service_account(place: Namespace) -> None:
    deadline = time.monotonic() + PATIENCE
    while not any(a.metadata.name == "default" for a in place.core.list_namespaced_service_account(place.name).items):
        if time.monotonic() > deadline:
            raise RuntimeError(f"namespace {place.name} has no default service account")
        time.sleep(0.05)


def job(command: Sequence[str], image: str = PYTHON_IMAGE, **changes: Mapping[str, Any]) -> Tree:
    """A Job around one container ``main``. changes: to ``container``, ``pod`` (its spec) and ``spec`` (the job's)."""
    container = {"name": "main", "image": image, "imagePullPolicy": "IfNotPresent", "command": list(command)}
    pod = {"restartPolicy": "Never", "containers": [{**container, **changes.get("container", {})}]}
    spec = {"backoffLimit": 0, "template": {"spec": {**pod, **changes.get("pod", {})}}, **changes.get("spec", {})}
    return {"apiVersion": "batch/v1", "kind": "Job", "spec": spec}


def experiment(place: str, name: str, job: Tree, trials: int, parallel: int, **spec: Any) -> Tree:
    """The document of an experiment of such jobs. place: its namespace. spec: what else its spec says."""
    return {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Experiment",
        "metadata": {"name": name, "namespace": place},
        "spec": {
            "objective": {"type": "minimize", "objectiveMetricName": "loss"},
            "algorithm": {"algorithmName": "random"},
            "maxTrialCount": trials,
            "parallelTrialCount": parallel,
            "parameters": [
                {"name": "n", "parameterType": "int", "feasibleSpace": {"min": "1", "max": "1000000"}},
                {"name": "x", "parameterType": "double", "feasibleSpace": {"min": "0", "max": "1"}},
            ],
            "trialTemplate": {
                "primaryContainerName": "main",
                "trialParameters": [{"name": "n", "reference": "n"}] if "trialParameters.n" in str(job) else [],
                "trialSpec": job,
            },
            **spec,
        },
    }
