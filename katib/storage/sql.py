"""The store in a SQL database. One commit of the port is one transaction and one revision.

A transaction that writes locks the one row of ``meta`` first, so revisions are in commit order on every database, and
the lease and generation that it reads cannot change before it ends.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence

from katib.core.changes import Changes, Committed, Event, Recorded, Touched, count_seqs, stamp
from katib.core.errors import AlreadyExistsError, CorruptRecordError, NotFoundError
from katib.core.experiment import Experiment
from katib.core.ports import Lease, Page
from katib.core.trial import Key, Trial
from katib.storage import statements as sql
from katib.storage.codec import STATUS
from katib.storage.database import Database, Session
from katib.storage.documents import SqlDocuments, touched_documents
from katib.storage.leases import TableLeases
from katib.storage.observation_log import SqlObservationLog
from katib.storage.paging import page_of
from katib.storage.records import (
    ExperimentRow,
    TrialRow,
    definition_row,
    event_rows,
    measurement_rows,
    read_event,
    read_experiment,
    read_measurement,
    read_trial,
    trial_row,
)
from katib.storage.rules import Stored, check_commit, created, fenced_off
from katib.storage.version import ensure_schema

_POLL = 0.05  # seconds between looks for commits of other processes
_BATCH = 512  # trials at most that are read at a time for the change feed


def open_sql(database: Database) -> tuple[SqlStore, TableLeases]:
    """The store in ``database``, its tables made if there are none."""
    try:
        ensure_schema(database)
    except BaseException:
        database.close()
        raise
    store = SqlStore(database)
    return store, TableLeases(store.rewrite_lease)


class SqlStore:
    """The port Store; to be used by any number of threads and processes at once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.log = SqlObservationLog(database)
        self._committed = threading.Condition()  # wakes readers of the feed in this process
        self.documents = SqlDocuments(database, self._wake)

    def get(self, key: Key) -> Experiment:
        """The experiment. Raises NotFoundError, CorruptRecordError."""
        with self._database.read() as session:
            row = session.first(sql.EXPERIMENT, **key._asdict())
        if row is None:
            raise NotFoundError(f"no experiment {key}")
        return read_experiment(row)

    def list(
        self, namespace: str | None = None, selector: Mapping[str, str] | None = None, limit: int = 500, cont: str = ""
    ) -> Page:
        """Experiments in order of (namespace, name); ``selector``: labels that must be equal."""
        with self._database.read() as session:

            def after(key: Key, count: int) -> Sequence[Experiment]:
                place = {"after_namespace": key.namespace, "after_name": key.name, "limit": count}
                if namespace is None:
                    rows = session.all(sql.EXPERIMENTS, **place)
                else:
                    rows = session.all(sql.EXPERIMENTS_OF, namespace=namespace, **place)
                return [read_experiment(row) for row in rows]

            return page_of(after, selector or {}, limit, cont)

    def trials(self, key: Key, since: int = 0) -> Sequence[Trial]:
        """Trials whose record has a seq greater than ``since``, in order of seq."""
        with self._database.read() as session:
            rows = session.all(sql.TRIALS, since=since, **_of(key))
            if since == 0:
                _check_count(session, key, "trials", len(rows))
        return [read_trial(row) for row in rows]

    def numbered(self, key: Key, start: int, limit: int) -> Sequence[Trial]:
        """At most ``limit`` trials with the numbers ``start`` and up, in order of number."""
        with self._database.read() as session:
            rows = session.all(sql.NUMBERED, start=start, limit=limit, **_of(key))
        return [read_trial(row) for row in rows]

    def trial(self, key: Key, name: str) -> Trial:
        """One trial by name. Raises NotFoundError."""
        with self._database.read() as session:
            row = session.first(sql.TRIAL, name=name, **_of(key))
        if row is None:
            raise NotFoundError(f"no trial {name} in experiment {key}")
        return read_trial(row)

    def curve(self, key: Key, number: int | None = None, since: int = 0) -> Sequence[tuple[int, Recorded]]:
        """(trial number, measurement) of one trial or of all, all attempts, with seq > ``since``, in order of seq."""
        with self._database.read() as session:
            if number is None:
                rows = session.all(sql.CURVES, since=since, **_of(key))
                if since == 0:
                    _check_count(session, key, "measurements", len(rows))
            else:
                rows = session.all(sql.CURVE, since=since, number=number, **_of(key))
        return sorted((read_measurement(key, row) for row in rows), key=lambda item: item[1].seq)

    def events(self, key: Key, limit: int = 100) -> Sequence[Event]:
        """The newest events, oldest first."""
        with self._database.read() as session:
            rows = session.all(sql.EVENTS, limit=limit, **_of(key))
            if len(rows) < limit:
                _check_count(session, key, "events", len(rows))
        return [read_event(key, row) for row in reversed(rows)]

    def changes(self, since: int, timeout: float = 0.0) -> Sequence[Touched]:
        """What commits after revision ``since`` touched, in order; waits up to ``timeout`` seconds for the first.

        Each thing appears once, at the last commit that touched it, so the feed needs no log of its own and any
        ``since`` can be asked for. A commit touches its experiment and the trials in it.
        """
        deadline = time.monotonic() + timeout
        while True:
            with self._database.read() as session:
                touched = _touched(session, since)
            remaining = deadline - time.monotonic()
            if touched or remaining <= 0:
                return touched
            with self._committed:
                self._committed.wait(min(_POLL, remaining))

    def commit(self, changes: Changes, expected: int | None = None, fence: int | None = None) -> Committed:
        """Write all of it or nothing. Raises ConflictError, AlreadyExistsError, NotFoundError, FencedError."""
        with self._database.write() as session:
            committed = _commit(session, changes, expected, fence)
        self._wake()
        return committed

    def rewrite_lease(self, key: Key, change: Callable[[Lease | None], Lease]) -> Lease:
        """Put what ``change`` makes of the stored lease in its place, in one transaction."""
        with self._database.write(bump=False) as session:
            lease = change(_lease(session, key))
            _set_lease(session, lease)
        return lease

    def close(self) -> None:
        """Give connections back."""
        self._database.close()

    def _wake(self) -> None:
        with self._committed:
            self._committed.notify_all()


