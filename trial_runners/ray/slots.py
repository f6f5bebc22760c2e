"""The slots of one controller: function trials wait here for one, and get one that is alive.

A slot is kept for the next trial of the same shape, or ended where trials are to be isolated. A trial is given only to
a slot that has come up, so a controller that dies leaves nothing half done: what waited here was never started.
"""

from __future__ import annotations

import pickle
import secrets
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import ray
from ray.exceptions import RayError

from katib.core.trial import Attempt, AttemptId, Key
from trial_runners.ray import names
from trial_runners.ray.cluster import Cluster, find
from trial_runners.ray.deaths import cause_of
from trial_runners.ray.place import Hello, Told
from trial_runners.ray.resources import Shape, isolated, shape_of
from trial_runners.ray.slot import Slot

_INLINE = 100_000  # bytes of a pickled objective that go with the call; larger ones go through the object store
_TRIES = 3  # actors that may fail to come up, one after the other, before a trial is failed
_PAUSE = 1.0


class Ended(NamedTuple):
    """A run that is over. node: it was on. told: what it left, None if its folder must be read. cause: why its actor
    is gone, empty if it is not. at: monotonic time when that was known."""

    id: AttemptId
    node: str
    told: Told | None
    cause: str = ""
    at: float = 0.0


@dataclass(slots=True)
class _Slot:
    """ref: of its run, or of its greeting. id: of the attempt it runs. shape: None of one that an earlier controller
    made."""

    actor: ray.actor.ActorHandle[Any]
    shape: Shape | None
    ref: ray.ObjectRef[Any] | None
    node: str = ""
    id: AttemptId | None = None


class Calls(NamedTuple):
    """What slots call. objective: pickled. metric: what a plain returned number measures. document: the template of
    trials that are rendered from none."""

    objective: bytes
    metric: str
    document: Mapping[str, Any]


