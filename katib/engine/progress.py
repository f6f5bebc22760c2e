"""How a trial moves on when its runner reports: pure functions from a trial and a report to the trial's next record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from katib.core.experiment import RetryPolicy
from katib.core.objective import Measurement, Objective, Observation, observe
from katib.core.ports import Collector, Phase, Update
from katib.core.trial import AttemptId, Cursor, FailureClass, Key, Stop, Trial, TrialState, evolve
from katib.engine.plan import INTERRUPTED

# Classes that say nothing about the parameters: a trial that fails with one spends no failure budget.
INNOCENT = frozenset({FailureClass.LOST, FailureClass.INFRASTRUCTURE})

# Names of other metrics that are kept of an attempt, for the reason of a missing one; characters of each.
MAX_SEEN, MAX_NAME = 20, 100


class Explain(Protocol):
    """Says why the objective metric has no value. seen, looked: as ``Trial`` and ``Update`` have them."""

    def __call__(
        self, objective: Objective, observation: Observation, *, seen: Sequence[str] = (), looked: str = ""
    ) -> str:
        """One sentence for people."""
        ...


@dataclass(frozen=True, slots=True)
class Judge:
    """What an attempt's end is judged by. explain: says why the metrics are missing."""

    objective: Objective
    explain: Explain
    retry: RetryPolicy


@dataclass(frozen=True, slots=True)
class Collection:
    """What one update held: measurements in order, the cursors behind them, and what else was there to be told."""

    measurements: tuple[Measurement, ...]
    cursors: Mapping[str, Cursor]
    seen: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def attempt_id(key: Key, trial: Trial) -> AttemptId:
    """What the runner finds the trial's current attempt by."""
    return AttemptId(key, trial.name, trial.attempt)


def collect(trial: Trial, update: Update, collector: Collector) -> Collection:
    """Turn the update's bytes into measurements, beside the ready-made ones."""
    measurements = list(update.measurements)
    cursors = {**trial.cursors, **update.ends}
    seen = trial.seen
    notes: list[str] = []
    for chunk in update.chunks:
        collected = collector(chunk)
        measurements.extend(collected.measurements)
        cursors[chunk.source] = collected.end
        seen = _merge(seen, collected.seen)
        notes.extend(collected.notes)
    return Collection(tuple(measurements), cursors, seen, tuple(notes))


def _merge(seen: tuple[str, ...], more: Iterable[str]) -> tuple[str, ...]:
    names = (name if len(name) <= MAX_NAME else f"{name[:MAX_NAME]}..." for name in more)
    fresh = dict.fromkeys(name for name in names if name not in seen)
    return (*seen, *fresh)[:MAX_SEEN] if fresh and len(seen) < MAX_SEEN else seen


def report(trial: Trial, update: Update, collection: Collection, now: float) -> Trial:
    """The trial with an update's measurements taken in, waiting or running; ``finish`` judges its end."""
    measurements = collection.measurements
    reported = trial
    if measurements or collection.cursors != trial.cursors:
        reported = evolve(
            trial,
            observation=observe(trial.observation, measurements),
            measured=trial.measured + len(measurements),
            reported=now if measurements else trial.reported,
            cursors=collection.cursors,
            seen=collection.seen,
        )
    if update.phase is Phase.WAITING:
        return reported if reported.reason == update.reason else evolve(reported, reason=update.reason)
    if reported.state is TrialState.RUNNING or update.phase.ended:
        return reported
    return evolve(reported, state=TrialState.RUNNING, started=trial.started or now, reason="")


def finish(trial: Trial, update: Update, judge: Judge, now: float) -> Trial:
    """The record of a trial whose attempt has ended."""
    stop = trial.stop
    refused = stop is not None and (stop.state is TrialState.EARLY_STOPPED or stop.failure is FailureClass.USER_ERROR)
    if update.phase is Phase.SUCCEEDED and not refused:
        if judge.objective.available(trial.observation):
            return _ended(trial, TrialState.SUCCEEDED, now, message=update.message)
        reason = judge.explain(judge.objective, trial.observation, seen=trial.seen, looked=update.looked)
        return _ended(trial, TrialState.METRICS_UNAVAILABLE, now, reason=reason, message=update.message)
    if stop is not None and stop.failure is not None:
        return _failed(trial, stop.failure, stop.reason, update.message, judge.retry, now)
    if stop is not None and stop.state is not INTERRUPTED:
        return _ended(trial, stop.state, now, reason=stop.reason)
    if stop is not None or update.phase is Phase.STOPPED:
        return next_attempt(trial, stop.reason if stop else update.reason or "interrupted")
    failure = FailureClass.LOST if update.phase is Phase.LOST else update.failure or FailureClass.USER_ERROR
    return _failed(trial, failure, update.reason, update.message, judge.retry, now)


def _failed(trial: Trial, failure: FailureClass, reason: str, message: str, retry: RetryPolicy, now: float) -> Trial:
    """The trial's next attempt, if its policy grants it one more for that class of failure; else its end."""
    failures = {**trial.failures, failure: trial.failures.get(failure, 0) + 1}
    if failures[failure] <= retry.limits.get(failure, 0):
        pause = retry.pause(sum(failures.values()))
        return evolve(next_attempt(trial, reason), failures=failures, not_before=now + pause if pause else None)
    return _ended(
        evolve(trial, failures=failures, failure=failure), TrialState.FAILED, now, reason=reason, message=message
    )


def _ended(trial: Trial, state: TrialState, now: float, *, reason: str = "", message: str = "") -> Trial:
    started, end = trial.started or now, {"state": state, "reason": reason, "message": message, "finished": now}
    return evolve(trial, **end, started=started, cursors={}, seen=(), stop=None)


def next_attempt(trial: Trial, reason: str) -> Trial:
    """The trial waiting for its next run; what the last one measured stays in the store under its attempt."""
    return evolve(
        trial,
        state=TrialState.PENDING,
        attempt=trial.attempt + 1,
        started=None,
        finished=None,
        observation={},
        measured=0,
        reported=None,
        not_before=None,
        cursors={},
        seen=(),
        stop=None,
        reason=reason,
    )


def kill_pending(trial: Trial, stop: Stop, now: float) -> Trial:
    """The record of a trial that is stopped before anything of it ran."""
    return evolve(trial, state=stop.state, reason=stop.reason, finished=now, stop=None)


def is_lost(trial: Trial) -> bool:
    """Whether a failed trial spends no failure budget: the last of its attempts was lost."""
    return trial.state is TrialState.FAILED and trial.failure in INNOCENT
