"""The faults that ``benchmarks.kubernetes_faults`` brings about, and what must become of the trial."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from kubernetes import client

from benchmarks.kubernetes_bed import Bed
from benchmarks.kubernetes_place import Namespace, Tree, job
from katib.core.trial import FailureClass, Trial, TrialState

STAND_IN = "stand-in"  # a node that is there in name
ALL_BUT_A_BIT = "1200m"  # of the node's two CPUs: room for one pod of this size


@dataclass
class Scene:
    """Where a fault happens. trial: its newest record. waits: what it has waited for so far."""

    place: Namespace
    bed: Bed
    trial: Trial | None = None
    waits: list[str] = field(default_factory=list)

    def running_pod(self) -> Any:
        """The trial's pod, once its container has started; None before."""
        for pod in self.place.pods():
            statuses = pod.status.container_statuses or ()
            if pod.metadata.labels and any(status.state.running for status in statuses):
                return pod
        return None

    def waits_for(self, words: str) -> bool:
        """Whether the trial has waited for something with these words in it."""
        return any(words in wait for wait in self.waits)


# Called again and again until it returns True.
Step = Callable[[Scene], bool]


@dataclass(frozen=True, slots=True)
class Case:
    """One fault. steps: one after the other, while the experiment runs. retry: the experiment's policy. waits: words in
    what the trial must have waited for. state, failures, words: what must become of it, of how many attempts, and words
    in the reason of the first attempt's end. alone: it would disturb others."""

    job: Tree
    steps: tuple[Step, ...] = ()
    before: Step = lambda scene: True
    retry: Mapping[str, int] = field(default_factory=dict)
    waits: str = ""
    state: TrialState = TrialState.SUCCEEDED
    failures: Mapping[FailureClass, int] = field(default_factory=dict)
    words: str = ""
    alone: bool = False


def trial_job(first: str = "exec sleep 300", *, pod: Tree | None = None, **changes: Any) -> Tree:
    """A Job whose first attempt runs ``first``, and whose others succeed at once."""
    script = f'if [ "$KATIB_ATTEMPT" = 1 ]; then {first}; fi; echo loss=1'
    return job(["/bin/sh", "-c", script], pod={"terminationGracePeriodSeconds": 1, **(pod or {})}, **changes)


def evict(scene: Scene) -> bool:
    pod = scene.running_pod()
    if pod is not None:
        name = pod.metadata.name
        eviction = {"apiVersion": "policy/v1beta1", "kind": "Eviction", "metadata": {"name": name}}
        scene.place.core.create_namespaced_pod_eviction(name, scene.place.name, eviction)
    return pod is not None


def delete_pod(scene: Scene) -> bool:
    pod = scene.running_pod()
    if pod is not None:
        scene.place.core.delete_namespaced_pod(pod.metadata.name, scene.place.name)
    return pod is not None


def delete_job(scene: Scene) -> bool:
    if scene.running_pod() is None:
        return False
    for found in scene.place.jobs():
        scene.place.batch.delete_namespaced_job(found.metadata.name, scene.place.name, propagation_policy="Background")
    return True


def preempt(scene: Scene) -> bool:
    if scene.running_pod() is None:
        return False
    scheduling = client.SchedulingV1Api(scene.place.core.api_client)
    urgent: Any = {"metadata": {"name": "urgent"}, "value": 1000}
    scheduling.create_priority_class(urgent)
    requests = {"requests": {"cpu": ALL_BUT_A_BIT}}
    container = {"name": "main", "image": "localhost/python:1", "command": ["sleep", "600"], "resources": requests}
    pod = {"priorityClassName": "urgent", "terminationGracePeriodSeconds": 1, "containers": [container]}
    scene.place.core.create_namespaced_pod(scene.place.name, {"metadata": {"name": "urgent"}, "spec": pod})
    return True


def make_room(scene: Scene) -> bool:
    if not scene.waits_for("Insufficient cpu"):
        return False
    scene.place.core.delete_namespaced_pod("urgent", scene.place.name)
    return True


def kill_node(scene: Scene) -> bool:
    """The only node of a cluster would never be evicted from: another one stands by."""
    if scene.running_pod() is None:
        return False
    scene.place.core.create_node({"metadata": {"name": STAND_IN}, "spec": {"unschedulable": True}})
    scene.bed.kill("node")
    return True


