"""What the store holds, in memory, and what changed of it lately: every read and every watch is answered from here.

One thread follows the store's feed. Readers see whole batches: a snapshot of an experiment is never changed, another
one takes its place. A writer waits until the mirror has come to the revision of his commit, so whoever writes reads
what he wrote, and what one client did in turn is seen in turn by every watch.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import chain, groupby, islice, takewhile
from typing import NamedTuple

from katib.core.changes import Touched
from katib.core.documents import Document, DocumentKey
from katib.core.errors import CorruptRecordError, NotFoundError, RetryableError, UnavailableError
from katib.core.experiment import Experiment
from katib.core.store_ports import LoggedStore
from katib.core.trial import Key, Trial, evolve

log = logging.getLogger(__name__)

KEPT = 50_000  # changes, for watches that go on from an older revision
FEED_SECONDS = 0.25
WRITER_SECONDS = 10.0


class ChangeType(StrEnum):
    """What happened to an object."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An experiment with its trials by name, in order of number. revisions: of the commit that touched each trial last,
    as far as the mirror knows. revision: of the experiment's own last change. seq: the greatest one of the trials."""

    experiment: Experiment
    trials: Mapping[str, Trial]
    revisions: Mapping[str, int]
    revision: int
    seq: int

    @property
    def key(self) -> Key:
        """The experiment's key."""
        return self.experiment.key


class Change(NamedTuple):
    """One thing that happened to an experiment or a trial. trial: name, empty for the experiment itself. last: how it
    was, if it is gone now."""

    revision: int
    type: ChangeType
    key: Key
    trial: str = ""
    last: Snapshot | None = None


class DocumentChange(NamedTuple):
    """One thing that happened to a document. document: as it is now, or as it was last."""

    revision: int
    type: ChangeType
    document: Document


AnyChange = Change | DocumentChange


