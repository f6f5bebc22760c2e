"""The ``status.conditions`` of Katib's resources, and the same in one word for tables.

Conditions stand in the order in which they came true, the newest last, since clients show the last one. An end sets
Running to False, keeping its reason, and stands behind it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from katib.core.experiment import Experiment, ResumePolicy, Verdict
from katib.core.trial import Trial, TrialState

_FIRST, _LAST = -62135596800.0, 253402300799.0  # seconds to 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z

# How a trial ended: reason and message of its condition. KILLED is in Katib's API, though Katib never says so.
_ENDS: Mapping[TrialState, tuple[str, str]] = {
    TrialState.SUCCEEDED: ("TrialSucceeded", "The trial has succeeded"),
    TrialState.FAILED: ("TrialFailed", "The trial has failed"),
    TrialState.KILLED: ("TrialKilled", "The trial was stopped because its experiment is over"),
    TrialState.EARLY_STOPPED: ("TrialEarlyStopped", "The trial was stopped early"),
    TrialState.METRICS_UNAVAILABLE: ("MetricsUnavailable", "The trial reported no usable value of the objective"),
}
_VERDICTS: Mapping[Verdict, str] = {
    Verdict.GOAL_REACHED: "The experiment has reached its goal",
    Verdict.MAX_TRIALS_REACHED: "The experiment has run as many trials as it may",
    Verdict.MAX_DURATION_REACHED: "The experiment has run as long as it may",
    Verdict.SEARCH_EXHAUSTED: "The algorithm has nothing more to suggest",
    Verdict.FAILED: "The experiment has failed",
}


def condition_of(experiment: Experiment) -> tuple[str, str]:
    """Type and reason of where the experiment stands, for tables: Created, Running, Stopped, Succeeded or Failed."""
    status = experiment.status
    if status.verdict is not None:
        return ("Succeeded" if status.verdict.succeeded else "Failed"), status.verdict.value
    state = "Stopped" if status.stopped else "Created" if status.started is None else "Running"
    return state, f"Experiment{state}"


def experiment_conditions(experiment: Experiment) -> list[dict[str, Any]]:
    """Created, Restarting if it went on after an end, Running, and how it ended. As in Katib, Restarting stays. A
    stopped experiment is Running no more, and has not ended."""
    status = experiment.status
    conditions = [_condition("Created", True, "ExperimentCreated", "The experiment is created", experiment.created)]
    if condition_of(experiment)[0] == "Created":
        return conditions
    begun = status.started if status.started is not None else experiment.created
    if status.restarted is not None:
        begun = status.restarted
        again = "The experiment goes on after its end"
        conditions.append(_condition("Restarting", True, "ExperimentRestarting", again, begun))
    ended = status.finished if status.finished is not None else begun
    message = f"The experiment is running{f': {status.waiting}' if status.waiting else ''}"
    if status.verdict is not None:
        kind, reason = condition_of(experiment)
        conditions.append(_condition("Running", False, "ExperimentRunning", "The experiment is running", ended))
        conditions.append(_condition(kind, True, reason, status.message or _VERDICTS[status.verdict], ended))
    elif status.stopped:
        message = "The experiment was stopped; it can be resumed"
        conditions.append(_condition("Running", False, "ExperimentStopped", message, ended))
    else:
        conditions.append(_condition("Running", True, "ExperimentRunning", message, begun))
    return conditions


def trial_conditions(trial: Trial) -> list[dict[str, Any]]:
    """Created, Running, and how it ended; the last one's message says why."""
    conditions = [_condition("Created", True, "TrialCreated", "The trial is created", trial.created)]
    end = _ENDS.get(trial.state)
    ended = trial.finished if trial.finished is not None else trial.created
    if trial.started is not None:
        since = trial.started if end is None else ended
        conditions.append(_condition("Running", end is None, "TrialRunning", "The trial is running", since))
    if end is not None:
        why = ": ".join(part for part in (trial.failure or "", trial.reason) if part)
        message = "\n".join(part for part in (f"{end[1]}{why and f': {why}'}", trial.message) if part)
        conditions.append(_condition(trial.state.value, True, end[0], message, ended))
    return conditions


def suggestion_conditions(experiment: Experiment) -> list[dict[str, Any]]:
    """Ready and Running while the algorithm may be asked. The reasons at the end are phrases, as they are in Katib."""
    status, policy = experiment.status, experiment.spec.resume_policy
    begun = status.started if status.started is not None else experiment.created
    conditions = [_condition("Created", True, "SuggestionCreated", "The suggestion is created", experiment.created)]
    if status.verdict is None or policy is ResumePolicy.LONG_RUNNING:
        conditions.append(_condition("DeploymentReady", True, "DeploymentReady", "The algorithm is ready", begun))
        conditions.append(_condition("Running", True, "SuggestionRunning", "The algorithm may be asked", begun))
        return conditions
    ended = status.finished if status.finished is not None else begun
    again = "cannot be restarted" if policy is ResumePolicy.NEVER else "keeps its volume and may be restarted"
    for kind in ("DeploymentReady", "Running"):
        conditions.append(_condition(kind, False, "Suggestion is succeeded", "The algorithm is not needed now", ended))
    conditions.append(_condition("Succeeded", True, "Experiment is succeeded", f"The suggestion {again}", ended))
    return conditions


def _condition(kind: str, holds: bool, reason: str, message: str, time: float) -> dict[str, Any]:
    """One entry of ``status.conditions``."""
    at = {"lastUpdateTime": rfc3339(time), "lastTransitionTime": rfc3339(time)}
    return {"type": kind, "status": str(holds), "reason": reason, "message": message, **at}


@lru_cache(maxsize=4096)  # one moment stands in many places of an object
def rfc3339(seconds: float) -> str:
    """RFC 3339 in UTC, to the second, as Kubernetes writes times."""
    return f"{_moment(seconds).isoformat(timespec='seconds')}Z"


def rfc3339_exact(seconds: float) -> str:
    """RFC 3339 in UTC, to the microsecond."""
    return f"{_moment(seconds).isoformat(timespec='microseconds')}Z"


def _moment(seconds: float) -> datetime:
    """The time in UTC. One that has no year of four digits, as of a trial that reports milliseconds, becomes the first
    or the last that has."""
    kept = min(max(seconds, _FIRST), _LAST) if not math.isnan(seconds) else 0.0
    return datetime.fromtimestamp(kept, UTC).replace(tzinfo=None)
