"""Asks the algorithm for trials and drafts them. An algorithm's failure ends the search with its text; a service that
does not answer is asked again, later and later; too few suggestions mean that running trials are to be awaited."""

from __future__ import annotations

import time

from katib.core.errors import AlgorithmError, KatibError, RetryableError, SpecError
from katib.core.trial import AttemptId, Proposal, Suggestion, Trial
from katib.engine.names import trial_name
from katib.engine.progress import attempt_id
from katib.engine.session import Session

MAX_BACKOFF = 30.0


def propose(session: Session, count: int, now: float) -> list[Trial]:
    """Draft at most ``count`` new trials; returns them. First come further runs of parameters that have not had all of
    theirs, then the user's own points, then the best ones of former experiments, then what the algorithm suggests."""
    trials: list[Trial] = []
    while len(trials) < count and (suggestion := _next_given(session)) is not None:
        trials.append(_draft(session, suggestion, now))
    if len(trials) < count:
        trials.extend(_propose_new(session, count - len(trials), now))
    return trials


def _next_given(session: Session) -> Suggestion | None:
    """The next trial that needs no algorithm, None if there is none: what is due follows from the history alone."""
    due = session.history.repeat_due()
    if due is not None:
        return Suggestion(due.parameters)
    spec, history = session.experiment.spec, session.history
    found = next((p for p in spec.initial if history.number_of(p) is None), None)
    if found is None and spec.warm_start is not None:
        found = history.prior.next_point(history, spec.warm_start.first)
    return None if found is None else Suggestion(found)


def _propose_new(session: Session, room: int, now: float) -> list[Trial]:
    """Draft what the algorithm suggests, each with as many of its runs as there is room for. Checkpoints that nothing
    continues from go into ``session.releases``."""
    session.branch()
    patience, history = session.patience, session.history
    at = (len(history.finished), len(history.active))
    if patience.short_at == at or time.monotonic() < patience.retry_at:
        return []
    if history.space.open and not len(history.space):  # the trials say what there is to search
        return [_draft(session, Suggestion({}), now) for _ in range(room)]
    count = -(-room // history.objective.repeats)
    try:
        proposal = _ask(session, count)
    except RetryableError as error:
        _back_off(session, error)
        return []
    except KatibError as error:
        session.error = str(error)
        return []
    patience.retries, patience.retry_at = 0, 0.0
    session.wait_for("")
    trials: list[Trial] = []
    for suggestion in proposal.suggestions:
        for _ in range(min(history.objective.repeats, room - len(trials))):
            trials.append(_draft(session, suggestion, now))
    exhausted = proposal.exhausted and not (history.space.open and history.active)  # those may declare more
    session.exhausted = exhausted and history.repeat_due() is None
    session.releases.extend(_releases(session, proposal))
    if len(proposal.suggestions) < count and not exhausted:
        patience.short_at = (len(history.finished), len(history.active))
        if not history.active:
            session.error = "the algorithm proposes nothing although no trial is running"
    return trials


def _ask(session: Session, count: int) -> Proposal:
    """The algorithm's answer, checked. Raises AlgorithmError on anything outside its contract."""
    name = session.experiment.spec.algorithm.name
    try:
        proposal = session.parts.algorithm.suggest(session.history, count)
    except KatibError:
        raise
    except Exception as error:
        raise AlgorithmError(f"algorithm {name!r} failed: {type(error).__name__}: {error}") from error
    if not isinstance(proposal, Proposal):
        raise AlgorithmError(f"algorithm {name!r} answered {proposal!r}, expected a Proposal")
    if len(proposal.suggestions) > count:
        raise AlgorithmError(f"algorithm {name!r} gave {len(proposal.suggestions)} suggestions, {count} were asked for")
    if session.experiment.spec.nas is None:
        for suggestion in proposal.suggestions:
            try:
                session.history.space.check(suggestion.parameters)
            except SpecError as error:
                raise AlgorithmError(f"algorithm {name!r} left the search space: {error}") from error
    return proposal


def _draft(session: Session, suggestion: Suggestion, now: float) -> Trial:
    experiment, number = session.experiment, session.history.next_number
    trial = Trial(
        number=number,
        name=trial_name(experiment.key, experiment.uid, number, session.names),
        parameters=suggestion.parameters,
        labels=suggestion.labels,
        parent=suggestion.parent,
        created=now,
    )
    session.put(trial)
    return trial


def _releases(session: Session, proposal: Proposal) -> list[AttemptId]:
    """Attempts whose checkpoints may go now; an algorithm names them again and again, as it remembers nothing."""
    trials = session.history.trials
    new = {n for n in proposal.releases - session.released if n in trials and trials[n].state.finished}
    session.released |= new
    return [attempt_id(session.key, trials[number]) for number in sorted(new)]


def pause(retries: int) -> float:
    """Seconds until a service that did not answer ``retries`` times before is asked again."""
    return min(2.0**retries, MAX_BACKOFF)


def _back_off(session: Session, error: RetryableError) -> None:
    patience = session.patience
    patience.retry_at = time.monotonic() + pause(patience.retries)
    patience.retries += 1
    session.wait_for(str(error))