class Mirror:
    """Follows a store from ``start`` to ``close``."""

    def __init__(self, store: LoggedStore) -> None:
        self._store = store
        self._snapshots: dict[Key, Snapshot] = {}
        self._documents: dict[DocumentKey, Document] = {}
        self._revision = 0
        self._changes: deque[AnyChange] = deque(maxlen=KEPT)
        self._oldest = 0  # changes after this revision are all kept
        self._moved = threading.Condition()
        self._listeners: list[Callable[[], None]] = []
        self._closing = False
        self._thread = threading.Thread(target=self._follow, name="mirror", daemon=True)

    def start(self) -> None:
        """Read everything, then follow. Raises UnavailableError."""
        self._take(self._store.changes(0))
        self._changes.clear()
        self._oldest = self._revision
        self._thread.start()

    def close(self) -> None:
        """Stop following."""
        self._closing = True
        self._thread.join()

    @property
    def revision(self) -> int:
        """Of the newest commit that is in here."""
        return self._revision

    def snapshot(self, key: Key) -> Snapshot | None:
        """The experiment, None if there is none."""
        return self._snapshots.get(key)

    def snapshots(self, namespace: str | None = None) -> list[Snapshot]:
        """All experiments, of one namespace or of any, in order of their keys."""
        found = list(self._snapshots.values())
        return sorted((s for s in found if namespace in (None, s.key.namespace)), key=lambda s: s.key)

    def document(self, key: DocumentKey) -> Document | None:
        """The document, None if there is none."""
        return self._documents.get(key)

    def documents(self, kind: str, namespace: str | None = None) -> list[Document]:
        """All documents of a kind, of one namespace or of any, in order of their keys."""
        found = [each for each in list(self._documents.values()) if each.key.kind == kind]
        return sorted((d for d in found if namespace in (None, d.key.namespace)), key=lambda d: d.key)

    def since(self, revision: int) -> list[AnyChange] | None:
        """What happened after ``revision``, in order; None if that is too long ago to be known."""
        with self._moved:
            if revision < self._oldest:
                return None
            newest_first = takewhile(lambda change: change.revision > revision, reversed(self._changes))
            return list(newest_first)[::-1]

    def await_revision(self, revision: int) -> None:
        """Return once what the commit ``revision`` wrote is in here. Raises UnavailableError after ten seconds."""
        with self._moved:
            if not self._moved.wait_for(lambda: self._revision >= revision, WRITER_SECONDS):
                raise UnavailableError("the store took the change, but does not show it yet; look again")

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call ``listener``, in the mirror's thread, after every batch of changes; returns what ends that."""
        with self._moved:
            self._listeners.append(listener)

        def end() -> None:
            with self._moved:
                self._listeners.remove(listener)

        return end

    def _follow(self) -> None:
        while not self._closing:
            try:
                self._take(self._store.changes(self._revision, FEED_SECONDS))
            except RetryableError as error:
                log.warning("the store does not answer: %s", error)
                time.sleep(FEED_SECONDS)
            except Exception:
                log.exception("following the store")
                time.sleep(FEED_SECONDS)

    def _take(self, touched: Sequence[Touched]) -> None:
        if not touched:
            return
        revision = touched[-1].revision
        changes: list[AnyChange] = [change for line in touched if line.document for change in self._document(line)]
        of_experiments = sorted((each for each in touched if not each.document), key=lambda each: each.key)
        for key, lines in groupby(of_experiments, key=lambda each: each.key):
            changes += self._update(key, list(lines))
        changes.sort(key=lambda change: change.revision)
        with self._moved:
            overflow = len(self._changes) + len(changes) - KEPT
            if overflow > 0:
                dropped = next(islice(chain(self._changes, changes), overflow - 1, None))
                self._oldest = max(self._oldest, dropped.revision)
            self._changes.extend(changes)
            self._revision = revision
            self._moved.notify_all()
            listeners = list(self._listeners)
        for listener in listeners:
            listener()

    def _update(self, key: Key, lines: Sequence[Touched]) -> list[Change]:
        """Put the experiment's newest snapshot in its place; what that changed."""
        old, revision = self._snapshots.get(key), max(line.revision for line in lines)
        found = self._read(key, old)
        changes: list[Change] = []
        if old is not None and (found is None or found[0].uid != old.experiment.uid):
            gone = max((line.revision for line in lines if line.deleted), default=revision)
            changes += [Change(gone, ChangeType.DELETED, key, name, old) for name in old.trials]
            changes.append(Change(gone, ChangeType.DELETED, key, "", old))
            del self._snapshots[key]
            old = None
        if found is None:
            return changes
        experiment, fresh = found
        told = {line.trial: line.revision for line in lines if line.trial}
        for trial in fresh:
            known = old.trials.get(trial.name) if old else None
            if known is None or _visible(known) != _visible(trial):
                type = ChangeType.ADDED if known is None else ChangeType.MODIFIED
                changes.append(Change(told.get(trial.name, revision), type, key, trial.name))
        if old is None or _own(old.experiment) != _own(experiment):
            changes.append(Change(revision, ChangeType.MODIFIED if old else ChangeType.ADDED, key))
        elif not changes:
            revision = old.revision
        self._snapshots[key] = _snapshot(experiment, fresh, old, changes, revision)
        return changes

    def _document(self, line: Touched) -> Iterator[DocumentChange]:
        """Put the newest state of a document in its place; what that changed."""
        key = DocumentKey(line.document, *line.key)
        old = self._documents.get(key)
        try:
            new = None if line.deleted else self._store.documents.get(key)
        except NotFoundError:
            new = None
        except CorruptRecordError as error:
            log.error("%s cannot be read: %s", key, error)
            new = None
        if old is not None and (new is None or new.uid != old.uid):
            del self._documents[key]
            yield DocumentChange(line.revision, ChangeType.DELETED, old)
            old = None
        if new is not None and new != old:
            self._documents[key] = new
            yield DocumentChange(new.revision, ChangeType.MODIFIED if old else ChangeType.ADDED, new)

    def _read(self, key: Key, old: Snapshot | None) -> tuple[Experiment, Sequence[Trial]] | None:
        """The experiment as the store has it now, which may be newer than the feed, and the trials that are new."""
        try:
            experiment = self._store.get(key)
            since = old.seq if old is not None and old.experiment.uid == experiment.uid else 0
            return experiment, sorted(self._store.trials(key, since), key=lambda trial: trial.number)
        except NotFoundError:
            return None
        except CorruptRecordError as error:
            log.error("experiment %s cannot be read: %s", key, error)
            return None


def _snapshot(
    experiment: Experiment, fresh: Sequence[Trial], old: Snapshot | None, changes: Sequence[Change], revision: int
) -> Snapshot:
    trials = {**(old.trials if old else {}), **{trial.name: trial for trial in fresh}}
    revisions = {**(old.revisions if old else {}), **{c.trial: c.revision for c in changes if c.trial and not c.last}}
    seq = max((trial.seq for trial in fresh), default=old.seq if old else 0)
    return Snapshot(experiment, trials, revisions, revision, seq)


def _own(experiment: Experiment) -> Experiment:
    """Without what every report of a trial moves."""
    return replace(experiment, revision=0, seq=0)


def _visible(trial: Trial) -> Trial:
    """Without what no resource shows."""
    return evolve(trial, seq=0, cursors={}, measured=0, reported=None, seen=())
