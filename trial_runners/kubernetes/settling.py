"""Deletes the jobs of attempts whose end is on record in the store, and not before."""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterator
from functools import partial
from pathlib import Path

from katib.core.errors import RetryableError
from katib.core.trial import AttemptId, Key
from trial_runners.attempt_folder import AttemptFolder
from trial_runners.kubernetes.cluster import Cluster
from trial_runners.kubernetes.mirror import Mark, mark_of
from trial_runners.kubernetes.records import read_job
from trial_runners.kubernetes.workers import Workers

# Seconds between two looks at an attempt that is not settled; they double.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0


class Settling:
    """Attempts whose end was told. For one thread, the one that may ask the store."""

    def __init__(self, settled: Callable[[AttemptId], bool], cluster: Cluster, workers: Workers) -> None:
        """settled: whether the end of an attempt is on record."""
        self._settled, self._cluster, self._workers = settled, cluster, workers
        self._told: dict[AttemptId, tuple[float, float]] = {}
        self._saw_leftovers = False

    def tell(self, id: AttemptId) -> None:
        """The end of an attempt was told."""
        self._told.setdefault(id, (0.0, _FIRST_PAUSE))

    def drop(self, id: AttemptId) -> None:
        """Look after it no more."""
        self._told.pop(id, None)

    def settled(self, *, at_last: bool = False) -> Iterator[AttemptId]:
        """Those that are settled now; each is given once. at_last: look at all of them, due or not."""
        now = time.monotonic()
        for id, (due, pause) in list(self._told.items()):
            if now < due and not at_last:
                continue
            if self._is_settled(id):
                del self._told[id]
                yield id
            else:
                self._told[id] = (now + pause, min(2 * pause, _LONGEST_PAUSE))

    def collect_leftovers(self, root: Path, key: Key, followed: Container[Mark]) -> None:
        """Once: delete the jobs of settled attempts that a former process of this place left. What is not on record
        here may be another's experiment of the same name, and is not touched. followed: attempts that are none."""
        if self._saw_leftovers or not self._cluster.known:
            return
        self._saw_leftovers = True
        for job in self._cluster.jobs.all():
            mark = mark_of(job)
            if mark is None or mark in followed or not mark.attempt.isdigit():
                continue
            id = AttemptId(key, mark.trial, int(mark.attempt))
            if read_job(AttemptFolder.of(root, id)) == job["metadata"]["uid"] and self._is_settled(id):
                self._workers.submit(("delete", id), partial(self._cluster.delete_job, job))

    def _is_settled(self, id: AttemptId) -> bool:
        try:
            return self._settled(id)
        except RetryableError:
            return False
