"""Follows the output of one attempt's container, and copies it into the attempt's folder.

One request a container, which stays open as long as the container runs. When it breaks off, reading goes on from the
last second that the copy holds. An answer that ends properly while the container still runs (the kubelet was
restarted) counts as a break too.

A kubelet before 1.27 that comes to the end of the log, and finds the container ended a moment later, does not look
whether something was printed between. So who has read while the container ran asks once more after its end.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from trial_runners.kubernetes import pod_states as pods
from trial_runners.kubernetes.api import PODS, Api, RefusedError, Request, Stream, Tree, UnansweredError
from trial_runners.kubernetes.log_copy import Instance, LogCopy
from trial_runners.kubernetes.log_entries import Entry, EntryParser

# Seconds after an answer has ended within which the cluster says that the container has.
_NEWS = 15.0

# Seconds that a node, or a container that the cluster says has started, may give no log once the attempt is over.
_SILENCE = 60.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0


class Run(NamedTuple):
    """A run of the container that can be read. ended: nothing more is printed. former: it is the one before the
    container's last restart."""

    instance: Instance
    ended: bool
    former: bool = False


def runs_of(present: Sequence[Tree], gone: Sequence[Tree], container: str) -> list[Run]:
    """The runs of a container in pods that are in order of their making. gone: those of them that are no more."""
    found: list[Run] = []
    for pod in present:
        status, metadata = pods.container(pod, container), pod["metadata"]
        kind, _ = pods.state(pod, container)
        restarts = int(status.get("restartCount") or 0)
        ended = pod in gone or kind == "terminated" or pods.phase(pod) in ("Succeeded", "Failed")
        if restarts and (status.get("lastState") or {}).get("terminated"):
            found.append(Run(Instance(metadata["uid"], restarts - 1, metadata["name"]), ended=True, former=True))
        if kind != "waiting":
            found.append(Run(Instance(metadata["uid"], restarts, metadata["name"]), ended))
    return found


class LogFollower:
    """One container's output, read by a thread of its own. finished: all of it was read, or cannot be. problem: why
    not."""

    def __init__(
        self,
        api: Api,
        namespace: str,
        container: str,
        log: Path,
        runs: Callable[[], Sequence[Run]],
        news: Callable[[bool], None],
    ) -> None:
        """runs: those of the container, as they are known now. news: told of new bytes (False) and of the end."""
        self._api, self._namespace, self._container, self._path = api, namespace, container, log
        self._runs, self._news = runs, news
        self._signal = threading.Event()
        self._over = threading.Event()
        self._closed = threading.Event()
        self._stream: Stream | None = None
        self.finished = False
        self.problem = ""
        self._thread = threading.Thread(target=self._follow, name="katib-log", daemon=True)
        self._thread.start()

    def look(self) -> None:
        """Something of the pod has changed."""
        self._signal.set()

    def finish(self) -> None:
        """No other run will come: stop when those that there are were read."""
        if not self._over.is_set():
            self._over.set()
            self._signal.set()

    def close(self) -> None:
        """Stop now; the copy can be gone on with."""
        self._closed.set()
        self._signal.set()
        if self._stream is not None:
            self._stream.cut()

    def join(self, timeout: float) -> None:
        """Wait for the thread to end."""
        self._thread.join(timeout)

    def _follow(self) -> None:
        try:
            copy = LogCopy(self._path)
            try:
                self._read_all(copy)
            finally:
                copy.close()
        except OSError as error:
            self.problem = f"its output cannot be kept: {error}"
        self.finished = not self._closed.is_set()
        self._news(True)

    def _read_all(self, copy: LogCopy) -> None:
        while not self._closed.is_set():
            self._signal.clear()
            over = self._over.is_set()
            run = next((run for run in self._runs() if run.instance not in copy.done), None)
            if run is not None:
                self._read(copy, run)
            elif over:
                return
            else:
                self._signal.wait()

    def _read(self, copy: LogCopy, run: Run) -> None:
        """Read one run to its end, with as many requests as it needs."""
        copy.begin(run.instance)
        pause, silent_since = _FIRST_PAUSE, 0.0
        last: EntryParser | None = None  # of a stream that seems to be all
        while not self._closed.is_set():
            parser = EntryParser()
            try:
                self._copy(copy, run, parser)
                if self._has_ended(run.instance):
                    sure = run.ended and (last is not None or copy.size > 0)
                    run, last = run._replace(ended=True), parser
                    if sure:
                        break
                    continue
                pause = _FIRST_PAUSE
            except (RefusedError, UnansweredError) as error:
                silent_since = (silent_since or time.monotonic()) if error.status else 0.0
                if last is not None and isinstance(error, RefusedError):
                    break  # the pod is gone by now
                if self._give_up(error, run, silent_since):
                    self.problem = f"the output of pod {run.instance.pod} could not be read: {error}"
                    break
            self._closed.wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        if not self._closed.is_set():
            self._write(copy, last.finish() if last is not None else [])
            copy.finish(run.instance)

    def _give_up(self, error: RefusedError | UnansweredError, run: Run, since: float) -> bool:
        """Whether it is no use to ask again: the pod is gone, or node and container have been silent for long since
        the attempt was over. 400: the container has not started yet."""
        if isinstance(error, RefusedError) and (error.status != 400 or run.ended):
            return True
        return bool(error.status) and self._over.is_set() and time.monotonic() - since > _SILENCE

    def _copy(self, copy: LogCopy, run: Run, parser: EntryParser) -> None:
        """One request, from where the copy ends."""
        query = {"container": self._container, "timestamps": "true"}
        query |= {"previous": "true"} if run.former else {"follow": "true"}
        since = copy.attach()
        if since is not None:
            query["sinceTime"] = datetime.fromtimestamp(since, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        request = Request("log", PODS, self._namespace, run.instance.pod, query, part="log")
        self._stream = stream = self._api.stream(request, None)
        if self._closed.is_set():
            stream.cut()
        try:
            for chunk in stream.chunks():
                self._write(copy, parser.feed(chunk))
        finally:
            self._stream = None
        if self._closed.is_set():
            raise UnansweredError("it was closed")

    def _write(self, copy: LogCopy, entries: list[Entry]) -> None:
        if entries and copy.write(entries):
            self._news(False)

    def _has_ended(self, instance: Instance) -> bool:
        """Whether the container has ended, which the cluster may say a little later than its output does."""
        deadline = time.monotonic() + _NEWS
        while not self._closed.is_set():
            self._signal.clear()
            run = next((run for run in self._runs() if run.instance == instance), None)
            if run is None or run.ended:
                return True
            if not self._signal.wait(deadline - time.monotonic()):
                return False
        return False
