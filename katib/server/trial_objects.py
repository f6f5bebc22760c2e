"""Kinds that have one object for each trial: the trial itself, and what Kubernetes has beside it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from functools import partial

from katib.core.experiment import Experiment
from katib.core.trial import Key, Trial
from katib.server.kinds import Kind
from katib.server.mirror import AnyChange, Change, ChangeType, Mirror, Snapshot
from katib.server.objects import Cache, Event, Object, Tree


class OfTrials(ABC):
    """The objects of one kind, in the namespaces of their trials."""

    kind: Kind

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self._cache = Cache()

    def get(self, namespace: str, name: str) -> Object | None:
        """The object, None if there is none."""
        found = self.trial(namespace, name)
        return None if found is None else self._of(*found)

    def list(self, namespace: str | None) -> list[Object]:
        """The objects of a namespace, of all for None."""
        snapshots = [each for each in self._mirror.snapshots(namespace) if self._has(each.experiment)]
        objects = [self._of(snapshot, trial) for snapshot in snapshots for trial in snapshot.trials.values()]
        return sorted(objects, key=lambda each: (each.namespace, each.name))

    def events(self, changes: Iterable[AnyChange]) -> Iterator[Event]:
        """What became of them."""
        for change in changes:
            if not isinstance(change, Change):
                continue
            snapshot = change.last or self._mirror.snapshot(change.key)
            if snapshot is None or change.trial not in snapshot.trials or not self._has(snapshot.experiment):
                continue
            trial = snapshot.trials[change.trial]
            if change.type is ChangeType.DELETED:
                self._cache.drop((snapshot.key.namespace, trial.name))
                yield Event(change.type, Object(self._tree(snapshot, trial), change.revision))
            else:
                yield Event(change.type, self._of(snapshot, trial))

    def trial(self, namespace: str, name: str) -> tuple[Snapshot, Trial] | None:
        """The trial that the object ``name`` belongs to, and its experiment; None if there is no such object."""
        found = find_trial(self._mirror, namespace, name)
        return found if found is not None and self._has(found[0].experiment) else None

    def _has(self, experiment: Experiment) -> bool:
        """Whether trials of this experiment have such objects."""
        return True

    @abstractmethod
    def _tree(self, snapshot: Snapshot, trial: Trial) -> Tree:
        """The object of a trial."""

    def _of(self, snapshot: Snapshot, trial: Trial) -> Object:
        key, revision = (snapshot.key.namespace, trial.name), snapshot.revisions[trial.name]
        return self._cache.get(key, revision, partial(self._tree, snapshot, trial))


def find_trial(mirror: Mirror, namespace: str, name: str) -> tuple[Snapshot, Trial] | None:
    """The trial and its experiment, by the trial's name, which begins with the experiment's."""
    snapshot = mirror.snapshot(Key(namespace, name.rpartition("-")[0]))
    trial = snapshot.trials.get(name) if snapshot else None
    return None if snapshot is None or trial is None else (snapshot, trial)
