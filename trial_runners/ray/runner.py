"""The runner: the port over actors, agents and folders.

What is held here is who runs what; what becomes of an attempt is read where it runs. An attempt that this process has
not started is looked for on all nodes when its experiment is first spoken of.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import ray

from katib.core.errors import RunnerError
from katib.core.ports import Phase, Update
from katib.core.trial import Attempt, AttemptId, Cursor, Key
from trial_runners.attempt_folder import AttemptFolder
from trial_runners.local.command import order_for
from trial_runners.objective_call import Objective
from trial_runners.pickling import pickled
from trial_runners.ray.agents import INTERVAL, Agents, Answer, Asked
from trial_runners.ray.answers import lost, measured, never_came, serve
from trial_runners.ray.checkpoints import open_storage
from trial_runners.ray.cluster import Cluster
from trial_runners.ray.ends import Ends
from trial_runners.ray.logs import Logs
from trial_runners.ray.place import Told
from trial_runners.ray.resources import shape_of, waiting_reason
from trial_runners.ray.slots import Calls, Ended
from trial_runners.ray.work import work_for
from trial_runners.settings import RaySettings

_REASON_SECONDS = 1.0  # between two looks at the resources of the cluster, and before the first
_STARTS = 3  # actors that may die under a trial before it began, until it is called lost


class RayRunner:
    """Runs commands and functions as actors of a Ray cluster. Not for several threads at a time."""

    def __init__(
        self,
        root: Path,
        *,
        settings: RaySettings,
        objective: Objective | None,
        metric: str,
        parallel: int,
        document: Mapping[str, Any],
    ) -> None:
        """root: folder of this machine for output and checkpoints. objective: None if trials are commands. metric:
        what a returned number measures. parallel: trials at a time. document: template of the trials.

        Raises SpecError if the objective cannot be sent away, PermanentError if no package knows the place of
        checkpoints, UnavailableError if the cluster does not answer.
        """
        calls = None
        if objective is not None:
            calls = Calls(pickled(objective, "the nodes"), metric, document)
            shape_of(document)  # what never can be had is told at once
        if settings.checkpoints:
            open_storage(settings.checkpoints)  # so is a URL that nobody knows
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._root = root.resolve()
        self._cluster = Cluster(self._root, settings)
        self._agents = Agents(self._cluster)
        self._agents.greet()
        self._commands = calls is None
        self._work = work_for(self._cluster, calls, parallel)
        self._logs = Logs(self._root)
        self._keys: set[Key] = set()
        self._found: dict[AttemptId, str] = {}  # nodes that have a trace of an attempt
        self._ended = Ends()
        self._starts: dict[AttemptId, tuple[Attempt, int]] = {}
        self._reasons: dict[AttemptId, tuple[float, str]] = {}
        self._unread: set[AttemptId] = set()  # ended ones that have more to be read
        self._news = False
        self._closed = False

    @property
    def calls(self) -> Mapping[str, int]:
        """How often each node was asked."""
        return self._agents.calls

    def resize(self, workers: int) -> None:
        """Most trials at a time from now on."""
        self._work.resize(workers)

    def start(self, attempt: Attempt) -> None:
        """Start it, or do nothing if it was started before. Raises RunnerError if it never can be started,
        UnavailableError if the cluster does not answer now."""
        if self._closed:
            raise RunnerError("the runner is closed")
        id = attempt.id
        folder = AttemptFolder.of(self._root, id)
        if self._commands:
            order_for(attempt, folder, self._root)  # the user learns at once of what never can be run
        self._discover(id.key)
        if not self._known(id):
            self._starts[id] = attempt, 1
            self._work.start(attempt)

    def poll(self, cursors: Mapping[AttemptId, Mapping[str, Cursor]]) -> Iterable[Update]:
        """One Update for each id asked for. At most one call of a node and interval, but for ended attempts whose
        folders must be read."""
        if self._closed:
            return [lost(id, "the runner is closed") for id in cursors]
        for key in {id.key for id in cursors}:
            self._discover(key)
        self._advance()
        self._news = False
        asked: dict[str, Asked] = {}
        urgent: set[str] = set()
        for id, given in cursors.items():
            node = self._node_to_ask(id, given, urgent)
            if node:
                asked.setdefault(node, {})[id] = given, None if self._agents.shared(node) else self._logs.copied(id)
        answers = self._agents.poll(asked, urgent)
        return [self._update(id, given, answers.get(id)) for id, given in cursors.items()]

    def stop(self, id: AttemptId, *, grace: float = 10.0) -> None:
        """Let the next report of a function raise TrialStopped, send SIGTERM to a command; after ``grace`` seconds
        its process is killed."""
        if self._closed:
            return
        self._discover(id.key)
        self._advance()
        if self._work.drop(id):
            self._remember(Ended(id, "", Told(Update(id, Phase.STOPPED))))
            self._news = True
        elif node := self._alive(self._node_of(id)):
            self._agents.stop(node, id, grace)

    def wait(self, timeout: float) -> None:
        """Return after ``timeout`` seconds, or when an actor has something to say, or output may have come."""
        refs = self._work.refs()
        limit = max(0.0, min(timeout, INTERVAL) if self._work.running or self._found else timeout)
        if self._news or self._closed:
            limit = 0.0
        if refs:
            ready, _ = ray.wait(refs, num_returns=1, timeout=limit, fetch_local=False)
            if ready:
                self._advance(ready)  # the rest has time until the next poll
        else:
            time.sleep(limit)
        self._news = False

    def release(self, id: AttemptId, *, everything: bool = False) -> None:
        """Remove its checkpoint; ``everything``: end it if it runs, and remove all traces of it."""
        if self._closed:
            return
        self._discover(id.key)
        ended = self._ended.get(id)
        node = self._node_of(id) or (ended.node if ended else "")
        if everything:
            self._work.drop(id)
            self._ended.release(id, running=id in self._work.running)
            for held in (self._found, self._starts, self._reasons):
                held.pop(id, None)
            self._unread.discard(id)
        alive = self._cluster.nodes()
        if node not in alive and self._cluster.place.checkpoints:
            node = next(iter(alive), "")  # its own node is gone, its checkpoint is not
        if node in alive:
            self._agents.release(node, id, everything=everything)
        folder = AttemptFolder.of(self._root, id)
        if everything and not self._agents.shared(node):
            folder.remove(self._root)

    def close(self) -> None:
        """End what waits and slots that are free. Running attempts go on."""
        if not self._closed:
            self._closed = True
            self._work.close()
            self._agents.close()
            self._cluster.close()

    def _known(self, id: AttemptId) -> bool:
        return id in self._work.waiting or id in self._work.running or id in self._found or id in self._ended

    def _discover(self, key: Key) -> None:
        """Find what earlier controllers have left of an experiment."""
        if key in self._keys:
            return
        traces = {} if self._cluster.new else self._agents.traces(key)
        self._found.update({id: asked for id, (_, asked) in traces.items()})
        running = {id: asked for id, (trace, asked) in traces.items() if not trace.over}
        if not self._cluster.new:
            self._work.join(key, self._cluster.named(), running)
        self._keys.add(key)

    def _advance(self, ready: list[ray.ObjectRef[Any]] | None = None) -> None:
        """Take in what has come; ``ready``: answers that are known to have, else all are looked at."""
        for end in self._work.advance(ready):
            self._news = True
            if not self._ended.expects(end.id):
                continue
            attempt, starts = self._starts.pop(end.id, (None, 0))
            if end.told is None and not end.node and end.cause:
                self._remember(end._replace(told=never_came(end.id, end.cause)))
            else:
                self._remember(end)
                if attempt is not None and end.cause:
                    self._starts[end.id] = attempt, starts  # it may turn out that it never began

    def _remember(self, end: Ended) -> None:
        forgotten = self._ended.add(end)
        for held in (self._found, self._reasons, self._starts):
            held.pop(end.id, None)
        if forgotten is not None:
            self._found[forgotten.id] = forgotten.node

    def _node_to_ask(self, id: AttemptId, given: Mapping[str, Cursor], urgent: set[str]) -> str:
        """Which node to ask for an attempt, empty for none; added to ``urgent`` if its answer is needed now."""
        ended = self._ended.get(id)
        if ended is not None and ended.told is not None and serve(ended.told, given) is not None:
            return ""
        node = self._alive(ended.node if ended else self._node_of(id))
        if node and (ended or id in self._unread):
            urgent.add(node)
        return node

    def _node_of(self, id: AttemptId) -> str:
        return self._work.running.get(id) or self._found.get(id, "")

    def _alive(self, node: str) -> str:
        return node if node in self._cluster.nodes() else ""

    def _update(self, id: AttemptId, given: Mapping[str, Cursor], answer: Answer | None) -> Update:
        if id in self._work.waiting:
            return Update(id, Phase.WAITING, self._reason(id))
        ended = self._ended.get(id)
        if ended is not None and (answer is None or answer.since < ended.at):  # it was asked before the end
            served = serve(ended.told, given) if ended.told is not None else None
            if served is not None:
                self._logs.add(served)
                return measured(served.update)
            if self._alive(ended.node):
                return Update(id, Phase.RUNNING)  # what became of it is still to be read
            return lost(id, self._gone(ended.node, ended.cause))
        node = self._node_of(id)
        if answer is None:
            # What was only given to its actor waits: no trace may be found of it yet, so that it is given away again.
            phase = Phase.RUNNING if id in self._found else Phase.WAITING
            return Update(id, phase) if self._alive(node) else self._node_lost(id, node)
        return self._heard(id, answer.told, ended)

    def _heard(self, id: AttemptId, told: Told, ended: Ended | None) -> Update:
        """What an agent's answer means, with what is known of the actor."""
        if told.unknown:
            if ended is None and id in self._work.running:
                return Update(id, Phase.WAITING)  # its actor has it, and is about to begin
            if ended is None:
                return lost(id, told.update.reason)
            attempt, starts = self._starts.pop(id, (None, 0))
            if attempt is not None and starts < _STARTS:
                self._ended.forget(id)
                self._starts[id] = attempt, starts + 1
                self._work.start(attempt)
                return Update(id, Phase.WAITING, f"it starts again: {ended.cause}")
            return lost(id, ended.cause or told.update.reason)
        if id in self._work.running:
            self._found[id] = self._work.running[id]
        self._logs.add(told)
        if not told.update.phase.ended:
            return replace(measured(told.update), more=False)  # the rest has time until the node is asked again
        end = ended or Ended(id, self._node_of(id), None)
        if told.update.phase is Phase.LOST and end.cause:
            told = replace(told, update=replace(told.update, reason=f"{told.update.reason}: {end.cause}"))
        (self._unread.add if told.update.more else self._unread.discard)(id)
        if not told.update.more:  # kept, for a node that is dying may say nothing more
            self._remember(end._replace(told=told))
        return measured(told.update)

    def _node_lost(self, id: AttemptId, node: str) -> Update:
        none = "no node of the Ray cluster has a trace of this attempt"
        return lost(id, self._gone(node, "") if node else none)

    def _gone(self, node: str, cause: str) -> str:
        if not node or self._alive(node):
            return cause or "its actor died"
        return f"node {self._cluster.known(node)} of the Ray cluster is gone" + (f": {cause}" if cause else "")

    def _reason(self, id: AttemptId) -> str:
        """Why an attempt waits: nothing at first, for most do not wait long."""
        now = time.monotonic()
        looked, reason = self._reasons.setdefault(id, (now, ""))
        if now - looked >= _REASON_SECONDS:
            shape = self._work.shape(id)
            nodes, free = self._cluster.resources()
            asked = waiting_reason(shape, nodes, free, self._work.workers) if shape is not None else ""
            reason = self._work.obstacle or asked
            self._reasons[id] = now, reason
        return reason
