"""Watches: what happens to the objects of a kind, as a stream of lines, from a revision on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool

from katib.server.forms import WHOLE, Form
from katib.server.mirror import ChangeType, Mirror
from katib.server.objects import Collection, Event, Object, encode
from katib.server.selectors import Matches
from katib.server.status import failure
from katib.server.wakeups import Waiter, Wakeups

BOOKMARK_SECONDS = 30.0
LIMIT_SECONDS = 1800.0  # of a watch whose client names none; it then asks again

_EXPIRED = "the revision is too old: list again"


@dataclass(frozen=True, slots=True)
class Request:
    """What is watched. since: the revision after which to begin, None to be told first what there is. matches: which
    objects, None for all. bookmarks: tell the revision from time to time. seconds: after which the watch ends. form:
    of the objects."""

    collection: Collection
    namespace: str | None
    since: int | None
    matches: Matches | None = None
    bookmarks: bool = False
    initial_end: bool = False
    seconds: float | None = None
    form: Form = WHOLE


class Watch:
    """One watch, as its client has seen it so far."""

    def __init__(self, mirror: Mirror, wakeups: Wakeups, request: Request) -> None:
        self._wakeups = wakeups
        self._request = request
        self._told: dict[tuple[str, str], int] = {}  # objects that the client has -> revision
        since = mirror.revision if request.since is None else request.since
        self.waiter = Waiter(request.collection, request.namespace, since)

    def begin(self) -> Iterator[bytes]:
        """The first lines: what there is, if that was asked for."""
        request = self._request
        if request.since is not None:
            return
        for each in request.collection.list(request.namespace):
            if request.matches is None or request.matches(each):
                self._told[each.namespace, each.name] = each.revision
                yield self._line(ChangeType.ADDED, each)
        if request.initial_end:
            yield self.bookmark({"k8s.io/initial-events-end": "true"})

    def news(self) -> Iterator[bytes]:
        """Lines on what happened since. Raises Expired if that is not known any more."""
        events = self._wakeups.news(self.waiter)
        if events is None:
            raise Expired
        yield from self._lines(events)

    def bookmark(self, annotations: dict[str, str] | None = None) -> bytes:
        """A line that tells nothing but the revision."""
        metadata = {"resourceVersion": str(self.waiter.since)} | ({"annotations": annotations} if annotations else {})
        tree = self._request.form.bookmark(self._request.collection.kind, metadata)
        return encode({"type": "BOOKMARK", "object": tree}) + b"\n"

    def _lines(self, events: Iterable[Event]) -> Iterator[bytes]:
        request = self._request
        for type, each in events:
            if request.namespace not in (None, each.namespace):
                continue
            place = (each.namespace, each.name)
            wanted = type is not ChangeType.DELETED and (request.matches is None or request.matches(each))
            told = self._told.get(place)
            if wanted and told == each.revision:
                continue  # an earlier change was told by this newer state
            if wanted:
                self._told[place] = each.revision
                yield self._line(type if told is None else ChangeType.MODIFIED, each)
            elif told is not None or (request.matches is None or request.matches(each)):
                self._told.pop(place, None)
                yield self._line(ChangeType.DELETED, each)

    def _line(self, type: ChangeType, each: Object) -> bytes:
        body = self._request.form.object(self._request.collection.kind, each)
        return b'{"type":"%s","object":%s}\n' % (type.value.encode(), body)


class Expired(Exception):
    """What happened since a revision is not known any more."""


async def stream(mirror: Mirror, wakeups: Wakeups, request: Request) -> AsyncIterator[bytes]:
    """The lines of a watch, until its time is over or its client leaves."""
    watch = Watch(mirror, wakeups, request)
    moved, deadline = watch.waiter.moved, time.monotonic() + (request.seconds or LIMIT_SECONDS)

    async def lines_of(tell: Callable[[], Iterator[bytes]]) -> bytes:
        if request.collection.kind.stored:
            return await run_in_threadpool(lambda: b"".join(tell()))
        return b"".join(tell())

    try:
        with wakeups.waiting(watch.waiter):
            if first := await lines_of(watch.begin):
                yield first
            while (remaining := deadline - time.monotonic()) > 0:
                moved.clear()
                if lines := await lines_of(watch.news):
                    yield lines
                try:
                    await asyncio.wait_for(moved.wait(), min(remaining, BOOKMARK_SECONDS))
                except TimeoutError:
                    if request.bookmarks:
                        yield watch.bookmark()
    except Expired:
        yield encode({"type": "ERROR", "object": failure(410, "Expired", _EXPIRED)}) + b"\n"
