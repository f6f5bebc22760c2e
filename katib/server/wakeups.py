"""Wakes the watches of one event loop, when the mirror has moved to something that concerns them.

The mirror's thread wakes the loop once, however many watches there are, and batches that come soon after each other are
one wake-up. What a batch means for the objects of a kind is worked out once for all watches of that kind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from katib.server.mirror import AnyChange, Mirror
from katib.server.objects import Collection, Event

PAUSE_SECONDS = 0.01  # between two wake-ups
KEPT = 64  # batches whose meaning is remembered


@dataclass(eq=False, slots=True)
class Waiter:
    """One watch. since: the revision up to which it has told everything."""

    collection: Collection
    namespace: str | None
    since: int
    moved: asyncio.Event = field(default_factory=asyncio.Event)


class Wakeups:
    """Of the watches on one mirror."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self._waiters: set[Waiter] = set()
        self._planned = False
        self._events: dict[tuple[int, int, int], list[Event]] = {}

    @contextmanager
    def waiting(self, waiter: Waiter) -> Iterator[None]:
        """Set ``waiter.moved`` when something happens for it; called in the event loop."""
        loop = asyncio.get_running_loop()
        first = not self._waiters
        self._waiters.add(waiter)
        if first:
            self._end = self._mirror.listen(lambda: self._plan(loop))
        try:
            yield
        finally:
            self._waiters.discard(waiter)
            if not self._waiters:
                self._end()

    def news(self, waiter: Waiter) -> list[Event] | None:
        """What happened since ``waiter.since``, which goes on to now; None if that is not known any more."""
        changes = self._mirror.since(waiter.since)
        if not changes:
            return None if changes is None else []
        events = self._meaning(waiter, changes)
        waiter.since = changes[-1].revision
        return events

    def _meaning(self, waiter: Waiter, changes: list[AnyChange]) -> list[Event]:
        """The events of these changes, which many watches ask for. Kinds that are read from the store are asked in
        threads, each watch for itself."""
        if waiter.collection.kind.stored:
            return list(waiter.collection.events(changes))
        key = (id(waiter.collection), waiter.since, changes[-1].revision)
        found = self._events.get(key)
        if found is None:
            if len(self._events) >= KEPT:
                self._events.clear()
            found = self._events[key] = list(waiter.collection.events(changes))
        return found

    def _plan(self, loop: asyncio.AbstractEventLoop) -> None:
        """In the mirror's thread. What happens before the planned moment is seen then."""
        if not self._planned:
            self._planned = True
            loop.call_soon_threadsafe(loop.call_later, PAUSE_SECONDS, self._wake)

    def _wake(self) -> None:
        self._planned = False
        self._events.clear()
        for waiter in self._waiters:
            if not waiter.moved.is_set() and self._concerns(waiter):
                waiter.moved.set()

    def _concerns(self, waiter: Waiter) -> bool:
        """Whether something happened where it looks. If not, it has told everything up to now."""
        changes = self._mirror.since(waiter.since)
        if changes is None or (changes and waiter.collection.kind.stored):
            return True
        if changes:
            events = self._meaning(waiter, changes)
            if any(waiter.namespace in (None, each.object.namespace) for each in events):
                return True
            waiter.since = changes[-1].revision
        return False
