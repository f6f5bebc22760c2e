"""The agents of all nodes, as the controller sees them: one call a node and interval brings all that is new there."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import ray
from ray.exceptions import ActorDiedError, GetTimeoutError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from katib.core.errors import PermanentError, UnavailableError
from katib.core.trial import AttemptId, Cursor, Key
from trial_runners.ray import names
from trial_runners.ray.agent import Agent
from trial_runners.ray.cluster import Cluster
from trial_runners.ray.place import Hello, Told, Trace

INTERVAL = 0.2
"""Seconds between two calls of a node."""

_ANSWER_SECONDS = 0.5  # a poll waits so long for answers; what comes later is had by the next one
_COME_UP_SECONDS = 60.0
_FAREWELL_SECONDS = 2.0
_GREETED = 8
_SENT = 1000  # calls without an answer that are looked through

Asked = dict[AttemptId, tuple[Mapping[str, Cursor], int | None]]


@dataclass(slots=True)
class _Node:
    """shared: its attempts lie in the runner's own folder, None before it has said so. ref: the call under way,
    what it asked, and since when. due: monotonic time of the next."""

    agent: ray.actor.ActorHandle[Any]
    hello: ray.ObjectRef[Any]
    shared: bool | None = None
    ref: ray.ObjectRef[Any] | None = None
    asked: Asked = field(default_factory=dict)
    since: float = 0.0
    due: float = 0.0


class Answer(NamedTuple):
    """What a node says of an attempt. since: monotonic time when it was asked."""

    told: Told
    since: float


class Agents:
    """Asks them. calls: how many times each was, for those who count."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._nodes: dict[str, _Node] = {}
        self.calls: dict[str, int] = {}
        self._sent: list[ray.ObjectRef[Any]] = []

    def shared(self, node: str) -> bool:
        """Whether the node's attempts lie in the runner's own folder."""
        return bool(self._nodes[node].shared) if node in self._nodes else False

    def traces(self, key: Key) -> dict[AttemptId, tuple[Trace, str]]:
        """What living nodes have of an experiment, and which of them is to be asked.

        Raises UnavailableError if one does not answer, PermanentError if it cannot run our code.
        """
        nodes = list(self._cluster.nodes(now=True))
        calls: dict[str, Any] = {node: self._node(node).agent.traces.remote(key) for node in nodes}
        found: dict[AttemptId, tuple[Trace, str]] = {}
        for node, answer in calls.items():
            self._meet(node)
            for trace in _get(answer, self._cluster.nodes().get(node, node)):
                id = AttemptId(key, trace.trial, trace.attempt)
                own = trace.node == node
                if id not in found or own:
                    found[id] = trace, node
        return found

    def poll(self, asked: Mapping[str, Asked], urgent: set[str]) -> dict[AttemptId, Answer]:
        """What nodes say, by attempt. asked: by node. urgent: nodes that are to be asked before their interval is
        over. Nothing is said of attempts that run and have nothing new, nor by a node that does not answer in time, or
        was asked just now."""
        now = time.monotonic()
        fresh = False
        for name, wanted in asked.items():
            node = self._node(name)
            if wanted and node.ref is None and (now >= node.due or name in urgent):
                node.ref = node.agent.poll.remote(wanted)
                node.asked = dict(wanted)
                node.since, node.due, fresh = now, now + INTERVAL, True
                self.calls[name] = self.calls.get(name, 0) + 1
        pending = {node.ref: node for node in self._nodes.values() if node.ref is not None}
        if not pending:
            return {}
        ready, _ = ray.wait(list(pending), num_returns=len(pending), timeout=_ANSWER_SECONDS if fresh else 0)
        given = {id: cursors for attempts in asked.values() for id, (cursors, _) in attempts.items()}
        answers: dict[AttemptId, Answer] = {}
        for ref in ready:
            node = pending[ref]
            node.ref = None
            try:
                told = ray.get(ref)
            except RayError:
                continue  # it is being started again, or its node is gone, which the cluster says
            for id, said in told.items():
                if given.get(id) == node.asked[id][0]:  # else another answer has brought the cursors on
                    answers[id] = Answer(said, node.since)
        return answers

    def stop(self, node: str, id: AttemptId, grace: float) -> None:
        """Have an attempt end. Returns at once."""
        self._sent.append(self._node(node).agent.stop.remote(id, grace))

    def release(self, node: str, id: AttemptId, *, everything: bool) -> None:
        """Have its checkpoint, or all of it, removed. Returns at once; what is asked later is answered later."""
        self._sent.append(self._node(node).agent.release.remote(id, everything))
        if len(self._sent) > _SENT:
            self._sent = ray.wait(self._sent, num_returns=len(self._sent), timeout=0)[1]

    def greet(self) -> None:
        """Have agents come up on the first nodes already, so that the first reports do not wait for them."""
        for node in list(self._cluster.nodes())[:_GREETED]:
            self._node(node)

    def close(self) -> None:
        """See that what was sent last has arrived."""
        if self._sent:
            ray.wait(self._sent, num_returns=len(self._sent), timeout=_FAREWELL_SECONDS)

    def _meet(self, node: str) -> None:
        known = self._node(node)
        if known.shared is None:
            hello: Hello = _get(known.hello, self._cluster.nodes().get(node, node))
            known.shared = hello.shared

    def _node(self, node: str) -> _Node:
        known = self._nodes.get(node)
        if known is None:
            affinity = NodeAffinitySchedulingStrategy(node, soft=False)
            options = {"num_cpus": 0, "max_restarts": -1, "max_task_retries": -1, "scheduling_strategy": affinity}
            name = names.of_agent(node, self._cluster.scope)
            agent = self._cluster.create(Agent, name, options, self._cluster.place)
            known = self._nodes[node] = _Node(agent, agent.hello.remote())
        return known


def _get(ref: ray.ObjectRef[Any], where: str) -> Any:
    try:
        return ray.get(ref, timeout=_COME_UP_SECONDS)
    except GetTimeoutError as error:
        raise UnavailableError(f"node {where} of the Ray cluster has not answered in {_COME_UP_SECONDS:g} s") from error
    except ActorDiedError as error:
        text = str(error)
        if "ModuleNotFoundError" in text or "ImportError" in text:
            raise PermanentError(
                f"node {where} of the Ray cluster cannot run this package ({text.splitlines()[-1]}): install "
                "katib-engine there in this version, or name it under pip in the runtime environment"
            ) from error
        raise UnavailableError(f"node {where} of the Ray cluster: {text.splitlines()[0]}") from error
    except RayError as error:
        raise UnavailableError(f"node {where} of the Ray cluster: {str(error).splitlines()[0]}") from error
