"""One attempt as this process follows it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from katib.core.trial import AttemptId
from trial_runners.attempt_folder import AttemptFolder
from trial_runners.kubernetes import pod_states as pods
from trial_runners.kubernetes.api import Api, Tree
from trial_runners.kubernetes.cluster import Cluster
from trial_runners.kubernetes.listeners import Listeners, fetch_from
from trial_runners.kubernetes.log_follower import LogFollower, Run, runs_of
from trial_runners.kubernetes.mirror import Mark
from trial_runners.kubernetes.names import identity
from trial_runners.kubernetes.phases import Outcome, Rules, Sight
from trial_runners.kubernetes.records import read_collection, read_end, read_job
from trial_runners.kubernetes.scraper import PodScraper
from trial_runners.kubernetes.sources import Collection

# Seconds within which what the cluster says of a job's pods follows what it says of the job.
_NEWS = 5.0


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
        self.collect(read_collection(self.folder))
        self.ending = self.folder.ending()
        self.end = read_end(self.folder)
        self.follower: Listeners | None = None
        self.note = ""
        self.note_due = 0.0
        self._troubled_since: float | None = None
        self._ended_since = 0.0
        self._lock = threading.Lock()

    def collect(self, collection: Collection) -> None:
        """How its metrics are collected."""
        self.collection, self.source = collection, collection.source(self.folder)

    def sight(self, cluster: Cluster) -> Sight:
        """What is known of it now."""
        since = self._troubled_since
        troubled = time.monotonic() - since if since is not None else 0.0
        job, objects, beside = cluster.job(self.mark), cluster.pods_of(self.mark), self.collection.beside
        return Sight(job, bool(self.made), objects, self.ending, time.time(), troubled, self.note, beside)

    def watch_trouble(self, outcome: Outcome) -> None:
        """Take the time since when its pod cannot start."""
        if not outcome.troubled:
            self._troubled_since = None
        elif self._troubled_since is None:
            self._troubled_since = time.monotonic()

    def is_behind(self, sight: Sight, rules: Rules) -> bool:
        """Whether less is known of its pods than of its job: they are watched apart, so the end of the job may be known
        before there is any sign of its pod, and with that of its output. For some seconds at most: of some kinds of
        jobs no pod is ever seen."""
        own = rules.primary([*sight.pods.present, *sight.pods.gone])
        ended = all(pods.phase(pod) in ("Succeeded", "Failed") or pod in sight.pods.gone for pod in own)
        if sight.job is None or sight.ending is not None or (own and ended):
            return False
        self._ended_since = self._ended_since or time.monotonic()
        return time.monotonic() - self._ended_since < _NEWS

    def follow(self, api: Api, cluster: Cluster, rules: Rules, news: Callable[[bool], None]) -> Listeners | None:
        """Who reads what it says, from the moment there is anything; None before."""
        with self._lock:
            if self.follower is not None:
                self.follower.look()
            elif self.end is None and self.runs(cluster, rules, rules.container):
                self.folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
                self.follower = self._listen(api, cluster, rules, news)
            return self.follower

    def runs(self, cluster: Cluster, rules: Rules, container: str) -> list[Run]:
        """The runs of a container so far."""
        objects = cluster.pods_of(self.mark)
        own, _ = pods.untaken(rules.primary([*objects.present, *objects.gone]), objects.gone)
        return runs_of(own, objects.gone, container)

    def last_words(self, cluster: Cluster, rules: Rules) -> str:
        """What the container beside the training said in the end."""
        objects = cluster.pods_of(self.mark)
        own = rules.primary([*objects.present, *objects.gone])
        return str(pods.state(own[-1], self.collection.beside)[1].get("message") or "") if own else ""

    def _listen(self, api: Api, cluster: Cluster, rules: Rules, news: Callable[[bool], None]) -> Listeners:
        logs = {rules.container: self.folder.log}
        if self.collection.beside:
            logs[self.collection.beside] = self.folder.collected
        namespace = self.id.key.namespace
        followers = [
            LogFollower(api, namespace, container, log, partial(self.runs, cluster, rules, container), news)
            for container, log in logs.items()
        ]
        scrape = self.collection.scrape
        if not scrape:
            return Listeners(followers, None)
        fetch = fetch_from(api, namespace, scrape, partial(self._running, cluster, rules))
        return Listeners(followers, PodScraper(fetch, self.folder, scrape, news))

    def _running(self, cluster: Cluster, rules: Rules) -> Tree | None:
        """The pod whose container trains now."""
        own = rules.primary(cluster.pods_of(self.mark).present)
        return own[-1] if own and pods.state(own[-1], rules.container)[0] == "running" else None

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
