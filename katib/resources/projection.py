"""What the core knows, as Katib's resources: Experiments, Trials and Suggestions with their status, as trees of JSON.

A projection: it holds nothing of its own and can be made again at any time. Shapes are exactly those of
``kubeflow.org/v1beta1``, empty and null fields included where Katib's own encoder leaves them, so that clients written
for Katib read them unchanged.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence

from katib.core.errors import SpecError
from katib.core.experiment import Experiment, ExperimentSpec
from katib.core.objective import MetricSummary, Objective, Observation, Strategy
from katib.core.trial import Trial, TrialState, Value
from katib.resources.spec_projection import Tree, experiment_spec, named_values
from katib.resources.status_conditions import (
    condition_of,
    experiment_conditions,
    rfc3339,
    suggestion_conditions,
    trial_conditions,
)
from katib.resources.template import render, value_text

__all__ = [
    "condition_of",
    "experiment_resource",
    "list_resource",
    "resource_name",
    "suggestion_resource",
    "trial_resource",
]

GROUP = "kubeflow.org"
API_VERSION = f"{GROUP}/v1beta1"
SPACE_ANNOTATION = "katib.dev/space"  # "outside": the trial lies outside of a search space that has changed since
EXPERIMENT_LABEL = "katib.kubeflow.org/experiment"
UNAVAILABLE = "unavailable"  # Katib's text for a metric's value that was never reported

# Trials by state: the field with their names, the field with their number (one of Katib's is irregular).
_STATUS_FIELDS: Mapping[TrialState, tuple[str, str]] = {
    TrialState.SUCCEEDED: ("succeededTrialList", "trialsSucceeded"),
    TrialState.FAILED: ("failedTrialList", "trialsFailed"),
    TrialState.KILLED: ("killedTrialList", "trialsKilled"),
    TrialState.PENDING: ("pendingTrialList", "trialsPending"),
    TrialState.RUNNING: ("runningTrialList", "trialsRunning"),
    TrialState.EARLY_STOPPED: ("earlyStoppedTrialList", "trialsEarlyStopped"),
    TrialState.METRICS_UNAVAILABLE: ("metricsUnavailableTrialList", "trialMetricsUnavailable"),
}


def experiment_resource(experiment: Experiment, trials: Sequence[Trial] | None = None) -> Tree:
    """The Experiment resource.

    trials: all of the experiment's; without them the status has the owner's counts, but no lists of names, and of the
    best trial only its name and the objective's value.
    """
    metadata: Tree = {
        "name": experiment.key.name,
        "namespace": experiment.key.namespace,
        "uid": experiment.uid,
        "resourceVersion": str(experiment.revision),
        "generation": experiment.generation,
        "creationTimestamp": rfc3339(experiment.created),
        **_labels(experiment.spec.labels),
        **_annotations(experiment),
    }
    status: Tree = {
        **_started(experiment.status.started),
        **_completed(experiment.status.finished),
        "conditions": experiment_conditions(experiment),
        "currentOptimalTrial": _optimal_trial(experiment, trials),
        **_trial_fields(experiment, trials),
    }
    return _resource("Experiment", metadata, experiment_spec(experiment), status)


def trial_resource(experiment: Experiment, trial: Trial) -> Tree:
    """The Trial resource. ``runSpec`` is left out for Python objectives, and where the template cannot be rendered."""
    spec = experiment_spec(experiment)
    template = spec.get("trialTemplate") or {}
    try:
        run = render(experiment.spec, trial)
    except SpecError:
        run = {}
    fields: Tree = {
        "objective": spec.get("objective"),
        "parameterAssignments": _assignments(experiment.spec, trial),
        "runSpec": run,
        "retainRun": experiment.spec.template.retain,
        "metricsCollector": spec.get("metricsCollectorSpec") or {},
        **{
            field: template.get(field)
            for field in ("primaryPodLabels", "primaryContainerName", "successCondition", "failureCondition")
        },
    }
    metadata = owned_metadata(experiment, trial.name, trial_role(trial), trial.created)
    metadata["labels"] = {**experiment.spec.labels, **trial.labels, EXPERIMENT_LABEL: experiment.key.name}
    if experiment.spec.space.revision and not experiment.spec.space.contains(trial.parameters):
        metadata["annotations"] = {SPACE_ANNOTATION: "outside"}
    status: Tree = {
        **_started(trial.started),
        **_completed(trial.finished),
        "conditions": trial_conditions(trial),
    }
    if trial.observation or trial.state is TrialState.METRICS_UNAVAILABLE:
        status["observation"] = _observation(experiment.spec.objective, trial.observation)
    kept = {field: value for field, value in fields.items() if value or field == "metricsCollector"}
    return _resource("Trial", metadata, kept, status)


def suggestion_resource(experiment: Experiment, trials: Sequence[Trial]) -> Tree:
    """The Suggestion resource: what was asked of the algorithm, and its answers, which are all of the trials."""
    given = experiment_spec(experiment)
    spec: Tree = {"algorithm": given.get("algorithm"), "requests": len(trials)}
    spec |= {field: given[field] for field in ("earlyStopping", "resumePolicy") if given.get(field)}
    metadata = owned_metadata(experiment, experiment.key.name, "suggestion", experiment.created)
    metadata |= {**_labels(experiment.spec.labels), **_annotations(experiment)}
    suggestions = [
        {"name": trial.name, "parameterAssignments": _assignments(experiment.spec, trial), **_labels(trial.labels)}
        for trial in sorted(trials, key=lambda trial: trial.number)
    ]
    status: Tree = {
        **_started(experiment.status.started),
        "conditions": suggestion_conditions(experiment),
        "suggestionCount": len(suggestions),
        "suggestions": suggestions,
    }
    return _resource("Suggestion", metadata, spec, status)


def list_resource(kind: str, items: Sequence[Tree]) -> Tree:
    """The list of ``items``, all of ``kind``: ``Trial`` -> a ``TrialList``."""
    return {"apiVersion": API_VERSION, "kind": f"{kind}List", "metadata": {}, "items": list(items)}


def resource_name(kind: str, name: str) -> str:
    """The name as ``kubectl get -o name`` prints it: ``experiment.kubeflow.org/name``."""
    return f"{kind.lower()}.{GROUP}/{name}"


def _resource(kind: str, metadata: Tree, spec: Tree, status: Tree) -> Tree:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec, "status": status}


def trial_role(trial: Trial) -> str:
    """What the trial is in its experiment, as its uid is made from."""
    return f"trial/{trial.number}"


def owned_uid(experiment: Experiment, role: str) -> str:
    """The uid of what belongs to the experiment. role: what it is there."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{experiment.uid}/{role}"))


