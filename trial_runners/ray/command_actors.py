"""The actors of command trials, one each, as the controller sees them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import RayError

from katib.core.trial import Attempt, AttemptId, Key
from trial_runners.ray import names
from trial_runners.ray.cluster import Cluster, find
from trial_runners.ray.command_actor import CommandActor
from trial_runners.ray.deaths import cause_of
from trial_runners.ray.place import Hello, Told
from trial_runners.ray.resources import Shape, shape_of
from trial_runners.ray.slots import Ended


@dataclass(slots=True)
class _Command:
    """hello: its greeting, None once that came. run: the answer to come at its end."""

    actor: ray.actor.ActorHandle[Any]
    hello: ray.ObjectRef[Any] | None
    run: ray.ObjectRef[Any]
    node: str = ""


class CommandActors:
    """waiting: attempts whose actors have not come up. running: nodes of those that have. workers: of a trial."""

    workers = 1

    def __init__(self, cluster: Cluster) -> None:
        self.waiting: dict[AttemptId, Attempt | None] = {}
        self.running: dict[AttemptId, str] = {}
        self._cluster = cluster
        self._commands: dict[AttemptId, _Command] = {}

    def resize(self, size: int) -> None:
        """Nothing is kept ready."""

    def join(self, key: Key, named: Iterable[str], nodes: Mapping[AttemptId, str]) -> None:
        """Take over actors that an earlier controller made. nodes: of the attempts that have begun."""
        for name in named:
            id = names.command_of(name, key, self._cluster.scope)
            actor = find(name) if id is not None else None
            if id is None or actor is None:
                continue
            begun = id in nodes
            self._commands[id] = _Command(actor, None if begun else actor.hello.remote(), actor.run.remote())
            if begun:
                self.running[id] = self._commands[id].node = nodes[id]
            else:
                self.waiting[id] = None

    def start(self, attempt: Attempt) -> None:
        """Ask for its actor."""
        actor = self._make(attempt)
        run: Any = actor.run.options(name=attempt.id.trial)
        self._commands[attempt.id] = _Command(actor, actor.hello.remote(), run.remote())
        self.waiting[attempt.id] = attempt

    def drop(self, id: AttemptId) -> bool:
        """End the actor of one that waits; whether it did."""
        if id not in self.waiting:
            return False
        self._end(id)
        return True

    def shape(self, id: AttemptId) -> Shape | None:
        """What a waiting attempt asks for, None if only an earlier controller knows."""
        attempt = self.waiting[id]
        return shape_of(attempt.run, attempt.primary_container) if attempt is not None else None

    def refs(self) -> list[ray.ObjectRef[Any]]:
        """What is under way."""
        return [command.hello or command.run for command in self._commands.values()]

    @property
    def obstacle(self) -> str:
        """Nothing: an actor that cannot come up ends its attempt."""
        return ""

    def advance(self, ready: list[ray.ObjectRef[Any]] | None = None) -> list[Ended]:
        """Take in what has come, all of it or what is ``ready``."""
        pending = {command.hello or command.run: id for id, command in self._commands.items()}
        if ready is None:
            ready = ray.wait(list(pending), num_returns=len(pending), timeout=0)[0] if pending else []
        return [end for ref in ready if (end := self._take(pending[ref], ref)) is not None]

    def close(self) -> None:
        """Let go of those that run. Those that wait are ended: a later controller starts them again."""
        self.advance()
        for id in list(self.waiting):
            self._end(id)
        self._commands.clear()

    def _make(self, attempt: Attempt) -> ray.actor.ActorHandle[Any]:
        options = shape_of(attempt.run, attempt.primary_container).options()
        name = names.of_command(attempt.id, self._cluster.scope)
        return self._cluster.create(CommandActor, name, options, attempt, self._cluster.place)

    def _take(self, id: AttemptId, ref: ray.ObjectRef[Any]) -> Ended | None:
        command = self._commands[id]
        try:
            value: Hello | Told | None = ray.get(ref)
        except RayError as error:
            self._end(id)
            return Ended(id, command.node, None, cause_of(error))
        if isinstance(value, Hello):
            command.hello, command.node = None, value.node
            self.waiting.pop(id, None)
            self.running[id] = value.node
            return None
        self._end(id)
        return Ended(id, command.node, value)

    def _end(self, id: AttemptId) -> None:
        self.waiting.pop(id, None)
        self.running.pop(id, None)
        ray.kill(self._commands.pop(id).actor, no_restart=True)
