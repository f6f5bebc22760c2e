"""Takes in what the runner says: polls, collects, judges ends and early stops, and drafts the records."""

from __future__ import annotations

from dataclasses import replace

from katib.core.ports import Phase, Update
from katib.core.trial import Stop, Trial, TrialState
from katib.engine.declarations import take_declarations
from katib.engine.progress import Judge, collect, finish, report
from katib.engine.session import Session


def take_reports(session: Session, now: float) -> bool:
    """Draft what every launched attempt did since the last look. Returns whether there is more to be read at once."""
    attempts = session.running_attempts()
    if not attempts:
        return False
    more = False
    for update in session.parts.runner.poll({id: trial.cursors for id, trial in attempts.items()}):
        more |= update.more
        _take(session, attempts[update.id], update, now)
    return more


def _take(session: Session, trial: Trial, update: Update, now: float) -> None:
    if _was_never_started(session, trial, update) or _says_nothing(trial, update):
        return
    spec = session.experiment.spec
    collection = collect(trial, update, session.parts.collector)
    declaring, collection = take_declarations(session, trial, collection)
    reported = report(declaring, update, collection, now)
    if update.early_stop and reported.stop is None:
        reported = replace(reported, stop=Stop(TrialState.EARLY_STOPPED, update.early_stop))
    ended = update.phase.ended and not update.more
    judge = Judge(spec.objective, session.parts.explain, spec.retry)
    after = finish(reported, update, judge, now) if ended else reported
    if after is trial:
        return
    if after.attempt == trial.attempt:
        session.put(after, collection.measurements)
    else:
        session.put(reported, collection.measurements)
        session.put(after)
    for note in collection.notes:
        session.log(now, "Warning", "MetricsSkipped", note, after)
    if ended and update.problem:
        session.log(now, "Warning", "MetricsCollectorFailed", update.problem, after)
    _log_end(session, trial, after, now)
    if collection.measurements and after.state is TrialState.RUNNING and after.stop is None:
        _stop_early(session, after, now)


def _was_never_started(session: Session, trial: Trial, update: Update) -> bool:
    """Whether an attempt that may have been started is unknown to the runner, so that it can still be started; one
    whose end was decided meanwhile has it now."""
    run = (trial.number, trial.attempt)
    if run in session.sought:
        session.sought.discard(run)
        if update.phase is Phase.LOST and trial.stop is None:
            return True
        session.launched.add(run)
    return False


def _says_nothing(trial: Trial, update: Update) -> bool:
    """Whether the update only repeats what is known: the common case, so it is settled without any work."""
    if update.chunks or update.measurements or update.phase.ended or (update.early_stop and trial.stop is None):
        return False
    if update.phase is Phase.WAITING:
        return trial.reason == update.reason
    return trial.state is TrialState.RUNNING


def _stop_early(session: Session, trial: Trial, now: float) -> None:
    """Ask the stopper; its decision is committed together with the report it was made on. Its failure ends the search
    with its text, as an algorithm's does."""
    stopper = session.parts.stopper
    if stopper is None:
        return
    try:
        reason = stopper.reason_to_stop(trial, session.history)
    except Exception as error:
        session.error = f"early stopping failed: {type(error).__name__}: {error}"
        return
    if reason:
        session.put(replace(trial, stop=Stop(TrialState.EARLY_STOPPED, reason)))


def _log_end(session: Session, before: Trial, after: Trial, now: float) -> None:
    if after.attempt != before.attempt:
        message = f"attempt {before.attempt} ended ({after.reason}); attempt {after.attempt} follows"
        session.log(now, "Warning", "TrialRetried", message, after)
    elif after.state in (TrialState.FAILED, TrialState.METRICS_UNAVAILABLE):
        session.log(now, "Warning", f"Trial{after.state.value}", after.reason, after)
    elif after.state in (TrialState.EARLY_STOPPED, TrialState.KILLED):
        session.log(now, "Normal", f"Trial{after.state.value}", after.reason, after)
