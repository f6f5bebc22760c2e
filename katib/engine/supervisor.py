"""Runs every experiment of a store that nobody else runs, many at a time, in a few threads.

Each experiment that has something to do gets a controller of its own, which is asked to reconcile when it is due. What
there is to do is read from the store, so wishes of other processes (stop, edit, delete) are carried out too, and after
a restart everything goes on.
"""

from __future__ import annotations

import heapq
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from katib.core.changes import Changes, Event
from katib.core.errors import (
    FencedError,
    KatibError,
    LeaseHeldError,
    NotFoundError,
    RetryableError,
)
from katib.core.experiment import Desired, Experiment
from katib.core.ports import Store
from katib.core.trial import Key
from katib.engine.controller import Controller
from katib.engine.finding import every_experiment
from katib.engine.lifecycle import may_restart
from katib.engine.retries import can_go_on

log = logging.getLogger(__name__)

THREADS = 3
FEED_SECONDS = 0.5  # how often the feed looks whether this process wants to end
HELD_SECONDS = 5.0  # until an experiment that another process runs is looked at again
BROKEN_SECONDS = 30.0  # until one that cannot be run here is tried again


@dataclass(frozen=True, slots=True)
class Worker:
    """What runs one experiment. close: gives back what it holds; attempts that outlive this process go on."""

    controller: Controller
    close: Callable[[], None]


class Supervisor:
    """Runs the experiments of a store from ``start`` to ``close``."""

    def __init__(
        self,
        store: Store,
        employ: Callable[[], Worker],
        accepts: Callable[[Experiment], bool] = lambda experiment: True,
        threads: int = THREADS,
    ) -> None:
        """employ: makes the worker of one experiment. accepts: whether this process can run it."""
        self._store = store
        self._employ = employ
        self._accepts = accepts
        self._changed = threading.Condition()
        self._queue: list[tuple[float, int, Key]] = []  # (monotonic time when due, ticket, experiment)
        self._tickets: dict[Key, int] = {}  # of the queue's entry that counts; others are left over
        self._busy: set[Key] = set()
        self._again: set[Key] = set()  # touched while they were worked on
        self._workers: dict[Key, Worker] = {}
        self._numbers = count()
        self._closing = False
        names = [f"experiments-{number}" for number in range(threads)]
        self._threads = [threading.Thread(target=self._work, name=name, daemon=True) for name in names]
        self._threads.append(threading.Thread(target=self._follow, name="experiments-feed", daemon=True))

    def start(self) -> None:
        """Begin; returns at once."""
        for thread in self._threads:
            thread.start()

    @property
    def running(self) -> int:
        """Experiments that this process runs now."""
        return len(self._workers)

    def close(self) -> None:
        """Let go of all experiments; returns when the last step is done. Trials that outlive this process go on."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()
        for key in list(self._workers):
            self._dismiss(key)

    def _follow(self) -> None:
        """Have a look at every experiment, then at each that is touched."""
        since = -1
        while not self._closing:
            try:
                if since < 0:
                    since = self._begin()
                touched = self._store.changes(since, FEED_SECONDS)
                for key in {each.key for each in touched if not each.trial and not each.document}:
                    self.look(key)
                since = max((each.revision for each in touched), default=since)
            except RetryableError as error:
                log.warning("the store does not answer: %s", error)
                self._pause(1.0)

    def _begin(self) -> int:
        experiments = list(every_experiment(self._store))
        for experiment in experiments:
            if self._wanted(experiment):
                self._schedule(experiment.key, 0.0)
        return max((experiment.revision for experiment in experiments), default=0)

    def look(self, key: Key) -> None:
        """Take the experiment up if somebody must do something about it and nobody here does. The feed sees to that;
        only one that has come to be accepted needs it."""
        with self._changed:
            if key in self._busy:
                self._again.add(key)
                return
            if key in self._workers:
                return  # its controller looks by itself
        try:
            wanted = self._wanted(self._store.get(key))
        except KatibError:
            return  # it is gone, or unreadable: whoever asks for it is told
        if wanted:
            self._schedule(key, 0.0)

    def _wanted(self, experiment: Experiment) -> bool:
        return has_work(experiment) and self._accepts(experiment)

    def _schedule(self, key: Key, delay: float) -> None:
        with self._changed:
            ticket = self._tickets[key] = next(self._numbers)
            heapq.heappush(self._queue, (time.monotonic() + delay, ticket, key))
            self._changed.notify()

    def _work(self) -> None:
        while (key := self._next()) is not None:
            delay = self._step(key)
            with self._changed:
                self._busy.discard(key)
                again = key in self._again
                self._again.discard(key)
            if delay is not None:
                self._schedule(key, delay)
            elif again:
                self.look(key)

    def _next(self) -> Key | None:
        """The experiment that is due, waiting for one; None when this process wants to end."""
        with self._changed:
            while not self._closing:
                now = time.monotonic()
                if self._queue and self._queue[0][0] <= now:
                    _, ticket, key = heapq.heappop(self._queue)
                    if self._tickets.get(key) == ticket and key not in self._busy:
                        del self._tickets[key]
                        self._busy.add(key)
                        return key
                    continue
                self._changed.wait(self._queue[0][0] - now if self._queue else None)
            return None

    def _step(self, key: Key) -> float | None:
        """Reconcile once. Returns the seconds until the next look, None if nothing is left to do."""
        worker = self._workers.get(key) or self._workers.setdefault(key, self._employ())
        try:
            delay = worker.controller.reconcile(key)
            if delay is not None:  # with threads to spare, the runner's own wake-up is waited for
                spare = len(self._workers) < len(self._threads)
                worker.controller.wait(key, delay if spare else 0.0)
                delay = 0.0 if spare else delay
        except LeaseHeldError:
            self._dismiss(key)
            return HELD_SECONDS
        except (FencedError, NotFoundError):
            delay = None
        except RetryableError:
            return 1.0
        except KatibError as error:
            self._tell(key, str(error))
            delay = BROKEN_SECONDS
        except Exception as error:  # a fault of ours in one experiment must not end the others
            log.exception("experiment %s", key)
            self._tell(key, f"internal error: {type(error).__name__}: {error}")
            delay = BROKEN_SECONDS
        if delay is None or delay == BROKEN_SECONDS:
            self._dismiss(key)
        return delay

    def _dismiss(self, key: Key) -> None:
        worker = self._workers.pop(key, None)
        if worker is not None:
            worker.controller.close()
            worker.close()

    def _tell(self, key: Key, message: str) -> None:
        """Put into the experiment's story why it cannot be run here, once."""
        log.warning("experiment %s cannot be run: %s", key, message)
        event = Event(time.time(), "Warning", "CannotRun", message)
        try:
            if message not in {each.message for each in self._store.events(key, limit=20)}:
                self._store.commit(Changes(key, events=(event,)))
        except KatibError as error:
            log.warning("experiment %s: its event was not stored: %s", key, error)

    def _pause(self, seconds: float) -> None:
        with self._changed:
            if not self._closing:
                self._changed.wait(seconds)


def has_job(experiment: Experiment) -> bool:
    """Whether anybody can go on with it. Experiments made in Python have no job to run: whoever made them does."""
    return bool(experiment.spec.template.document) or experiment.desired is Desired.DELETE


def has_work(experiment: Experiment) -> bool:
    """Whether somebody must do something about it."""
    status = experiment.status
    if experiment.desired is Desired.DELETE:
        return True
    if experiment.desired is Desired.STOP:
        return status.verdict is None and not status.stopped
    return status.verdict is None or may_restart(experiment) or (bool(experiment.retries) and can_go_on(experiment))
