"""The pods of trials. There is none: each stands for what runs, or ran, here, as clients look for it."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Any

from katib.core.experiment import Experiment
from katib.core.ports import LogReader
from katib.core.trial import FailureClass, Trial, TrialState
from katib.resources.jobs import pod_template
from katib.resources.projection import owned_metadata, owned_uid, trial_role
from katib.resources.status_conditions import rfc3339
from katib.server.kinds import POD, TRAIN_JOB, Kind
from katib.server.mirror import Mirror, Snapshot
from katib.server.objects import Tree
from katib.server.trial_jobs import COMPLETE, JOB_ROLE, ended, job_of, reason_of, trial_labels
from katib.server.trial_objects import OfTrials

COLLECTOR = "metrics-logger-and-collector"
"""The container that Katib puts beside the one that trains. Clients ask it for the trial's output."""

_PHASES: Mapping[TrialState, str] = {
    TrialState.PENDING: "Pending",
    TrialState.RUNNING: "Running",
    TrialState.SUCCEEDED: "Succeeded",
    TrialState.METRICS_UNAVAILABLE: "Succeeded",
}  # all others: Failed
_LOCAL = "127.0.0.1"
_TAILS = ("-node-0-0", "-0")  # of the names of pods: of a TrainJob's, of all others


class Pods(OfTrials):
    """One pod of each trial; another attempt of the trial is a restart of its containers."""

    kind: Kind = POD

    def __init__(self, mirror: Mirror, reader: LogReader) -> None:
        """reader: of what trials print."""
        super().__init__(mirror)
        self.reader = reader

    def trial(self, namespace: str, name: str) -> tuple[Snapshot, Trial] | None:
        """The trial of the pod ``name``; None if there is no such pod."""
        tail = next((tail for tail in _TAILS if name.endswith(tail)), "")
        found = super().trial(namespace, name.removesuffix(tail)) if tail else None
        return found if found is not None and tail == _tail(found[0].experiment) else None

    def _tree(self, snapshot: Snapshot, trial: Trial) -> Tree:
        experiment = snapshot.experiment
        template = _template(experiment, job_of(experiment, trial))
        given = _mapping(template.get("metadata"))
        labels = {**_mapping(given.get("labels")), **trial_labels(experiment, trial), **_job_labels(experiment, trial)}
        role, name = trial_role(trial), f"{trial.name}{_tail(experiment)}"
        metadata = owned_metadata(experiment, name, f"{role}/pod", trial.created)
        metadata |= {"labels": labels, "ownerReferences": [_owner(experiment, trial)]}
        if given.get("annotations"):
            metadata["annotations"] = given["annotations"]
        containers = [_with_trial_name(each, experiment, trial) for each in template["spec"]["containers"]]
        containers.append({"name": COLLECTOR})
        spec = {"restartPolicy": "Never", **template["spec"], "containers": containers, "nodeName": platform.node()}
        status = _status(trial, containers)
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status}


def _tail(experiment: Experiment) -> str:
    return _TAILS[0] if _is_train_job(experiment) else _TAILS[1]


def _is_train_job(experiment: Experiment) -> bool:
    return experiment.spec.template.document.get("kind") == TRAIN_JOB.name


def _template(experiment: Experiment, run: Tree) -> Tree:
    """The pod template; where a job has none, one with the container that trains."""
    primary = experiment.spec.template.primary_container or "main"
    if _is_train_job(experiment):
        trainer = _mapping(_mapping(run.get("spec")).get("trainer"))
        container = {field: trainer[field] for field in ("image", "command", "args", "env") if field in trainer}
        resources = {"resources": trainer["resourcesPerNode"]} if "resourcesPerNode" in trainer else {}
        return {"spec": {"containers": [{"name": primary, **container, **resources}]}}
    found = pod_template(run, primary)
    return dict(found) if found is not None else {"spec": {"containers": [{"name": primary}]}}


