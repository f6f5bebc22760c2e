"""Carries plans out: the one place with effects. Level-based: it never depends on having seen an event.

One ``reconcile`` is: look at the runner, take reports in, decide, commit, then act. Whatever is decided is committed
before it is done, so a crash at any point is mended by the next look.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from katib.core.changes import Changes
from katib.core.errors import ConflictError, FencedError, NotFoundError, RetryableError, RunnerError, SpecError
from katib.core.experiment import Desired, Experiment
from katib.core.history import History
from katib.core.ports import Leases, Store
from katib.core.trial import Attempt, AttemptId, FailureClass, Key, Trial, TrialState
from katib.engine.deadlines import overdue, pause, time_up
from katib.engine.declarations import with_declared
from katib.engine.lifecycle import describe_end, edit, may_restart
from katib.engine.names import trial_seed
from katib.engine.plan import Moment, Plan, plan
from katib.engine.progress import attempt_id, kill_pending
from katib.engine.proposals import propose
from katib.engine.reports import take_reports
from katib.engine.retries import again, can_go_on, due
from katib.engine.session import Parts, Session

LEASE_SECONDS = 30.0
LOOK_SECONDS = 0.3  # how often other processes' wishes are looked for
IDLE_SECONDS = 0.25  # longest wait between two looks at running trials
FRESH_SECONDS = 0.02  # until trials that were just started are looked at: one that ends sooner costs one commit fewer
STOP_GRACE_SECONDS = 10.0
UNAVAILABLE_SECONDS = 1.0  # until a store that did not answer is tried again


class Controller:
    """Runs the experiments that it holds the leases of. Not for several threads at a time."""

    def __init__(
        self,
        store: Store,
        leases: Leases,
        assemble: Callable[[Experiment], Parts],
        holder: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """assemble: makes the parts that an experiment runs with. holder: who this process is, for the leases."""
        self._store = store
        self._leases = leases
        self._assemble = assemble
        self._holder = holder
        self._clock = clock
        self._sessions: dict[Key, Session] = {}
        self._looked: dict[Key, float] = {}
        self._renewed: dict[Key, float] = {}
        self._draining = False

    def run(self, key: Key) -> Experiment:
        """Reconcile until the experiment ends, is stopped, or this process drains; returns it as it is then."""
        while (delay := self.reconcile(key)) is not None:
            self.wait(key, delay)
        return self._store.get(key)

    def reconcile(self, key: Key) -> float | None:
        """One look and one step. Returns the seconds until the next look, None if nothing is left to do.

        Raises LeaseHeldError (on the first look), FencedError, NotFoundError, CorruptRecordError.
        """
        session = self._sessions.get(key)
        if session is None:
            session = self._open(key)
            if session.status.verdict is not None and session.experiment.desired is not Desired.DELETE:
                self._leave(session)
                return None
        try:
            return self._step(session)
        except ConflictError:
            self._leave(session)  # the mirror is wrong: read again at the next look
            return 0.0
        except RetryableError:
            return UNAVAILABLE_SECONDS  # the draft waits in the session
        except (FencedError, NotFoundError):
            del self._sessions[key]
            raise

    def wait(self, key: Key, delay: float) -> None:
        """Wait for the next look, or less if the runner has news."""
        session = self._sessions.get(key)
        if session is not None:
            session.parts.runner.wait(delay)
        elif delay:
            time.sleep(delay)

    def view(self, key: Key) -> tuple[Experiment, History] | None:
        """The experiment and its trials as held now; None before the first ``reconcile`` and after the last."""
        session = self._sessions.get(key)
        return (session.experiment, session.history) if session else None

    def drain(self) -> None:
        """Start nothing more; running trials go on to their end."""
        self._draining = True

    def interrupt(self) -> None:
        """Start nothing more and end running attempts now; on resume their trials run again, as the next attempt."""
        self._draining = True
        for session in self._sessions.values():
            for id in session.running_attempts():
                session.parts.runner.stop(id, grace=0.0)

    def close(self) -> None:
        """Give the leases back. Attempts of runners that outlive this process go on."""
        for session in list(self._sessions.values()):
            self._leave(session)

    def take_retries(self, key: Key) -> Experiment:
        """Without running anything: record that the trials which are to run again wait for that.

        Raises LeaseHeldError while an owner lives, who does it himself.
        """
        session = self._open(key, resting=True)
        try:
            if session.status.verdict is None and all(t.started is None for t in session.history.active.values()):
                session.status = replace(pause(session.status, self._clock()), stopped=True)
            session.summarize()
            session.commit(self._store)
        finally:
            self._leave(session)
        return self._store.get(key)

    def _open(self, key: Key, *, resting: bool = False) -> Session:
        """Become the owner. ``resting``: to write only; no algorithm is needed then, and nothing runs afterwards."""
        lease = self._leases.acquire(key, self._holder, LEASE_SECONDS)
        try:
            experiment = self._store.get(key)
            parts = self._assemble(replace(experiment, desired=Desired.STOP) if resting else experiment)
            session = Session.load(self._store, experiment, parts, lease)
        except BaseException:
            self._leases.release(lease)
            raise
        wanted = can_go_on(experiment) and bool(due(experiment, session.history.trials))
        if session.status.verdict is None or may_restart(experiment) or wanted:
            session.begin(self._clock())
            self._run_again(session, self._clock())
        self._sessions[key] = session
        self._renewed[key] = time.monotonic()
        return session

    def _leave(self, session: Session) -> None:
        del self._sessions[session.key]
        self._leases.release(session.lease)

    def _step(self, session: Session) -> float | None:
        if session.unsure:
            session.commit(self._store)
        self._keep(session)
        now = self._clock()
        self._run_again(session, now)
        more = take_reports(session, now)
        self._declare(session)
        experiment = session.experiment
        active = session.history.active.values()
        session.time_up = time_up(experiment.spec.limits, session.status, now)
        step = plan(
            experiment.budget,
            session.tally,
            active,
            experiment.desired,
            Moment(now, self._draining, session.launched_numbers()),
        )
        if step.done:
            self._finish(session, step, now)
            return None
        for number, stop in {**overdue(experiment.spec.limits, active, now), **step.stop}.items():
            trial = session.history.trials[number]
            launched = (number, trial.attempt) in session.launched
            session.put(replace(trial, stop=stop) if launched else kill_pending(trial, stop, now))
        created = propose(session, step.ask, now) if step.ask else []
        session.summarize()
        session.commit(self._store)
        self._stop_marked(session)
        started = self._start(session, [*step.start, *(trial.number for trial in created)])
        self._release(session)
        if more or session.error or (session.exhausted and not session.history.active):
            return 0.0
        return FRESH_SECONDS if started else IDLE_SECONDS

    def _declare(self, session: Session) -> None:
        """Write what trials declared into the experiment, before the records of the trials that have it."""
        if session.declared:
            parameters = tuple(session.declared.values())
            session.adopt(edit(self._store, session.key, lambda stored: with_declared(stored, parameters)))
            session.declared.clear()

    def _keep(self, session: Session) -> None:
        """Renew the lease, and see what other processes want."""
        now = time.monotonic()
        if now - self._renewed[session.key] > LEASE_SECONDS / 3:
            session.lease = self._leases.renew(session.lease, LEASE_SECONDS)
            self._renewed[session.key] = now
        if now - self._looked.get(session.key, -LOOK_SECONDS) >= LOOK_SECONDS:
            self._looked[session.key] = now
            experiment = self._store.get(session.key)
            if experiment.generation != session.experiment.generation:
                session.adopt(experiment)

    def _run_again(self, session: Session, now: float) -> None:
        """Draft the next attempt of finished trials that somebody wants to run again."""
        wishes = session.experiment.retries if session.status.verdict is None else ()
        for trial in due(session.experiment, session.history.trials) if wishes else ():
            session.put(again(trial))
            reason = f"attempt {trial.attempt} ended ({trial.state.value}); attempt {trial.attempt + 1} was asked for"
            session.log(now, "Normal", "TrialRetried", reason, trial)

    def _start(self, session: Session, numbers: list[int]) -> bool:
        """Give committed trials to the runner. Returns whether any was new to it. One that cannot be started for now
        is tried again at the next look, and the experiment says why it waits."""
        any_new = False
        for number in numbers:
            trial = session.history.trials[number]
            if (number, trial.attempt) in session.launched:
                continue
            any_new = True
            try:
                session.parts.runner.start(self._attempt(session, trial))
                session.launched.add((number, trial.attempt))
            except (RunnerError, SpecError) as error:
                failed = replace(trial, state=TrialState.FAILED, failure=FailureClass.USER_ERROR, reason=str(error))
                session.put(replace(failed, finished=self._clock()))
                session.log(self._clock(), "Warning", "TrialFailed", str(error), trial)
            except RetryableError as error:
                session.sought.add((number, trial.attempt))
                session.wait_for(str(error))
                return False
        if any_new and not session.patience.retries:
            session.wait_for("")
        return any_new

    def _attempt(self, session: Session, trial: Trial) -> Attempt:
        spec, parent = session.experiment.spec, None
        if trial.parent is not None and trial.parent in session.history.trials:
            parent = attempt_id(session.key, session.history.trials[trial.parent])
        return Attempt(
            id=attempt_id(session.key, trial),
            number=trial.number,
            parameters=trial.parameters,
            run=session.parts.render(trial),
            primary_container=spec.template.primary_container,
            parent=parent,
            labels={**spec.labels, **trial.labels},
            collector=spec.collector,
            metrics=spec.objective.metrics,
            retain=spec.template.retain,
            checkpoint_path=spec.checkpoint_path,
            seed=trial_seed(spec.seed, trial.number),
        )

    def _stop_marked(self, session: Session) -> None:
        """Carry out stops that are committed, also those that an earlier owner decided."""
        for id, trial in session.running_attempts().items():
            if trial.stop is not None and (trial.number, trial.attempt) not in session.stopping:
                session.parts.runner.stop(id, grace=STOP_GRACE_SECONDS)
                session.stopping.add((trial.number, trial.attempt))

    def _release(self, session: Session) -> None:
        for id in session.releases:
            session.parts.runner.release(id)
        session.releases.clear()

    def _finish(self, session: Session, step: Plan, now: float) -> None:
        """Record the end, or that the experiment rests, and let go of it."""
        desired = session.experiment.desired
        if desired is Desired.DELETE:
            self._delete(session)
            return
        session.summarize()
        drafted = session.status.verdict is not None or session.status.stopped  # and the store did not answer
        if step.verdict is not None and not drafted:
            message = describe_end(step.verdict, session.experiment, session.tally)
            kind = "Normal" if step.verdict.succeeded else "Warning"
            session.log(now, kind, step.verdict.value, message)
            ended = pause(session.status, now)
            session.status = replace(ended, verdict=step.verdict, finished=now, message=message, waiting="")
        elif desired is Desired.STOP and not drafted:
            session.log(now, "Normal", "ExperimentStopped", "stopped on request; it can be resumed")
            session.status = replace(pause(session.status, now), stopped=True, waiting="")
        session.commit(self._store)
        self._release(session)
        self._leave(session)

    def _delete(self, session: Session) -> None:
        """The wish is the record of the decision, so what must be repeatable comes first: a crash leaves no files."""
        for trial in session.history.trials.values():
            for attempt in range(1, trial.attempt + 1):
                session.parts.runner.release(AttemptId(session.key, trial.name, attempt), everything=True)
        self._store.commit(Changes(session.key, delete=True), fence=session.lease.fence)
        del self._sessions[session.key]  # its lease has ended with it
