"""What happened to experiments and trials since the server began, counted by namespace out of the mirror's changes."""

from __future__ import annotations

from collections import Counter

from katib.core.trial import Key, TrialState
from katib.server.mirror import Change, ChangeType, Mirror, Snapshot

_ENDS = {
    TrialState.SUCCEEDED: "succeeded",
    TrialState.FAILED: "failed",
    TrialState.METRICS_UNAVAILABLE: "metrics_unavailable",
}

#: What is counted of each kind.
COUNTED = {
    "experiment": ("created", "deleted", "succeeded", "failed"),
    "trial": ("created", "deleted", *_ENDS.values()),
}


class Tally:
    """Counts from the moment it is made. An end counts each time it comes: what runs again may end again."""

    def __init__(self, mirror: Mirror) -> None:
        """mirror: one that has read everything."""
        self.counts: Counter[tuple[str, str, str]] = Counter()  # (kind, what happened, namespace)
        self._mirror = mirror
        self._seen: dict[Key, Snapshot] = {snapshot.key: snapshot for snapshot in mirror.snapshots()}
        self._revision = mirror.revision
        self.close = mirror.listen(self._look)

    def _look(self) -> None:
        """One batch of changes, in the mirror's thread: it has no newer ones meanwhile."""
        changes = self._mirror.since(self._revision) or ()
        self._revision = self._mirror.revision
        keys: set[Key] = set()
        for change in changes:
            if isinstance(change, Change):
                self._count(change)
                keys.add(change.key)
        for key in keys:
            snapshot = self._mirror.snapshot(key)
            if snapshot is None:
                self._seen.pop(key, None)
            else:
                self._seen[key] = snapshot

    def _count(self, change: Change) -> None:
        kind, namespace = "trial" if change.trial else "experiment", change.key.namespace
        if change.type is ChangeType.DELETED:
            self.counts[kind, "deleted", namespace] += 1
            return
        if change.type is ChangeType.ADDED:
            self.counts[kind, "created", namespace] += 1
        now = self._mirror.snapshot(change.key)
        before = self._seen.get(change.key) if change.type is ChangeType.MODIFIED else None
        if now is None:
            return  # gone again in the same moment
        end = _end(now, change.trial)
        if end and end != (_end(before, change.trial) if before else ""):
            self.counts[kind, end, namespace] += 1


def _end(snapshot: Snapshot, trial: str) -> str:
    """How the trial, or the experiment itself, ended; empty for none and for ends that Katib does not count."""
    if trial:
        found = snapshot.trials.get(trial)
        return _ENDS.get(found.state, "") if found else ""
    verdict = snapshot.experiment.status.verdict
    return "" if verdict is None else "succeeded" if verdict.succeeded else "failed"