def restore_node(scene: Scene) -> bool:
    now = datetime.now(UTC).isoformat()
    ready = {"type": "Ready", "status": "True", "lastHeartbeatTime": now, "reason": "StandIn"}
    scene.place.core.patch_node_status(STAND_IN, {"status": {"conditions": [ready]}})
    if scene.trial is None or scene.trial.attempt == 1:
        return False
    scene.place.core.delete_node(STAND_IN)
    scene.bed.control("node-down.sh")
    scene.bed.control("node-up.sh")
    return True


def label_node(scene: Scene) -> bool:
    if not scene.waits_for("unschedulable"):
        return False
    scene.place.core.patch_node(scene.bed.node, {"metadata": {"labels": {"disk": "fast"}}})
    return True


def quota(what: str) -> Step:
    """Allow none of ``what``."""

    def limit(scene: Scene) -> bool:
        body = {"metadata": {"name": "none"}, "spec": {"hard": {what: "0"}}}
        scene.place.core.create_namespaced_resource_quota(scene.place.name, body)
        return True

    return limit


def lift_quota(scene: Scene) -> bool:
    if not scene.waits_for("quota"):
        return False
    scene.place.core.delete_namespaced_resource_quota("none", scene.place.name)
    return True


def limits(**values: str) -> Tree:
    """Of a container's resources."""
    return {"resources": {"limits": values}}


LOST_ONCE = {FailureClass.LOST: 1}
USER_ERROR = {FailureClass.USER_ERROR: 1}

CASES: dict[str, Case] = {
    "command fails": Case(
        trial_job("echo no such file >&2; exit 3"), state=TrialState.FAILED, failures=USER_ERROR, words="exit status 3"
    ),
    "command fails, one retry": Case(
        trial_job("exit 3"), retry={"userError": 1}, failures=USER_ERROR, words="exit status 3"
    ),
    "image missing": Case(
        job(["true"], "localhost/none:1"),
        waits="Image",
        state=TrialState.FAILED,
        failures=USER_ERROR,
        words="localhost/none:1",
    ),
    "image missing, never pulled": Case(
        job(["true"], "localhost/none:1", container={"imagePullPolicy": "Never"}),
        state=TrialState.FAILED,
        failures=USER_ERROR,
        words="ErrImageNeverPull",
    ),
    "ConfigMap missing": Case(
        job(["true"], container={"envFrom": [{"configMapRef": {"name": "nowhere"}}]}),
        waits="nowhere",
        state=TrialState.FAILED,
        failures=USER_ERROR,
        words="nowhere",
    ),
    "refused by the API server": Case(
        job(["true"], container=limits(cpu="-1")), state=TrialState.FAILED, words="must be greater"
    ),
    "out of memory, one retry": Case(
        trial_job("exec python3 -c \"print(len(b'x' * (1 << 29)))\"", container=limits(memory="64Mi")),
        retry={"outOfMemory": 1},
        failures={FailureClass.OUT_OF_MEMORY: 1},
        words="64Mi",
    ),
    "deadline of the job": Case(
        trial_job(spec={"activeDeadlineSeconds": 5}),
        state=TrialState.FAILED,
        failures={FailureClass.TIME_OUT: 1},
        words="5 s",
    ),
    "evicted through the API": Case(trial_job(), (evict,), failures=LOST_ONCE, words="deleted"),
    "evicted by its node (disk)": Case(
        trial_job(
            "dd if=/dev/zero of=/tmp/full bs=1M count=40; exec sleep 300",
            container=limits(**{"ephemeral-storage": "4Mi"}),
        ),
        failures=LOST_ONCE,
        words="evicted",
    ),
    "pod deleted by hand": Case(trial_job(), (delete_pod,), failures=LOST_ONCE, words="deleted"),
    "job deleted by hand": Case(trial_job(), (delete_job,), failures=LOST_ONCE, words="job was deleted"),
    "no node fits": Case(
        trial_job("true", pod={"nodeSelector": {"disk": "fast"}}), (label_node,), waits="unschedulable"
    ),
    "quota of pods": Case(trial_job("true"), (lift_quota,), quota("pods"), waits="quota"),
    "quota of jobs": Case(trial_job("true"), (lift_quota,), quota("count/jobs.batch"), waits="quota"),
    "preempted": Case(
        trial_job(container={"resources": {"requests": {"cpu": ALL_BUT_A_BIT}}}),
        (preempt, make_room),
        waits="Insufficient cpu",
        failures=LOST_ONCE,
        words="",
        alone=True,
    ),
    "node gone": Case(
        trial_job(), (kill_node, restore_node), waits="unschedulable", failures=LOST_ONCE, words="node", alone=True
    ),
}
