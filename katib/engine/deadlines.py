"""Limits of time: pure functions of the records and the clock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from katib.core.experiment import ExperimentStatus, Limits
from katib.core.trial import FailureClass, Stop, Trial, TrialState


def overdue(limits: Limits, active: Iterable[Trial], now: float) -> dict[int, Stop]:
    """Number -> the stop of each running trial whose attempt took too long, or has reported nothing for too long."""
    if limits.trial is None and limits.silence is None:
        return {}
    running = (t for t in active if t.state is TrialState.RUNNING and t.started is not None and t.stop is None)
    reasons = {trial.number: _reason(limits, trial, now) for trial in running}
    return {
        number: Stop(TrialState.FAILED, reason, FailureClass.TIME_OUT) for number, reason in reasons.items() if reason
    }


def _reason(limits: Limits, trial: Trial, now: float) -> str:
    started = trial.started or now
    if limits.trial is not None and now - started >= limits.trial:
        return f"ran longer than maxTrialDuration, which is {limits.trial:g} s"
    last = trial.reported or started
    if limits.silence is not None and now - last >= limits.silence:
        return f"reported no metric for noMetricTimeout, which is {limits.silence:g} s"
    return ""


def begin(status: ExperimentStatus, now: float) -> ExperimentStatus:
    """The status of an experiment that begins to run or goes on. One whose owner died has run all the while."""
    going_on = status.resumed is not None and status.verdict is None and not status.stopped
    resumed = status.resumed if going_on else now
    started = status.started or now
    return replace(status, started=started, resumed=resumed, verdict=None, finished=None, stopped=False)


def pause(status: ExperimentStatus, now: float) -> ExperimentStatus:
    """The status of an experiment that stops running."""
    return replace(status, ran=time_used(status, now), resumed=None)


def time_used(status: ExperimentStatus, now: float) -> float:
    """Seconds that the experiment has run, pauses not counted."""
    return status.ran + (now - status.resumed if status.resumed is not None else 0.0)


def time_up(limits: Limits, status: ExperimentStatus, now: float) -> bool:
    """Whether the experiment has run as long as it may."""
    return limits.experiment is not None and time_used(status, now) >= limits.experiment
