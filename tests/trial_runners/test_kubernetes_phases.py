"""What a job and its pods mean: a table of literal objects."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from katib.core.ports import Phase
from katib.core.trial import FailureClass
from tests.trial_runners.kubernetes_attempts import template
from trial_runners.attempt_folder import Ending
from trial_runners.kubernetes.mirror import Objects
from trial_runners.kubernetes.phases import Rules, Sight, judge

NOW = time.time()
RULES = Rules.of(template())
LABELLED = Rules.of(template(primary_pod_labels={"role": "master"}))
PATIENCE = 300.0


def at(seconds: float) -> str:
    """Kubernetes' writing of so many seconds from now."""
    return datetime.fromtimestamp(NOW + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def job(*conditions: dict[str, str], deleted: bool = False, deadline: int | None = None) -> dict[str, Any]:
    """A Job."""
    metadata = {"name": "job", "uid": "j", **({"deletionTimestamp": at(0)} if deleted else {})}
    spec = {"activeDeadlineSeconds": deadline} if deadline else {}
    return {"metadata": metadata, "spec": spec, "status": {"startTime": at(-60), "conditions": list(conditions)}}


def pod(name: str = "pod-a", **status: Any) -> dict[str, Any]:
    """A pod. state: of its container. deleted: seconds until it should be gone. The rest is of its status."""
    state, deleted = status.pop("state", None), status.pop("deleted", None)
    spec = {"nodeName": "node-1", "containers": [{"name": "main", "resources": {"limits": {"memory": "32Mi"}}}]}
    metadata = {"name": name, "uid": name, "creationTimestamp": at(-50), "labels": status.pop("labels", {})}
    if deleted is not None:
        metadata["deletionTimestamp"] = at(deleted)
    statuses = [{"name": "main", "state": state, "restartCount": status.pop("restarts", 0)}] if state else []
    return {"metadata": metadata, "spec": spec, "status": {"containerStatuses": statuses, **status}}


def ended(code: int, **more: Any) -> dict[str, Any]:
    """A container that has ended."""
    return {"terminated": {"exitCode": code, "reason": "Error" if code else "Completed", **more}}


def waits(reason: str, message: str = "") -> dict[str, Any]:
    """A container that waits."""
    return {"waiting": {"reason": reason, "message": message}}


def condition(type: str, **more: str) -> dict[str, str]:
    """A condition that holds."""
    return {"type": type, "status": "True", **more}


COMPLETE = job(condition("Complete"))
FAILED = job(condition("Failed", reason="BackoffLimitExceeded", message="Job has reached the limit"))
RUNNING = pod(phase="Running", state={"running": {}})
UNSCHEDULABLE = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}
DISRUPTED = condition("DisruptionTarget", reason="PreemptionByScheduler", message="preempted by pod x")
STOP = Ending(Phase.STOPPED, None, "stopped", NOW - 1, 10.0)

WAITING = [
    ("no pod yet", job(), [], "no pod yet"),
    ("pod not scheduled yet", job(), [pod(phase="Pending")], "node-1"),
    ("unschedulable", job(), [pod(phase="Pending", conditions=[UNSCHEDULABLE])], "unschedulable: 0/1 nodes"),
    ("creating", job(), [pod(phase="Pending", state=waits("ContainerCreating"))], "ContainerCreating"),
    ("pulling fails", job(), [pod(phase="Pending", state=waits("ImagePullBackOff", "no x:1"))], "ImagePullBackOff: no"),
]


@pytest.mark.parametrize(("job", "pods", "words"), [row[1:] for row in WAITING], ids=[row[0] for row in WAITING])
def test_what_waits_says_why(job: dict[str, Any], pods: list[dict[str, Any]], words: str) -> None:
    outcome = judge(Sight(job, True, Objects(tuple(pods)), None, NOW), RULES, PATIENCE)
    assert outcome.phase is Phase.WAITING
    assert words in outcome.reason