def _of(key: Key) -> dict[str, str]:
    return {"namespace": key.namespace, "experiment_name": key.name}


def _check_count(session: Session, key: Key, table: str, found: int) -> None:
    """Raise CorruptRecordError unless all the experiment's rows of ``table`` were ``found``."""
    columns = session.first(sql.EXPERIMENT_ROW, **key._asdict())
    written = 0 if columns is None else getattr(ExperimentRow(*columns).checked(), table)
    if written != found:
        raise CorruptRecordError(f"experiment {key}: {written} {table} were written, {found} are there")


def _commit(session: Session, changes: Changes, expected: int | None, fence: int | None) -> Committed:
    head = session.first(sql.HEAD, **changes.key._asdict())
    if head is None:
        raise CorruptRecordError("database: the row that counts revisions is missing")
    revision, current_fence, *columns = head
    row = None if columns[0] is None else ExperimentRow(*columns).checked()
    check_commit(changes, expected, fence, row and Stored(row.uid, row.generation), current_fence)
    first_seq = row.seq + 1 if row else 1
    if row is None:
        row = _new_row(changes, revision)
    if changes.delete:
        _delete(session, row, revision)
    else:
        _write(session, changes, row._replace(revision=revision))
    return Committed(revision, first_seq)


def _new_row(changes: Changes, revision: int) -> ExperimentRow:
    """The row of an experiment just before its first commit; generation 0 tells that it is not in the table."""
    new = created(changes)
    status = STATUS.dumps(new.status)
    return ExperimentRow(revision, *changes.key, new.uid, new.generation, new.seq, new.revision, status=status)


