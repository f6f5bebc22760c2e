"""One attempt as this process follows it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from pathlib import Path

from katib.core.trial import AttemptId
from trial_runners.attempt_folder import AttemptFolder
from trial_runners.kubernetes import pod_states as pods
from trial_runners.kubernetes.api import Api
from trial_runners.kubernetes.cluster import Cluster
from trial_runners.kubernetes.log_follower import LogFollower, Run, runs_of
from trial_runners.kubernetes.mirror import Mark
from trial_runners.kubernetes.names import identity
from trial_runners.kubernetes.phases import Outcome, Rules, Sight
from trial_runners.kubernetes.records import read_end, read_job


class Tracked:
    """Its folder, what is on record there, and who reads its output. made: its job is on record. ended: how, None as
    long as that is not on record. note: why its job makes no pod."""

    def __init__(self, id: AttemptId, root: Path) -> None:
        """Raises RunnerError for a name that cannot name a folder."""
        labels = identity(id)
        self.id = id
        self.mark = Mark(*list(labels.values())[1:])
        self.folder = AttemptFolder.of(root, id)
        self.made = read_job(self.folder)
        self.ending = self.folder.ending()
        self.end = read_end(self.folder)
        self.follower: LogFollower | None = None
        self.note = ""
        self.note_due = 0.0
        self._troubled_since: float | None = None
        self._lock = threading.Lock()

    def sight(self, cluster: Cluster) -> Sight:
        """What is known of it now."""
        since = self._troubled_since
        troubled = time.monotonic() - since if since is not None else 0.0
        job, objects = cluster.job(self.mark), cluster.pods_of(self.mark)
        return Sight(job, bool(self.made), objects, self.ending, time.time(), troubled, self.note)

    def watch_trouble(self, outcome: Outcome) -> None:
        """Take the time since when its pod cannot start."""
        if not outcome.troubled:
            self._troubled_since = None
        elif self._troubled_since is None:
            self._troubled_since = time.monotonic()

    def follow(self, api: Api, cluster: Cluster, rules: Rules, news: Callable[[bool], None]) -> LogFollower | None:
        """Who reads its output, from the moment there is any; None before."""
        with self._lock:
            if self.follower is not None:
                self.follower.look()
            elif self.end is None and self.runs(cluster, rules):
                self.folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
                namespace, log = self.id.key.namespace, self.folder.log
                runs = lambda: self.runs(cluster, rules)  # noqa: E731
                self.follower = LogFollower(api, namespace, rules.container, log, runs, news)
            return self.follower

    def runs(self, cluster: Cluster, rules: Rules) -> list[Run]:
        """The runs of its container so far."""
        objects = cluster.pods_of(self.mark)
        return runs_of(rules.primary([*objects.present, *objects.gone]), objects.gone, rules.container)

    def enforce(self, cluster: Cluster) -> None:
        """Carry out what is due of the request to end it: the job first, lest it makes another pod, then its pods, each
        with what is left of the grace. Raises UnavailableError, RunnerError."""
        if self.ending is None:
            return
        job = cluster.job(self.mark)
        if job is not None and not job["metadata"].get("deletionTimestamp"):
            cluster.release_pods(job, self._left())
        for pod in cluster.pods_of(self.mark).present:
            granted, left = pod["metadata"].get("deletionGracePeriodSeconds", math.inf), self._left()
            if not pods.over(pod, 0.0) and granted > left:
                cluster.delete_pod(pod, left)

    def _left(self) -> int:
        """Seconds of grace; with 0 the pod's name would be free before its end, so it is 1 at least."""
        ending = self.ending
        return max(1, math.ceil(ending.asked + ending.grace - time.time())) if ending is not None else 1
