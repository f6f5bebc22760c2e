"""What ``kubectl get`` shows of pods, jobs and events."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

from katib.core.texts import duration
from katib.server.columns import AGE, WIDE, Column, Tree, at

_containers = at("status.containerStatuses", ())


def _ready(tree: Tree) -> str:
    return f"{sum(each['ready'] for each in _containers(tree))}/{len(_containers(tree))}"


def _pod_status(tree: Tree) -> str:
    """One word: Kubernetes calls a pod Completed whose phase is Succeeded, and shows why others failed."""
    status = tree["status"]
    return "Completed" if status["phase"] == "Succeeded" else str(status.get("reason") or status["phase"])


def _restarts(tree: Tree) -> int:
    return max((each["restartCount"] for each in _containers(tree)), default=0)


def _end(tree: Tree) -> str:
    conditions = at("status.conditions", ())(tree)
    return str(conditions[0]["type"]) if conditions else "Running"


def _since(path: str) -> Callable[[Tree], str]:
    def value(tree: Tree) -> str:
        return duration(time.time() - datetime.fromisoformat(at(path)(tree)).timestamp())

    return value


def _object(tree: Tree) -> str:
    involved = tree["involvedObject"]
    return f"{involved['kind'].lower()}/{involved['name']}"


POD_COLUMNS = (
    Column("Ready", _ready, about="Containers that are ready, of all"),
    Column("Status", _pod_status, about="Where it stands"),
    Column("Restarts", _restarts, "integer", about="Attempts of the trial before this one"),
    AGE,
    Column("Node", at("spec.nodeName"), priority=WIDE, about="The machine that serves this"),
)
JOB_COLUMNS = (Column("Status", _end, about="How it ended"), AGE)
EVENT_COLUMNS = (
    Column("Last Seen", _since("lastTimestamp"), about="Time since it happened"),
    Column("Type", at("type"), about="Normal or Warning"),
    Column("Reason", at("reason"), about="What happened, in one word"),
    Column("Object", _object, about="What it happened to"),
    Column("Message", at("message"), about="What happened"),
)
