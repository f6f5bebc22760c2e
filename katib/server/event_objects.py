"""Events: what the store noted of experiments and trials, as kubectl lists and describes it.

The mirror does not follow them. They are read when somebody asks, once for each commit to their experiment. An event
has the revision at which it was read first; a watch tells those that came after it began.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from katib.core.changes import Event as StoredEvent
from katib.core.errors import NotFoundError
from katib.core.ports import Store
from katib.core.trial import Key
from katib.resources.projection import API_VERSION, owned_uid, trial_role
from katib.resources.status_conditions import rfc3339
from katib.server.kinds import EVENT, Kind
from katib.server.mirror import AnyChange, Change, ChangeType, Mirror, Snapshot
from katib.server.objects import Event, Object, Tree

NEWEST = 1000  # events of one experiment that are shown


@dataclass(slots=True)
class _Known:
    """The events of one experiment. revision: of the experiment's commit that they are up to."""

    uid: str
    revision: int = -1
    objects: dict[str, Object] = field(default_factory=dict)


class Events:
    """The events of all experiments and their trials."""

    kind: Kind = EVENT

    def __init__(self, mirror: Mirror, store: Store) -> None:
        self._mirror = mirror
        self._store = store
        self._known: dict[Key, _Known] = {}
        self._lock = threading.Lock()

    def get(self, namespace: str, name: str) -> Object | None:
        """The event, None if there is none."""
        return next((each for each in self.list(namespace) if each.name == name), None)

    def list(self, namespace: str | None) -> list[Object]:
        """The events of a namespace, of all for None."""
        snapshots = self._mirror.snapshots(namespace)
        found = [each for snapshot in snapshots for each in self._of(snapshot).values()]
        return sorted(found, key=lambda each: (each.namespace, each.name))

    def events(self, changes: Iterable[AnyChange]) -> Iterator[Event]:
        """What was noted since these changes began; what goes when an experiment does."""
        oldest: dict[Key, int] = {}
        for change in changes:
            if not isinstance(change, Change):
                continue
            if change.last is None:
                oldest.setdefault(change.key, change.revision)
            elif not change.trial:
                for each in self._forget(change.key, change.last.experiment.uid):
                    yield Event(ChangeType.DELETED, Object(each.tree, change.revision))
        for key, revision in oldest.items():
            snapshot = self._mirror.snapshot(key)
            for each in self._of(snapshot).values() if snapshot else ():
                if each.revision >= revision:
                    yield Event(ChangeType.ADDED, each)

    def _of(self, snapshot: Snapshot) -> dict[str, Object]:
        """The events of one experiment, read again if it was written since. Raises UnavailableError."""
        key, experiment = snapshot.key, snapshot.experiment
        with self._lock:
            known = self._known.get(key)
            if known is not None and known.uid == experiment.uid and known.revision >= experiment.revision:
                return known.objects
            if known is None or known.uid != experiment.uid:
                known = _Known(experiment.uid)
            try:
                stored = self._store.events(key, NEWEST)
            except NotFoundError:
                return {}
            revision = self._mirror.revision
            objects: dict[str, Object] = {}
            for event in stored:
                name = _name(key, event, objects)
                objects[name] = known.objects.get(name) or Object(_tree(snapshot, event, name), revision)
            self._known[key] = _Known(experiment.uid, experiment.revision, objects)
            return objects

    def _forget(self, key: Key, uid: str) -> Iterable[Object]:
        with self._lock:
            known = self._known.get(key)
            if known is None or known.uid != uid:
                return ()
            return self._known.pop(key).objects.values()


def _name(key: Key, event: StoredEvent, taken: Iterable[str]) -> str:
    """As Kubernetes names them, by object and time; one more if that is taken."""
    stamp = int(event.time * 1e6)
    while (name := f"{event.trial or key.name}.{stamp:x}") in taken:
        stamp += 1
    return name


def _tree(snapshot: Snapshot, event: StoredEvent, name: str) -> Tree:
    experiment, trial = snapshot.experiment, snapshot.trials.get(event.trial)
    at, uid = rfc3339(event.time), owned_uid(experiment, trial_role(trial)) if trial else ""
    involved: Tree = {
        "apiVersion": API_VERSION,
        "kind": "Trial" if event.trial else "Experiment",
        "name": event.trial or snapshot.key.name,
        "namespace": snapshot.key.namespace,
        "uid": uid if event.trial else experiment.uid,
    }
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": name,
            "namespace": snapshot.key.namespace,
            "uid": owned_uid(experiment, f"event/{name}"),
            "creationTimestamp": at,
        },
        "involvedObject": involved,
        "reason": event.reason,
        "message": event.message,
        "type": event.type,
        "firstTimestamp": at,
        "lastTimestamp": at,
        "eventTime": None,
        "count": 1,
        "source": {"component": "katib"},
        "reportingComponent": "katib",
        "reportingInstance": "",
    }