L, F = FailureClass.LOST, FailureClass.USER_ERROR
# case, job, pods that are, pods that were, phase, class, words of the reason
TABLE: list[tuple[str, Any, list[Any], list[Any], Phase, FailureClass | None, str]] = [
    ("running", job(), [RUNNING], [], Phase.RUNNING, None, ""),
    ("restarted", job(), [pod(phase="Running", restarts=1, state=waits("CrashLoopBackOff"))], [], Phase.RUNNING, None,
     ""),
    ("pod done, job not yet", job(), [pod(phase="Succeeded", state=ended(0))], [], Phase.RUNNING, None, "about to"),
    ("pod failed, job tries again", job(), [pod(phase="Failed", state=ended(1))], [], Phase.RUNNING, None, "about to"),
    ("complete", COMPLETE, [pod(phase="Succeeded", state=ended(0))], [], Phase.SUCCEEDED, None, ""),
    ("complete, pod gone", COMPLETE, [], [], Phase.SUCCEEDED, None, ""),
    ("complete, pod deleted", COMPLETE, [], [pod(phase="Running")], Phase.SUCCEEDED, None, ""),
    ("exit status", FAILED, [pod(phase="Failed", state=ended(3))], [], Phase.FAILED, F, "exit status 3 of container m"),
    ("signal of its own", FAILED, [pod(phase="Failed", state=ended(139))], [], Phase.FAILED, F, "SIGSEGV"),
    ("killed from outside", FAILED, [pod(phase="Failed", state=ended(137))], [], Phase.LOST, L, "SIGKILL from outside"),
    ("cannot be run", FAILED, [pod(phase="Failed", state=ended(128, reason="StartError"))], [], Phase.FAILED, F,
     "StartError"),
    ("memory", FAILED, [pod(phase="Failed", state=ended(137, reason="OOMKilled"))], [], Phase.FAILED,
     FailureClass.OUT_OF_MEMORY, "32Mi"),
    ("no word of its pod", FAILED, [], [], Phase.FAILED, F, "BackoffLimitExceeded: Job has reached"),
    ("deadline of the job", job(condition("Failed", reason="DeadlineExceeded"), deadline=60), [], [], Phase.FAILED,
     FailureClass.TIME_OUT, "60 s"),
    ("deadline of the pod", FAILED, [pod(phase="Failed", reason="DeadlineExceeded")], [], Phase.FAILED,
     FailureClass.TIME_OUT, "its pod ran longer"),
    ("evicted", FAILED, [pod(phase="Failed", reason="Evicted", message="disk full")], [], Phase.LOST, L,
     "node-1: evicted (disk full)"),
    ("evicted, job tries again", job(), [pod(phase="Failed", reason="Evicted")], [], Phase.LOST, L, "evicted"),
    ("preempted", job(), [pod(phase="Running", deleted=30, conditions=[DISRUPTED])], [], Phase.LOST, L, "by pod x"),
    ("node lost", job(), [pod(phase="Running", deleted=30, reason="NodeLost")], [], Phase.LOST, L,
     "node-1: its node does not answer"),
    ("pod deleted", job(), [pod(phase="Running", deleted=30)], [], Phase.LOST, L, "deleted by somebody"),
    ("pod deleted and replaced", job(), [pod("pod-b", phase="Running")], [pod(phase="Running", deleted=0)], Phase.LOST,
     L, "pod-a"),
    ("pod taken away at the deadline", job(deadline=60), [pod(phase="Running", deleted=30, state={"running": {}})], [],
     Phase.RUNNING, None,
     ""),
    ("pod deleted long before the deadline", job(deadline=900), [pod(phase="Running", deleted=30)], [], Phase.LOST, L,
     "deleted"),
    ("job being deleted", job(deleted=True), [RUNNING], [], Phase.RUNNING, None, "being deleted by somebody"),
    ("job deleted, pod runs on", None, [RUNNING], [], Phase.RUNNING, None, "being ended"),
    ("job deleted", None, [], [pod(phase="Running")], Phase.LOST, L, "its pod was on node node-1"),
    ("image that cannot be", job(), [pod(phase="Pending", state=waits("InvalidImageName", "bad"))], [], Phase.FAILED, F,
     "InvalidImageName: bad"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("job", "present", "gone", "phase", "failure", "words"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_outcomes(
    job: Any, present: list[Any], gone: list[Any], phase: Phase, failure: FailureClass | None, words: str
) -> None:
    outcome = judge(Sight(job, True, Objects(tuple(present), tuple(gone)), None, NOW), RULES, PATIENCE)
    assert (outcome.phase, outcome.failure) == (phase, failure)
    assert words in outcome.reason
    if outcome.phase.ended and job is not None and not job["status"]["conditions"]:
        assert outcome.cut, "the job would go on"


def test_no_trace() -> None:
    outcome = judge(Sight(None, False, Objects(), None, NOW), RULES, PATIENCE)
    assert (outcome.phase, outcome.reason) == (Phase.LOST, "there is no trace of this attempt in the cluster")


@pytest.mark.parametrize(("troubled", "phase"), [(10.0, Phase.WAITING), (301.0, Phase.FAILED)], ids=["not yet", "over"])
@pytest.mark.parametrize("reason", ["ImagePullBackOff", "CreateContainerConfigError"])
def test_patience(reason: str, troubled: float, phase: Phase) -> None:
    stuck = pod(phase="Pending", state=waits(reason, "it is so"))
    outcome = judge(Sight(job(), True, Objects((stuck,)), None, NOW, troubled), RULES, PATIENCE)
    assert (outcome.phase, outcome.troubled, outcome.cut) == (phase, phase is Phase.WAITING, phase is Phase.FAILED)


@pytest.mark.parametrize(
    ("job", "present", "gone", "phase"),
    [
        (job(), [RUNNING], [], Phase.RUNNING),
        (job(deleted=True), [], [], Phase.RUNNING),
        (job(deleted=True), [pod(phase="Running", deleted=10)], [], Phase.RUNNING),
        (job(deleted=True), [pod(phase="Failed", deleted=10)], [], Phase.STOPPED),
        (job(deleted=True), [], [pod(phase="Running")], Phase.STOPPED),
        (None, [pod(phase="Running", deleted=10)], [], Phase.RUNNING),
        (None, [pod(phase="Running", deleted=-120)], [], Phase.STOPPED),
        (None, [], [], Phase.STOPPED),
        (COMPLETE, [], [], Phase.RUNNING),
    ],
    ids=[
        "not begun",
        "a pod may still come",
        "pod is ending",
        "pod has ended",
        "pod is gone",
        "only the pod is left",
        "silent node",
        "all gone",
        "ended by itself, still to be deleted",
    ],
)
def test_an_end_that_was_asked_for(job: Any, present: list[Any], gone: list[Any], phase: Phase) -> None:
    outcome = judge(Sight(job, True, Objects(tuple(present), tuple(gone)), STOP, NOW), RULES, PATIENCE)
    assert outcome.phase is phase


def test_the_primary_pod_is_the_labelled_one() -> None:
    master = pod("a", labels={"role": "master"}, phase="Failed", state=ended(4))
    worker = pod("b", labels={"role": "worker"}, phase="Failed", state=ended(1))
    outcome = judge(Sight(FAILED, True, Objects((worker, master)), None, NOW), LABELLED, PATIENCE)
    assert "exit status 4" in outcome.reason
