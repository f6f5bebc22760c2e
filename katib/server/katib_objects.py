"""Katib's three kinds as projections of the mirror: Experiments, Trials and Suggestions."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from katib.core.experiment import Desired, Experiment
from katib.core.trial import Key, Trial
from katib.resources.projection import experiment_resource, suggestion_resource, trial_resource
from katib.resources.status_conditions import rfc3339
from katib.server.kinds import EXPERIMENT, SUGGESTION, TRIAL, Kind
from katib.server.mirror import AnyChange, Change, ChangeType, Mirror, Snapshot
from katib.server.objects import Cache, Event, Object, Tree
from katib.server.trial_objects import OfTrials


class Experiments:
    """The experiments."""

    kind: Kind = EXPERIMENT

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self._cache = Cache()

    def get(self, namespace: str, name: str) -> Object | None:
        """The experiment, None if there is none."""
        snapshot = self._mirror.snapshot(Key(namespace, name))
        return None if snapshot is None else self.of(snapshot)

    def list(self, namespace: str | None) -> list[Object]:
        """The experiments of a namespace, of all for None."""
        return [self.of(snapshot) for snapshot in self._mirror.snapshots(namespace)]

    def events(self, changes: Iterable[AnyChange]) -> Iterator[Event]:
        """What became of experiments."""
        for change in changes:
            if not isinstance(change, Change) or change.trial:
                continue
            snapshot = change.last or self._mirror.snapshot(change.key)
            if snapshot is not None:
                yield Event(change.type, self.of(snapshot, change))

    def of(self, snapshot: Snapshot, change: Change | None = None) -> Object:
        """The object of one experiment; as it was last, at the revision of its end, if ``change`` is that."""
        if change is not None and change.type is ChangeType.DELETED:
            self._cache.drop(snapshot.key)
            return Object(self._tree(snapshot), change.revision)
        return self._cache.get(snapshot.key, snapshot.revision, partial(self._tree, snapshot))

    def _tree(self, snapshot: Snapshot) -> Tree:
        tree = shown(snapshot.experiment, list(snapshot.trials.values()))
        if snapshot.experiment.desired is Desired.DELETE:
            tree["metadata"]["deletionTimestamp"] = rfc3339(time.time())
            tree["metadata"]["deletionGracePeriodSeconds"] = 0
        return tree


class Suggestions(Experiments):
    """The suggestions, one of each experiment."""

    kind = SUGGESTION

    def _tree(self, snapshot: Snapshot) -> Tree:
        return suggestion_resource(snapshot.experiment, list(snapshot.trials.values()))


class Trials(OfTrials):
    """The trials of all experiments."""

    kind: Kind = TRIAL

    def _tree(self, snapshot: Snapshot, trial: Trial) -> Tree:
        return trial_resource(snapshot.experiment, trial)


def shown(experiment: Experiment, trials: Sequence[Trial] | None = None) -> Tree:
    """The resource with who set which field of it."""
    tree = experiment_resource(experiment, trials)
    managed = (experiment.document.get("metadata") or {}).get("managedFields")
    if managed:
        tree["metadata"]["managedFields"] = managed
    return tree