def owned_metadata(experiment: Experiment, name: str, role: str, created: float) -> Tree:
    """Metadata of what belongs to the experiment. role: what it is there; its uid is made from it."""
    owner = {
        "apiVersion": API_VERSION,
        "kind": "Experiment",
        "name": experiment.key.name,
        "uid": experiment.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return {
        "name": name,
        "namespace": experiment.key.namespace,
        "uid": owned_uid(experiment, role),
        "resourceVersion": str(experiment.revision),
        "generation": 1,
        "creationTimestamp": rfc3339(created),
        "ownerReferences": [owner],
    }


def _labels(labels: Mapping[str, str]) -> Tree:
    return {"labels": dict(labels)} if labels else {}


def _annotations(experiment: Experiment) -> Tree:
    given = (experiment.document.get("metadata") or {}).get("annotations")
    return {"annotations": dict(given)} if given else {}


def _started(seconds: float | None) -> Tree:
    return {} if seconds is None else {"startTime": rfc3339(seconds)}


def _completed(seconds: float | None) -> Tree:
    """Null until the end, as in Katib."""
    return {"completionTime": None if seconds is None else rfc3339(seconds)}


def _trial_fields(experiment: Experiment, trials: Sequence[Trial] | None) -> Tree:
    """Numbers of trials, and their names if the trials are given; fields of no trial are left out."""
    names: dict[TrialState, list[str]] = {state: [] for state in _STATUS_FIELDS}
    for trial in sorted(trials or (), key=lambda trial: trial.number):
        names[trial.state].append(trial.name)
    counts = experiment.status.counts if trials is None else {state: len(names[state]) for state in names}
    lists: Tree = {_STATUS_FIELDS[state][0]: names[state] for state in names if names[state]}
    total = sum(counts.values())
    numbers = {"trials": total, **{_STATUS_FIELDS[state][1]: counts.get(state, 0) for state in _STATUS_FIELDS}}
    return lists | {field: number for field, number in numbers.items() if number}


def _optimal_trial(experiment: Experiment, trials: Sequence[Trial] | None) -> Tree:
    status, objective = experiment.status, experiment.spec.objective
    if status.best is None:
        return {"observation": {}}
    best = next((trial for trial in trials or () if trial.number == status.best), None)
    if best is not None:
        return {
            "bestTrialName": best.name,
            "parameterAssignments": _assignments(experiment.spec, best),
            "observation": _observation(objective, best.observation),
        }
    value = {} if status.best_value is None else {objective.strategy(objective.metric).value: repr(status.best_value)}
    observation = {"metrics": [{"name": objective.metric, **value}]}
    return {"bestTrialName": status.best_name, "observation": observation}


def _observation(objective: Objective, observation: Observation) -> Tree:
    """All metrics: the objective's first, in the user's order, then whatever else was recorded."""
    names = dict.fromkeys([*objective.metrics, *observation])
    return {"metrics": [{"name": name, **_metric(observation.get(name, MetricSummary()))} for name in names]}


def _metric(summary: MetricSummary) -> dict[str, str]:
    """min, max and latest as texts: shortest ones of the extremes, the latest as it was reported."""
    extremes = {Strategy.MIN: summary.minimum, Strategy.MAX: summary.maximum}
    texts = {key.value: UNAVAILABLE if value is None else repr(float(value)) for key, value in extremes.items()}
    return {**texts, Strategy.LATEST.value: summary.latest_text or UNAVAILABLE}


def _assignments(spec: ExperimentSpec, trial: Trial) -> list[dict[str, str]]:
    return named_values({name: _value_text(spec, name, value) for name, value in trial.parameters.items()})


def _value_text(spec: ExperimentSpec, name: str, value: Value) -> str:
    """The value's text, whatever it is."""
    try:
        return value_text(spec.space, name, value)
    except SpecError:
        return str(value)