def _job_labels(experiment: Experiment, trial: Trial) -> dict[str, str]:
    """What the controller of the job would put there."""
    own = {"job-name": trial.name, "batch.kubernetes.io/job-name": trial.name}
    if _is_train_job(experiment):
        job = f"{trial.name}-node-0"
        own = {
            "job-name": job,
            "batch.kubernetes.io/job-name": job,
            "batch.kubernetes.io/job-completion-index": "0",
            "jobset.sigs.k8s.io/jobset-name": trial.name,
            "jobset.sigs.k8s.io/replicatedjob-name": "node",
            "jobset.sigs.k8s.io/job-index": "0",
        }
    return {**own, **experiment.spec.template.primary_pod_labels}


def _owner(experiment: Experiment, trial: Trial) -> Tree:
    """The job, as the pod's owner; the trial where it has none."""
    document, role = experiment.spec.template.document, trial_role(trial)
    job = {"apiVersion": document.get("apiVersion"), "kind": document.get("kind")}
    owner = {**job, "uid": owned_uid(experiment, f"{role}/{JOB_ROLE}")}
    if not document:
        owner = {"apiVersion": "kubeflow.org/v1beta1", "kind": "Trial", "uid": owned_uid(experiment, role)}
    return {**owner, "name": trial.name, "controller": True, "blockOwnerDeletion": True}


def _with_trial_name(container: Tree, experiment: Experiment, trial: Trial) -> Tree:
    """The container, with the variable that the one that trains has its trial's name in."""
    if container.get("name") != experiment.spec.template.primary_container:
        return container
    return {**container, "env": [{"name": "KATIB_TRIAL_NAME", "value": trial.name}, *(container.get("env") or ())]}


def _status(trial: Trial, containers: list[Tree]) -> Tree:
    running = trial.state is TrialState.RUNNING
    changed = rfc3339(ended(trial) if trial.state.finished else trial.started or trial.created)
    states = {"PodScheduled": True, "Initialized": True, "ContainersReady": running, "Ready": running}
    conditions = [
        {"type": kind, "status": str(holds), "lastProbeTime": None, "lastTransitionTime": changed}
        for kind, holds in states.items()
    ]
    status: Tree = {
        "phase": _PHASES.get(trial.state, "Failed"),
        "conditions": conditions,
        "hostIP": _LOCAL,
        "podIP": _LOCAL,
        "podIPs": [{"ip": _LOCAL}],
        "qosClass": "BestEffort",
        "containerStatuses": [_container(trial, each) for each in containers],
    }
    if trial.started is not None:
        status["startTime"] = rfc3339(trial.started)
    if status["phase"] == "Failed":
        status |= {"reason": reason_of(trial), "message": trial.reason}
    return status


def _container(trial: Trial, container: Tree) -> Tree:
    running = trial.state is TrialState.RUNNING
    return {
        "name": container["name"],
        "image": container.get("image") or "",
        "imageID": "",
        "ready": running,
        "started": running,
        "restartCount": trial.attempt - 1,
        "state": _container_state(trial),
    }


def _container_state(trial: Trial) -> Tree:
    if trial.state is TrialState.PENDING:
        return {"waiting": {"reason": "ContainerCreating", "message": trial.reason}}
    started = rfc3339(trial.started or trial.created)
    if trial.state is TrialState.RUNNING:
        return {"running": {"startedAt": started}}
    times = {"startedAt": started, "finishedAt": rfc3339(ended(trial))}
    if trial.state in COMPLETE:
        return {"terminated": {"exitCode": 0, "reason": "Completed", **times}}
    reason, message = reason_of(trial), trial.message or trial.reason
    return {"terminated": {"exitCode": _exit_code(trial), "reason": reason, "message": message, **times}}


def _exit_code(trial: Trial) -> int:
    """As the kinds of ends have it; the store keeps no exit status."""
    if trial.failure is FailureClass.OUT_OF_MEMORY:
        return 137
    return 1 if trial.state is TrialState.FAILED else 143


def _mapping(node: Any) -> Tree:
    return node if isinstance(node, dict) else {}