def _write(session: Session, changes: Changes, row: ExperimentRow) -> None:
    new = row.generation == 0
    stamped = list(stamp(changes, row.seq + 1))
    trials = sum(_write_trial(session, row, item.trial) for item in stamped)
    measurements = [report for item in stamped for report in measurement_rows(row.id, item)]
    if measurements:
        session.run_many(sql.ADD_MEASUREMENT, measurements)
    if changes.events:
        session.run_many(sql.ADD_EVENT, list(event_rows(row.id, changes, row.revision)))
    if changes.experiment is not None:
        session.run(sql.ADD_DEFINITION if new else sql.SET_DEFINITION, **definition_row(row.id, changes.experiment))
    changed = row._replace(
        generation=row.generation + (changes.experiment is not None),
        seq=row.seq + count_seqs(changes),
        trials=row.trials + trials,
        measurements=row.measurements + len(measurements),
        events=row.events + len(changes.events),
        status=row.status if changes.status is None else STATUS.dumps(changes.status),
    )
    session.run(sql.ADD_EXPERIMENT if new else sql.SET_EXPERIMENT, **changed.signed()._asdict())


def _write_trial(session: Session, experiment: ExperimentRow, trial: Trial) -> bool:
    """Whether it is new. Raises AlreadyExistsError if another trial has its name."""
    row = trial_row(experiment.id, experiment.namespace, trial, experiment.revision)._asdict()
    # Numbers are given out in order: one below the count is there by now, so that no name need be looked up.
    known = trial.number < experiment.trials or session.first(sql.TRIAL_NAME, **row) is not None
    if known and session.run(sql.SET_TRIAL, **row) > 0:
        return False
    if known and session.first(sql.TRIAL_NAME, **row) is not None:
        raise AlreadyExistsError(f"trial {trial.name} exists in namespace {experiment.namespace}")
    session.run(sql.ADD_TRIAL, **row)
    return True


def _delete(session: Session, row: ExperimentRow, revision: int) -> None:
    for statement in sql.DELETE_ALL:
        session.run(statement, id=row.id)
    tombstone = {"namespace": row.namespace, "name": row.name, "revision": revision}
    if session.run(sql.SET_TOMBSTONE, **tombstone) == 0:
        session.run(sql.ADD_TOMBSTONE, **tombstone)
    lease = _lease(session, row.key)
    if lease is not None:
        _set_lease(session, fenced_off(lease))


def _lease(session: Session, key: Key) -> Lease | None:
    row = session.first(sql.LEASE, **key._asdict())
    return None if row is None else Lease(key, *row)


def _set_lease(session: Session, lease: Lease) -> None:
    columns = {**lease.key._asdict(), "holder": lease.holder, "fence": lease.fence, "expires": lease.expires}
    if session.run(sql.SET_LEASE, **columns) == 0:
        session.run(sql.ADD_LEASE, **columns)


def _touched(session: Session, since: int) -> list[Touched]:
    revision = session.first(sql.REVISION)
    if revision is None or revision[0] <= since:
        return []
    lines = [Touched(row[2], Key(row[0], row[1]), deleted=True) for row in session.all(sql.DELETED, since=since)]
    lines += touched_documents(session, since)
    for columns in session.all(sql.TOUCHED_EXPERIMENTS, since=since):
        experiment = ExperimentRow(*columns).checked()
        lines.append(Touched(experiment.revision, experiment.key))
        lines.extend(_touched_trials(session, experiment, since))
    return sorted(lines)


def _touched_trials(session: Session, experiment: ExperimentRow, since: int) -> list[Touched]:
    """Walks back from the last seq, so the cost is that of the answer."""
    lines: list[Touched] = []
    before, limit = experiment.seq + 1, 8
    while True:
        rows = session.all(sql.TOUCHED_TRIALS, id=experiment.id, before=before, limit=limit)
        trials = [TrialRow(*columns).checked() for columns in rows]
        lines += [Touched(trial.revision, experiment.key, trial.name) for trial in trials if trial.revision > since]
        if len(trials) < limit or trials[-1].revision <= since:
            return lines
        before, limit = trials[-1].seq, min(2 * limit, _BATCH)
