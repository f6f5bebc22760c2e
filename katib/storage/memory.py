"""The in-memory twin of the SQL store: same port, same rules, nothing on disk. For tests, notebooks, single runs."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile

from katib.core.changes import Changes, Committed, Event, Recorded, Stamped, Touched, count_seqs, stamp
from katib.core.errors import AlreadyExistsError, ConflictError, NotFoundError
from katib.core.experiment import Experiment
from katib.core.ports import Lease, Page
from katib.core.trial import Key, Trial
from katib.storage.leases import TableLeases
from katib.storage.memory_documents import MemoryDocuments
from katib.storage.memory_observation_log import MemoryObservationLog
from katib.storage.paging import page_of
from katib.storage.rules import Stored, check_commit, created, fenced_off


def open_memory(url: str, *, durable: bool) -> tuple[MemoryStore, TableLeases]:
    """A new, empty store and its leases. Nothing outlives the process, whatever ``durable`` says."""
    store = MemoryStore()
    return store, TableLeases(store.rewrite_lease)


# (namespace, trial name) -> where the trial is
_Names = dict[tuple[str, str], tuple[Key, int]]
# (trial number, attempt, sequence) of a measurement
_Report = tuple[int, int, int]


@dataclass
class _Entry:
    """One experiment. trials: (record, revision) by number, in order of seq, since a rewritten one moves to the end."""

    experiment: Experiment
    trials: dict[int, tuple[Trial, int]] = field(default_factory=dict)
    curve: list[tuple[int, Recorded]] = field(default_factory=list)
    reports: set[_Report] = field(default_factory=set)
    events: list[Event] = field(default_factory=list)


class MemoryStore:
    """The port Store over dictionaries, one lock around each call."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._revision = 0
        self._entries: dict[Key, _Entry] = {}
        self._trial_names: _Names = {}
        self._deleted: dict[Key, int] = {}
        self._leases: dict[Key, Lease] = {}
        self.log = MemoryObservationLog()
        self.documents = MemoryDocuments(self._changed, self._next_revision)

    def get(self, key: Key) -> Experiment:
        """The experiment. Raises NotFoundError."""
        with self._changed:
            return self._entry(key).experiment

    def list(
        self, namespace: str | None = None, selector: Mapping[str, str] | None = None, limit: int = 500, cont: str = ""
    ) -> Page:
        """Experiments in order of (namespace, name); ``selector``: labels that must be equal."""
        with self._changed:
            found = [self._entries[key].experiment for key in sorted(self._entries)]

        def after(key: Key, count: int) -> Sequence[Experiment]:
            return [e for e in found if e.key > key and namespace in (None, e.key.namespace)][:count]

        return page_of(after, selector or {}, limit, cont)

    def trials(self, key: Key, since: int = 0) -> Sequence[Trial]:
        """Trials whose record has a seq greater than ``since``, in order of seq."""
        with self._changed:
            return [trial for trial, _ in self._newest(key, lambda trial, _: trial.seq > since)]

    def numbered(self, key: Key, start: int, limit: int) -> Sequence[Trial]:
        """At most ``limit`` trials with the numbers ``start`` and up, in order of number."""
        with self._changed:
            trials = self._entries[key].trials if key in self._entries else {}
            return [trials[number][0] for number in range(start, start + limit) if number in trials]

    def trial(self, key: Key, name: str) -> Trial:
        """One trial by name. Raises NotFoundError."""
        with self._changed:
            owner, number = self._trial_names.get((key.namespace, name), (None, 0))
            if owner != key:
                raise NotFoundError(f"no trial {name} in experiment {key}")
            return self._entries[key].trials[number][0]

    def curve(self, key: Key, number: int | None = None, since: int = 0) -> Sequence[tuple[int, Recorded]]:
        """(trial number, measurement) of one trial or of all, all attempts, with seq > ``since``, in order of seq."""
        with self._changed:
            curve = self._entries[key].curve if key in self._entries else []
            newer = curve[bisect_right(curve, since, key=lambda item: item[1].seq) :]
            return [item for item in newer if number in (None, item[0])]

    def events(self, key: Key, limit: int = 100) -> Sequence[Event]:
        """The newest events, oldest first."""
        with self._changed:
            events = self._entries[key].events if key in self._entries else []
            return events[max(len(events) - limit, 0) :]

    def changes(self, since: int, timeout: float = 0.0) -> Sequence[Touched]:
        """What commits after revision ``since`` touched, in order; waits up to ``timeout`` seconds for the first."""
        with self._changed:
            self._changed.wait_for(lambda: self._revision > since, timeout)
            lines = [
                Touched(revision, key, deleted=True) for key, revision in self._deleted.items() if revision > since
            ]
            for key, entry in self._entries.items():
                if entry.experiment.revision > since:
                    lines.append(Touched(entry.experiment.revision, key))
                    newest = self._newest(key, lambda _, revision: revision > since)
                    lines.extend(Touched(revision, key, trial.name) for trial, revision in newest)
            return sorted([*lines, *self.documents.touched(since)])

    def commit(self, changes: Changes, expected: int | None = None, fence: int | None = None) -> Committed:
        """Write all of it or nothing. Raises ConflictError, AlreadyExistsError, NotFoundError, FencedError."""
        key = changes.key
        with self._changed:
            entry, lease = self._entries.get(key), self._leases.get(key)
            stored = Stored(entry.experiment.uid, entry.experiment.generation) if entry else None
            check_commit(changes, expected, fence, stored, lease.fence if lease else None)
            first_seq = entry.experiment.seq + 1 if entry else 1
            if changes.delete:
                self._delete(key)
            else:
                self._write(changes, first_seq)
            self._next_revision()
            self._changed.notify_all()
            return Committed(self._revision, first_seq)

    def rewrite_lease(self, key: Key, change: Callable[[Lease | None], Lease]) -> Lease:
        """Put what ``change`` makes of the stored lease in its place."""
        with self._changed:
            self._leases[key] = change(self._leases.get(key))
            return self._leases[key]

    def close(self) -> None:
        """Nothing is held."""

    def _next_revision(self) -> int:
        self._revision += 1
        return self._revision

    def _entry(self, key: Key) -> _Entry:
        try:
            return self._entries[key]
        except KeyError:
            raise NotFoundError(f"no experiment {key}") from None

    def _newest(self, key: Key, wanted: Callable[[Trial, int], bool]) -> Sequence[tuple[Trial, int]]:
        """The trials at the end of the order that are all ``wanted``."""
        entry = self._entries.get(key)
        newest = list(takewhile(lambda item: wanted(*item), reversed(entry.trials.values()))) if entry else []
        return newest[::-1]

    def _delete(self, key: Key) -> None:
        for trial, _ in self._entries.pop(key).trials.values():
            del self._trial_names[key.namespace, trial.name]
        self._deleted[key] = self._revision + 1
        if key in self._leases:
            self._leases[key] = fenced_off(self._leases[key])

    def _write(self, changes: Changes, first_seq: int) -> None:
        key, revision = changes.key, self._revision + 1
        entry = self._entries.get(key) or _Entry(created(changes))
        stamped = list(stamp(changes, first_seq))
        names, reports = self._checked(key, entry, stamped)
        self._entries[key] = entry
        self._trial_names |= names
        entry.reports |= reports
        for item in stamped:
            entry.curve.extend(_recorded(item))
            entry.trials.pop(item.trial.number, None)
            entry.trials[item.trial.number] = item.trial, revision
        entry.events.extend(changes.events)
        entry.experiment = replace(
            _edited(entry.experiment, changes.experiment),
            status=changes.status or entry.experiment.status,
            revision=revision,
            seq=first_seq - 1 + count_seqs(changes),
        )

    def _checked(self, key: Key, entry: _Entry, stamped: Sequence[Stamped]) -> tuple[_Names, set[_Report]]:
        """The names and reports that are new. Raises AlreadyExistsError or ConflictError; nothing is written yet."""
        names: _Names = {}
        numbers: dict[int, str] = {}
        reports: set[_Report] = set()
        for trial in (item.trial for item in stamped):
            name, place = (key.namespace, trial.name), (key, trial.number)
            if names.setdefault(name, self._trial_names.get(name, place)) != place:
                raise AlreadyExistsError(f"trial {trial.name} exists in namespace {key.namespace}")
            known = entry.trials.get(trial.number)
            if numbers.setdefault(trial.number, known[0].name if known else trial.name) != trial.name:
                raise ConflictError(f"experiment {key} has another trial number {trial.number}")
        for item in stamped:
            for number, recorded in _recorded(item):
                report = (number, recorded.attempt, recorded.sequence)
                if report in entry.reports or report in reports:
                    raise ConflictError(f"trial {item.trial.name}: measurement {report[1:]} was recorded before")
                reports.add(report)
        return names, reports


def _recorded(item: Stamped) -> list[tuple[int, Recorded]]:
    trial, measurements, sequence, seq = item
    return [
        (trial.number, Recorded(seq + i, trial.attempt, sequence + i, measurement))
        for i, measurement in enumerate(measurements)
    ]


def _edited(old: Experiment, new: Experiment | None) -> Experiment:
    """The new definition with the old status and counters."""
    return old if new is None else replace(new, status=old.status, generation=old.generation + 1)