class SlotPool:
    """Waiting attempts and slots. waiting: attempts without a slot. running: nodes of those with one. workers: of a
    trial."""

    workers = 1

    def __init__(self, cluster: Cluster, calls: Calls, size: int) -> None:
        """size: most slots at a time."""
        self.waiting: dict[AttemptId, Attempt] = {}
        self.running: dict[AttemptId, str] = {}
        self._cluster = cluster
        self._calls = calls
        large = len(calls.objective) > _INLINE
        self._objective: Any = ray.put(calls.objective) if large else calls.objective
        self._size = size
        self._slots: list[_Slot] = []
        self._failures: list[str] = []  # of actors that did not come up since the last that did
        self._not_before = 0.0

    def resize(self, size: int) -> None:
        """Most slots from now on; those that run go on."""
        self._size = size
        for slot in [slot for slot in self._slots if slot.ref is None][: max(0, len(self._slots) - size)]:
            self._end(slot)

    def join(self, key: Key, named: Iterable[str], _nodes: Mapping[AttemptId, str]) -> None:
        """Take over slots that an earlier controller made. They greet when they are free."""
        for name in named:
            if names.is_slot_of(name, key, self._cluster.scope) and (actor := find(name)) is not None:
                self._slots.append(_Slot(actor, None, actor.hello.remote()))

    def start(self, attempt: Attempt) -> None:
        """Give it to a slot, now or when there is one."""
        self.waiting[attempt.id] = attempt
        self._dispatch()

    def drop(self, id: AttemptId) -> bool:
        """Forget one that waits; whether it did."""
        return self.waiting.pop(id, None) is not None

    def shape(self, id: AttemptId) -> Shape:
        """What a waiting attempt asks for."""
        return shape_of(self._document(self.waiting[id]))

    def refs(self) -> list[ray.ObjectRef[Any]]:
        """What is under way."""
        return [slot.ref for slot in self._slots if slot.ref is not None]

    def advance(self, ready: list[ray.ObjectRef[Any]] | None = None) -> list[Ended]:
        """Take in what has come, all of it or what is ``ready``; give slots that are free to attempts that wait."""
        pending = {slot.ref: slot for slot in self._slots if slot.ref is not None}
        if ready is None:
            ready = ray.wait(list(pending), num_returns=len(pending), timeout=0)[0] if pending else []
        ended = [end for ref in ready if (end := self._take(pending[ref], ref)) is not None]
        if self.waiting:
            self._dispatch()
            ended += self._give_up()
        return ended

    @property
    def obstacle(self) -> str:
        """Why the last actor did not come up; empty if it did."""
        return self._failures[-1] if self._failures else ""

    def close(self) -> None:
        """End slots that run nothing, and the others after their run."""
        self.waiting.clear()
        self.advance()
        for slot in [slot for slot in self._slots if slot.id is None and (slot.ref is None or slot.shape is not None)]:
            self._end(slot)
        for slot in self._slots:
            slot.actor.leave.remote()
        self._slots.clear()

    def _take(self, slot: _Slot, ref: ray.ObjectRef[Any]) -> Ended | None:
        id, node, slot.id, slot.ref = slot.id, slot.node, None, None
        try:
            answer: Hello | bytes | None = ray.get(ref)
        except RayError as error:
            self._slots.remove(slot)
            if id is None and slot.shape is None:
                return None  # of an earlier controller
            if id is None:
                self._failures.append(cause_of(error))
                self._not_before = time.monotonic() + _PAUSE
                return None
            self.running.pop(id, None)
            return Ended(id, node, None, cause_of(error))
        if isinstance(answer, Hello):
            slot.node = answer.node
            self._failures.clear()
        if id is None:
            return None
        self.running.pop(id, None)
        if len(self._slots) > self._size or isolated(self._calls.document):
            self._end(slot)
        return Ended(id, node, pickle.loads(answer) if isinstance(answer, bytes) else None)  # noqa: S301 - of our actor

    def _dispatch(self) -> None:
        coming = Counter(slot.shape for slot in self._slots if slot.ref is not None and slot.id is None)
        for id, attempt in list(self.waiting.items()):
            shape = shape_of(self._document(attempt))
            slot = next((s for s in self._slots if s.ref is None and s.shape == shape), None)
            if slot is not None:
                self._run(slot, self.waiting.pop(id))
            elif coming[shape]:
                coming[shape] -= 1
            elif not self._make(shape):
                break

    def _run(self, slot: _Slot, attempt: Attempt) -> None:
        slot.id = attempt.id
        slot.ref = slot.actor.call.options(name=attempt.id.trial).remote(pickle.dumps(replace(attempt, run={})))
        self.running[attempt.id] = slot.node

    def _make(self, shape: Shape) -> bool:
        """A slot of the shape, if there may be one more; one of another shape that is free gives way."""
        if time.monotonic() < self._not_before:
            return False
        if len(self._slots) >= self._size:
            other = next((s for s in self._slots if s.ref is None and s.shape != shape), None)
            if other is None:
                return False
            self._end(other)
        key = next(iter(self.waiting)).key
        name = names.of_slot(key, secrets.token_hex(4), self._cluster.scope)
        actor = self._cluster.create(
            Slot, name, shape.options(), self._objective, self._calls.metric, self._cluster.place
        )
        self._slots.append(_Slot(actor, shape, actor.hello.remote()))
        return True

    def _give_up(self) -> list[Ended]:
        """Fail the attempts that wait for actors which do not come up."""
        if len(self._failures) < _TRIES:
            return []
        cause, self._failures = self._failures[-1], []
        waiting, self.waiting = self.waiting, {}
        return [Ended(id, "", None, cause) for id in waiting]

    def _end(self, slot: _Slot) -> None:
        self._slots.remove(slot)
        ray.kill(slot.actor, no_restart=True)

    def _document(self, attempt: Attempt) -> Mapping[str, Any]:
        return attempt.run or self._calls.document
