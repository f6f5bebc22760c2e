"""The jobs of trials as Kubernetes has them: Jobs and TrainJobs, with the status that their controllers would write."""

from __future__ import annotations

from typing import Any

from katib.core.errors import SpecError
from katib.core.experiment import Experiment
from katib.core.trial import Trial, TrialState
from katib.resources.projection import owned_metadata, trial_role
from katib.resources.status_conditions import rfc3339
from katib.resources.template import render
from katib.server.kinds import JOB, TRAIN_JOB, Kind
from katib.server.mirror import Snapshot
from katib.server.objects import Tree
from katib.server.trial_objects import OfTrials

TRIAL_LABEL = "katib.kubeflow.org/trial"
JOB_ROLE = "job"

# Trials whose job did what it was to do, whatever became of its metrics.
COMPLETE = (TrialState.SUCCEEDED, TrialState.METRICS_UNAVAILABLE)


class Jobs(OfTrials):
    """The jobs of trials whose template is a ``batch/v1`` Job."""

    kind: Kind = JOB

    def _has(self, experiment: Experiment) -> bool:
        document = experiment.spec.template.document
        return (document.get("apiVersion"), document.get("kind")) == (self.kind.api_version, self.kind.name)

    def _tree(self, snapshot: Snapshot, trial: Trial) -> Tree:
        run = job_of(snapshot.experiment, trial)
        labels = {**_mapping(_mapping(run.get("metadata")).get("labels")), **trial_labels(snapshot.experiment, trial)}
        role = f"{trial_role(trial)}/{JOB_ROLE}"
        metadata = {**owned_metadata(snapshot.experiment, trial.name, role, trial.created), "labels": labels}
        return {
            "apiVersion": self.kind.api_version,
            "kind": self.kind.name,
            "metadata": metadata,
            "spec": run.get("spec") or {},
            "status": self._status(trial),
        }

    def _status(self, trial: Trial) -> Tree:
        status: Tree = {"startTime": rfc3339(trial.created)}
        if not trial.state.finished:
            return status | {"active": 1, "ready": int(trial.state is TrialState.RUNNING)}
        if trial.state in COMPLETE:
            return status | {"succeeded": 1, "completionTime": rfc3339(ended(trial)), "conditions": _conditions(trial)}
        return status | {"failed": trial.attempt, "conditions": _conditions(trial)}


class TrainJobs(Jobs):
    """The jobs of trials whose template is a TrainJob."""

    kind = TRAIN_JOB

    def _status(self, trial: Trial) -> Tree:
        over = trial.state.finished
        counts = {
            "active": int(not over),
            "ready": int(trial.state is TrialState.RUNNING),
            "succeeded": int(trial.state in COMPLETE),
            "failed": int(over and trial.state not in COMPLETE),
            "suspended": 0,
        }
        return {"jobsStatus": [{"name": "node", **counts}]} | ({"conditions": _conditions(trial)} if over else {})


def job_of(experiment: Experiment, trial: Trial) -> Tree:
    """The rendered job, empty for Python objectives and where the template cannot be rendered."""
    try:
        return render(experiment.spec, trial)
    except SpecError:
        return {}


def trial_labels(experiment: Experiment, trial: Trial) -> dict[str, str]:
    """The labels that Katib gives to what belongs to a trial."""
    own = {"katib.kubeflow.org/experiment": experiment.key.name, TRIAL_LABEL: trial.name}
    return {**experiment.spec.labels, **trial.labels, **own}


def ended(trial: Trial) -> float:
    """When a finished trial did, in seconds since the epoch."""
    return trial.finished if trial.finished is not None else trial.created


def reason_of(trial: Trial) -> str:
    """Why a job that did not complete failed, in one word."""
    return trial.failure.value if trial.failure is not None else trial.state.value


def _conditions(trial: Trial) -> list[Tree]:
    complete, at = trial.state in COMPLETE, rfc3339(ended(trial))
    condition: Tree = {
        "type": "Complete" if complete else "Failed",
        "status": "True",
        "reason": "JobsCompleted" if complete else reason_of(trial),
        "message": trial.reason,
        "lastProbeTime": at,
        "lastTransitionTime": at,
    }
    return [condition]


def _mapping(node: Any) -> Tree:
    return node if isinstance(node, dict) else {}
