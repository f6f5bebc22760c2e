"""The runner: the port over jobs in a cluster.

Nothing that matters is kept in memory: a job is found again by its labels, its end in the attempt's folder. What the
cluster does is seen in mirrors that threads keep up to date, output is copied by threads, and deletions are left to
threads, so no call of the port waits for the cluster but ``start``. One thread uses a runner at a time.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from katib.core.errors import RunnerError, UnavailableError
from katib.core.experiment import TrialTemplate
from katib.core.ports import Phase, Update
from katib.core.trial import Attempt, AttemptId, Cursor, FailureClass, Key
from trial_runners.kubernetes.api import Api
from trial_runners.kubernetes.cluster import Cluster
from trial_runners.kubernetes.jobs import Function, Jobs
from trial_runners.kubernetes.mirror import Mark
from trial_runners.kubernetes.phases import Outcome, Rules, judge
from trial_runners.kubernetes.records import End, write_end, write_job
from trial_runners.kubernetes.settling import Settling
from trial_runners.kubernetes.tracked import Tracked
from trial_runners.kubernetes.workers import Workers
from trial_runners.output import log_tail
from trial_runners.settings import KubernetesSettings

PATIENCE_VARIABLE = "KATIB_IMAGE_PATIENCE_SECONDS"
_PATIENCE = 300.0

# Seconds that the first look at the cluster may take.
_FIRST_LOOK = 5.0

# Seconds that new output may wait for others.
_PAUSE = 0.15

# Seconds between SIGTERM and SIGKILL for an attempt that is over for another reason than a stop.
_CUT_GRACE = 10.0

# Seconds that a job may take to make its first pod before its events are looked at, and between two looks.
_POD_DELAY, _EVENTS_PAUSE = 1.5, 15.0

# Seconds until a request to end an attempt is carried out.
_SECOND_THOUGHT = 0.02

_FAREWELL = 10.0  # seconds that ``close`` spends on deletions that are due
_THREADS = 4


class KubernetesRunner:
    """Runs the trials of one experiment as jobs."""

    def __init__(
        self,
        root: Path,
        *,
        settings: KubernetesSettings,
        key: Key,
        template: TrialTemplate,
        settled: Callable[[AttemptId], bool],
        function: Function | None = None,
    ) -> None:
        """root: folder of what is kept of attempts here. settled: whether the end of an attempt is on record, so that
        its job may go. function: what trials call, where the template is none of a job.

        Raises RunnerError (no such cluster, no image for a function), SpecError (a condition that cannot be read).
        """
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._root = root.resolve()
        self._jobs = Jobs(template, settings, function)
        self._template = self._jobs.template
        self._key = key
        self._rules = Rules.of(self._template)
        self._patience = float(os.environ.get(PATIENCE_VARIABLE) or _PATIENCE)
        self._api = Api(settings.context)
        self._attempts: dict[AttemptId, Tracked] = {}
        self._by_mark: dict[Mark, Tracked] = {}
        self._workers = Workers(_THREADS)
        self._news = threading.Event()
        self._printed = threading.Event()
        self._cluster = Cluster(self._api, key, self._jobs.kind, self._changed)
        self._settling = Settling(settled, self._cluster, self._workers)
        self._released: set[AttemptId] = set()
        self._closed = False

    @property
    def requests(self) -> Mapping[tuple[str, str], int]:
        """How many requests were sent, by verb and resource."""
        return dict(self._api.counts)

    def start(self, attempt: Attempt) -> None:
        """Make its job, or do nothing if it was made before. Raises RunnerError if it never can be started,
        UnavailableError if the cluster cannot now."""
        if self._closed:
            raise RunnerError("the runner is closed")
        tracked = self._track(attempt.id)
        if tracked.end is not None or tracked.made:
            return
        manifest = self._jobs.manifest(attempt)
        tracked.collect(self._jobs.collection(attempt))
        job = self._cluster.job(tracked.mark)
        if job is not None and attempt.id in self._released:
            raise UnavailableError(f"the former job of {attempt.id.trial} is still being deleted")
        self._released.discard(attempt.id)
        job = job or self._cluster.create(attempt.id, manifest)
        tracked.made = job["metadata"]["uid"]
        write_job(tracked.folder, job["metadata"]["name"], tracked.made, tracked.collection)

    def poll(self, cursors: Mapping[AttemptId, Mapping[str, Cursor]]) -> Iterator[Update]:
        """One Update for each id, made when it is asked for. Raises UnavailableError as long as nothing is known of
        the cluster, RunnerError if it refuses to tell."""
        self._sweep()
        for id, offsets in cursors.items():
            yield self._update(id, offsets)

    def stop(self, id: AttemptId, *, grace: float = 10.0) -> None:
        """Delete its job: SIGTERM to its pods, SIGKILL after ``grace`` seconds, one at least."""
        tracked = self._track(id)
        if tracked.end is not None:
            return
        self._cluster.check(_FIRST_LOOK)
        sight = tracked.sight(self._cluster)
        outcome = judge(sight._replace(ending=None), self._rules, self._patience)
        if outcome.phase.ended and not outcome.cut:
            return
        self._end(tracked, Outcome(Phase.STOPPED, "stopped"), grace)

    def wait(self, timeout: float) -> None:
        """Sleep until something of the cluster changed; new output may wait a moment for more."""
        self._sweep()
        deadline = time.monotonic() + timeout
        while True:
            left = deadline - time.monotonic()
            if self._news.wait(max(0.0, min(left, _PAUSE))) or self._printed.is_set() or left <= _PAUSE:
                break
        self._news.clear()
        self._printed.clear()

    def release(self, id: AttemptId, *, everything: bool = False) -> None:
        """Remove its checkpoint; ``everything``: its job, whatever becomes of it, and its folder."""
        if (removal := self._jobs.removal(id)) is not None:
            self._workers.submit(("checkpoint", id), removal)
        if not everything:
            return
        tracked = self._track(id)
        self._cluster.check(_FIRST_LOOK)
        self._workers.submit(("remove", id), partial(self._cluster.remove, tracked.mark))
        self._forget(tracked)
        self._settling.drop(id)
        self._released.add(id)
        tracked.folder.remove(self._root)

    def close(self) -> None:
        """Delete what is settled, and let go of all others, which run on."""
        if self._closed:
            return
        self._closed = True
        self._sweep(at_last=True)
        self._workers.flush(_FAREWELL)
        self._workers.close()
        for tracked in list(self._attempts.values()):
            self._forget(tracked)
        self._cluster.close()
        self._api.close()

    def _track(self, id: AttemptId) -> Tracked:
        tracked = self._attempts.get(id)
        if tracked is None:
            tracked = self._attempts[id] = Tracked(id, self._root)
            self._by_mark[tracked.mark] = tracked
            self._cluster.keep(tracked.mark)
        return tracked

    def _forget(self, tracked: Tracked) -> None:
        self._attempts.pop(tracked.id, None)
        self._by_mark.pop(tracked.mark, None)
        self._cluster.forget(tracked.mark)
        if tracked.follower is not None:
            tracked.follower.close()
            tracked.follower.join(5.0)

    def _changed(self, mark: Mark) -> None:
        """Called by the mirrors."""
        tracked = self._by_mark.get(mark)
        if tracked is None or tracked.end is not None:
            return
        tracked.follow(self._api, self._cluster, self._rules, self._tell)
        if tracked.ending is not None:
            self._carry_out(tracked)
        self._news.set()

    def _tell(self, urgent: bool) -> None:
        """Called by those who read output."""
        (self._news if urgent else self._printed).set()

    def _update(self, id: AttemptId, offsets: Mapping[str, Cursor]) -> Update:
        if id in self._released:
            return Update(id, Phase.LOST, "all of this attempt was removed", FailureClass.LOST)
        tracked = self._track(id)
        outcome = Outcome(Phase.RUNNING) if tracked.end is not None else self._look(tracked)
        end = tracked.end
        ended = end is not None or outcome.phase.ended
        chunks, more = tracked.source.read(offsets, ended)
        if end is None:
            return Update(id, outcome.phase, outcome.reason, outcome.failure, chunks=chunks, more=more)
        if not more:
            self._settling.tell(id)
        return Update(
            id,
            end.phase,
            end.reason,
            end.failure,
            message=end.message,
            chunks=chunks,
            more=more,
            looked=end.looked,
            problem=end.problem,
        )

    def _look(self, tracked: Tracked) -> Outcome:
        """Where an attempt is. One that has ended counts as running until its output is read; then its end is put on
        record."""
        self._cluster.check(_FIRST_LOOK)
        sight = tracked.sight(self._cluster)
        outcome = judge(sight, self._rules, self._patience)
        tracked.watch_trouble(outcome)
        if outcome.cut:
            self._end(tracked, outcome, _CUT_GRACE)
            return Outcome(Phase.RUNNING, "it is being ended")
        if outcome.phase is Phase.WAITING and not sight.pods.present:
            self._ask_why(tracked)
        if not outcome.phase.ended or (sight.job is None and not sight.made):
            return outcome
        if tracked.is_behind(sight, self._rules):
            return Outcome(Phase.RUNNING, "its job has ended, its pods are about to")
        follower = tracked.follow(self._api, self._cluster, self._rules, self._tell)
        if follower is not None:
            follower.finish()
            if not follower.finished:
                return Outcome(Phase.RUNNING, "the rest of its output is being read")
        self._conclude(tracked, outcome)
        return outcome

    def _conclude(self, tracked: Tracked, outcome: Outcome) -> None:
        message = ""
        if outcome.phase in (Phase.FAILED, Phase.LOST):
            message = log_tail(tracked.folder.log) or outcome.words
        problem = tracked.follower.problem if tracked.follower is not None else ""
        looked, trouble = tracked.collection.looked(tracked.folder, tracked.last_words(self._cluster, self._rules))
        end = End(outcome.phase, outcome.reason, outcome.failure, message, looked, problem or trouble)
        write_end(tracked.folder, end)
        tracked.end, tracked.follower = end, None
        self._cluster.forget(tracked.mark)

    def _end(self, tracked: Tracked, outcome: Outcome, grace: float) -> None:
        """Ask for the end of an attempt; the request outlives this process."""
        tracked.folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        tracked.ending = tracked.folder.end(outcome.phase, outcome.failure, outcome.reason, grace)
        self._carry_out(tracked)

    def _carry_out(self, tracked: Tracked) -> None:
        """Begin, or go on, to delete its job and its pods. Of two requests in a row the second may shorten the grace,
        so it is waited for."""
        self._workers.submit(("end", tracked.id), partial(tracked.enforce, self._cluster), _SECOND_THOUGHT)

    def _ask_why(self, tracked: Tracked) -> None:
        """Find out why a job makes no pod, after a while and not too often."""
        now = time.monotonic()
        if not tracked.note_due:
            tracked.note_due = now + _POD_DELAY
        if now < tracked.note_due:
            return
        tracked.note_due = now + _EVENTS_PAUSE

        def ask() -> None:
            job = self._cluster.job(tracked.mark)
            note = self._cluster.warning(job) if job is not None else ""
            if note != tracked.note:
                tracked.note = note
                self._news.set()

        self._workers.submit(("why", tracked.id), ask)

    def _sweep(self, *, at_last: bool = False) -> None:
        """Delete the jobs of attempts whose end is on record. at_last: look at all of them now."""
        for id in self._settling.settled(at_last=at_last):
            self._delete(self._attempts[id])
        if not self._template.retain:
            self._settling.collect_leftovers(self._root, self._key, self._by_mark)

    def _delete(self, tracked: Tracked) -> None:
        job = self._cluster.job(tracked.mark)
        if job is not None and not self._template.retain and not job["metadata"].get("deletionTimestamp"):
            self._workers.submit(("delete", tracked.id), partial(self._cluster.delete_job, job))
        self._forget(tracked)
