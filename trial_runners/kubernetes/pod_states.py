"""What a pod's status says, read without surprise: any part of it may be missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from trial_runners.kubernetes.api import Tree

# Why a container waits: what waiting cannot help, and what patience may.
HOPELESS = frozenset({"ErrImageNeverPull", "InvalidImageName"})
TROUBLED = frozenset({"ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", "ImageInspectError"}) | frozenset(
    {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
)

# Reasons of a failed pod that are none of its own doing.
_TAKEN = {
    "Evicted": "evicted",
    "NodeLost": "its node does not answer",
    "NodeShutdown": "its node was shut down",
    "Shutdown": "its node was shut down",
    "Terminated": "its node was shut down",
    "Preempting": "preempted",
    "Preempted": "preempted",
    "NodeAffinity": "its node does not fit it any more",
    "UnexpectedAdmissionError": "its node could not admit it",
    "OutOfcpu": "its node had no CPU left",
    "OutOfmemory": "its node had no memory left",
    "OutOfpods": "its node had no room for another pod",
}


def seconds(text: str) -> float:
    """Kubernetes' time in seconds since the epoch."""
    return datetime.fromisoformat(text).timestamp()


def age(pod: Tree) -> tuple[str, str]:
    """Sorts pods by their making."""
    return pod["metadata"].get("creationTimestamp") or "", pod["metadata"]["name"]


def labels(pod: Tree) -> dict[str, str]:
    """Its labels."""
    return pod["metadata"].get("labels") or {}


def node(pod: Tree) -> str:
    """The node that it was given to, empty before."""
    return str(_spec(pod).get("nodeName") or "")


def phase(pod: Tree) -> str:
    """Kubernetes' word."""
    return str(_status(pod).get("phase") or "Pending")


def reason(pod: Tree) -> str:
    """Of the pod as a whole."""
    return str(_status(pod).get("reason") or "")


def over(pod: Tree, before: float) -> bool:
    """Whether nothing of it runs: it has ended; or it is being deleted and could not start, or should have been gone
    before that time, seconds since the epoch, so its node is silent."""
    if phase(pod) in ("Succeeded", "Failed"):
        return True
    gone_by = pod["metadata"].get("deletionTimestamp")
    return bool(gone_by) and (seconds(gone_by) < before or _could_not_start(pod))


def untaken(own: Sequence[Tree], gone: Sequence[Tree]) -> tuple[list[Tree], str]:
    """Of an attempt's pods in order of their making: those up to the first that somebody took away, for one that was
    made in its place is none of the attempt; and who did, empty if nobody."""
    for number, pod in enumerate(own):
        by_hand = pod in gone and phase(pod) not in ("Succeeded", "Failed")
        taken = taken_away(pod) or ("it was deleted by somebody" if by_hand else "")
        if taken:
            return list(own[: number + 1]), taken
    return list(own), ""


def taken_away(pod: Tree) -> str:
    """Who ended it from outside, empty if nobody did."""
    for condition in _status(pod).get("conditions") or ():
        if condition.get("type") == "DisruptionTarget" and condition.get("status") == "True":
            return str(condition.get("message") or condition.get("reason") or "it was disrupted")
    message = str(_status(pod).get("message") or "")
    if phase(pod) == "Failed" and reason(pod) in _TAKEN:
        return f"{_TAKEN[reason(pod)]}{f' ({message})' if message else ''}"
    if pod["metadata"].get("deletionTimestamp"):
        return _TAKEN.get(reason(pod), "it was deleted by somebody")
    return ""


def has_container(pod: Tree, name: str) -> bool:
    """Whether one of its containers is called so."""
    return any(container.get("name") == name for container in _spec(pod).get("containers") or ())


def memory_limit(pod: Tree, name: str) -> str:
    """Of a container, as it was written, empty for none."""
    for container in _spec(pod).get("containers") or ():
        if container.get("name") == name:
            return str(((container.get("resources") or {}).get("limits") or {}).get("memory") or "")
    return ""


def image(pod: Tree, name: str) -> str:
    """Of a container, as it was written."""
    for container in _spec(pod).get("containers") or ():
        if container.get("name") == name:
            return str(container.get("image") or "")
    return ""


def ends_with_it(pod: Tree) -> bool:
    """Whether a container that has failed is not started again."""
    return _spec(pod).get("restartPolicy") == "Never"


def container(pod: Tree, name: str) -> Tree:
    """The status of a container, empty before there is one."""
    for status in _status(pod).get("containerStatuses") or ():
        if status.get("name") == name:
            found: Tree = status
            return found
    return {}


def state(pod: Tree, name: str) -> tuple[str, Tree]:
    """``running``, ``terminated`` or ``waiting``, with what is said of it."""
    states: Tree = container(pod, name).get("state") or {}
    for kind in ("running", "terminated"):
        if states.get(kind) is not None:
            return kind, states[kind]
    return "waiting", states.get("waiting") or {}


def ends(pod: Tree) -> list[tuple[str, Tree]]:
    """The containers that have ended, with how; those that prepare before the others."""
    found = [
        (str(entry.get("name")), (entry.get("state") or {}).get("terminated") or _former_end(entry))
        for entry in _statuses(pod)
    ]
    return [(name, end) for name, end in found if end]


def waiting(pod: Tree, name: str) -> tuple[str, str] | None:
    """(reason, message) of what the pod waits for, None once the container called ``name`` has started."""
    kind, _ = state(pod, name)
    if kind != "waiting" or phase(pod) in ("Succeeded", "Failed") or container(pod, name).get("restartCount"):
        return None
    for condition in _status(pod).get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return str(condition.get("reason") or "Unscheduled").lower(), str(condition.get("message") or "")
    reasons = list(_reasons(pod))
    stuck = [(word, message) for word, message in reasons if word not in ("ContainerCreating", "PodInitializing")]
    return next(iter(stuck or reasons), ("pending", f"on node {node(pod)}" if node(pod) else "not scheduled yet"))


def _could_not_start(pod: Tree) -> bool:
    """Whether a container of it is stuck and none ever ran."""
    states = [entry.get("state") or {} for entry in _statuses(pod)]
    ran = any(entry.get("restartCount") for entry in _statuses(pod)) or any("waiting" not in state for state in states)
    return not ran and any(word in TROUBLED | HOPELESS for word, _ in _reasons(pod))


def _reasons(pod: Tree) -> Iterator[tuple[str, str]]:
    for entry in _statuses(pod):
        found = (entry.get("state") or {}).get("waiting") or {}
        if found.get("reason"):
            yield str(found["reason"]), str(found.get("message") or "")


def _former_end(entry: Tree) -> Tree:
    return (entry.get("lastState") or {}).get("terminated") or {}


def _statuses(pod: Tree) -> list[Tree]:
    status = _status(pod)
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]


def _status(pod: Tree) -> Tree:
    return pod.get("status") or {}


def _spec(pod: Tree) -> Tree:
    return pod.get("spec") or {}
