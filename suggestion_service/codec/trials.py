"""Trials and History <-> Trial messages, as our own engines send them."""

from __future__ import annotations

import math
import time
from array import array
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from katib.core.errors import SpecError
from katib.core.history import Curve, History
from katib.core.objective import Measurement, MetricSummary, Objective, Observation, Strategy
from katib.core.space import SearchSpace
from katib.core.trial import FailureClass, Trial, TrialState
from suggestion_service.codec.values import decode_assignments, encode_assignments
from suggestion_service.generated import api_pb2 as pb

_Status = pb.TrialStatus
CONDITIONS = {
    TrialState.PENDING: _Status.CREATED,
    TrialState.RUNNING: _Status.RUNNING,
    TrialState.SUCCEEDED: _Status.SUCCEEDED,
    TrialState.EARLY_STOPPED: _Status.EARLYSTOPPED,
    TrialState.FAILED: _Status.FAILED,
    TrialState.KILLED: _Status.KILLED,
    TrialState.METRICS_UNAVAILABLE: _Status.METRICSUNAVAILABLE,
}
_STATES = {condition: state for state, condition in CONDITIONS.items()}


class Frame(NamedTuple):
    """What all trials of one experiment share. message: the objective as a message, repeated in each trial."""

    space: SearchSpace
    objective: Objective
    message: pb.ObjectiveSpec


def state_of(condition: int) -> TrialState:
    """The state of a condition; an unknown condition means that nothing is known to have run yet."""
    return _STATES.get(condition, TrialState.PENDING)  # type: ignore[call-overload, no-any-return]


def encode_trial(trial: Trial, curve: Curve, frame: Frame, target: pb.Trial) -> None:
    """Write ``trial`` into ``target``: what Katib says of a trial, then what only we say.

    Left out: cursors, a pending stop, reason and message, which are the engine's and no algorithm's business.
    """
    target.name = trial.name
    target.spec.objective.CopyFrom(frame.message)
    encode_assignments(frame.space, trial.parameters, target.spec.parameter_assignments.assignments)
    target.spec.labels.update(trial.labels)
    status = target.status
    status.condition = CONDITIONS[trial.state]
    status.start_time = _time_text(trial.started)
    status.completion_time = _time_text(trial.finished)
    for name, summary in trial.observation.items():
        text = _chosen_text(summary, frame.objective.strategy(name))
        if text:
            status.observation.metrics.add(name=name, value=text)
    _encode_record(trial, curve, target.record)


def decode_trial(message: pb.Trial, space: SearchSpace) -> Trial:
    """The inverse. Raises SpecError."""
    record = message.record
    return Trial(
        number=record.number,
        name=message.name,
        parameters=decode_assignments(space, message.spec.parameter_assignments.assignments),
        labels=dict(message.spec.labels),
        parent=record.parent if record.HasField("parent") else None,
        state=state_of(message.status.condition),
        attempt=record.attempt,
        seq=record.seq,
        created=record.created,
        started=record.started if record.HasField("started") else None,
        finished=record.finished if record.HasField("finished") else None,
        observation=_decode_observation(record.metrics),
        measured=record.measured,
        failures={FailureClass(name): count for name, count in record.failures.items()},
        failure=FailureClass(record.failure) if record.failure else None,
    )


def decode_history(messages: Sequence[pb.Trial], space: SearchSpace, objective: Objective) -> History:
    """The history that the messages tell of. Raises SpecError."""
    trials = [decode_trial(message, space) for message in messages]
    if len({trial.number for trial in trials}) != len(trials):
        raise SpecError("two trials have the same number")
    history = History(space, objective, trials)
    for message in messages:
        decode_curve(message.record, history)
    return history


def _encode_record(trial: Trial, curve: Curve, record: pb.TrialRecord) -> None:
    record.number, record.seq, record.attempt = trial.number, trial.seq, trial.attempt
    record.created, record.measured = trial.created, trial.measured
    record.failures.update({failure.value: count for failure, count in trial.failures.items()})
    if trial.parent is not None:
        record.parent = trial.parent
    if trial.started is not None:
        record.started = trial.started
    if trial.finished is not None:
        record.finished = trial.finished
    if trial.failure is not None:
        record.failure = trial.failure.value
    for name, summary in trial.observation.items():
        record.metrics.add(
            name=name,
            minimum=summary.minimum,
            maximum=summary.maximum,
            latest=summary.latest,
            latest_text=summary.latest_text,
            latest_time=summary.latest_time,
            count=summary.count,
        )
    if len(curve):
        record.curve.values.extend(curve.values)
        record.curve.steps.extend(curve.steps)
        record.curve.seqs.extend(curve.seqs)


def _decode_observation(metrics: Iterable[pb.MetricRecord]) -> Observation:
    return {
        metric.name: MetricSummary(
            minimum=metric.minimum if metric.HasField("minimum") else None,
            maximum=metric.maximum if metric.HasField("maximum") else None,
            latest=metric.latest if metric.HasField("latest") else None,
            latest_text=metric.latest_text,
            latest_time=metric.latest_time,
            count=metric.count,
        )
        for metric in metrics
    }


def decode_curve(record: pb.TrialRecord, history: History) -> None:
    """Report the curve to ``history``, but for what that has of it. Raises ValueError if it has another one."""
    if not record.HasField("curve"):
        return
    curve, metric, known = record.curve, history.objective.metric, history.curve(record.number)
    start = len(known)
    if (known.seqs, known.steps) != (array("q", curve.seqs[:start]), array("q", curve.steps[:start])):
        raise ValueError(f"the curve of trial {record.number} is not the one that was sent before")
    reports = zip(curve.values[start:], curve.steps[start:], curve.seqs[start:], strict=True)
    for value, step, seq in reports:
        finite = None if math.isnan(value) else value
        measurement = Measurement(metric, finite, "", 0.0, None if step == -1 else step)
        history.report(record.number, (measurement,), seq)


def _chosen_text(summary: MetricSummary, strategy: Strategy) -> str:
    """The text that stands for a metric in Katib: the strategy's value, else the latest; empty without a number."""
    value = summary.by(strategy)
    if value is None:
        value = summary.latest
    if value is None:
        return ""
    return summary.latest_text if value == summary.latest and summary.latest_text else repr(value)


def _time_text(seconds: float | None) -> str:
    return "" if seconds is None else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
