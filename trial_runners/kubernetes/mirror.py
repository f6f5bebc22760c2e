"""A copy of the objects of one kind that belong to an experiment, kept up to date by list and watch.

One thread reads it all; nobody asks the server for a single object. Where the server cannot be reached the copy stays
as it was. It is listed anew when the server has forgotten where the watch broke off, and from time to time anyway.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from katib.core.errors import UnavailableError
from trial_runners.kubernetes.api import PATIENCE, Api, RefusedError, Request, Resource, Stream, Tree, UnansweredError
from trial_runners.kubernetes.names import ATTEMPT_LABEL, TRIAL_LABEL

_PAGE = 500
_GONE = 410

# Seconds that the server keeps one watch open, and until all is listed anew.
_WATCH_SECONDS = 290
_RELIST_SECONDS = 900.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0


class Mark(NamedTuple):
    """What an object of an attempt is known by: the values of its labels."""

    trial: str
    attempt: str


class Objects(NamedTuple):
    """Of one attempt: those that exist, and the last state of those that do not any more."""

    present: tuple[Tree, ...] = ()
    gone: tuple[Tree, ...] = ()


class Mirror:
    """The objects of one kind with one label. For any number of threads."""

    def __init__(
        self,
        api: Api,
        resource: Callable[[], Resource],
        namespace: str,
        selector: str,
        changed: Callable[[Mark], None],
    ) -> None:
        """resource: finds out which, and raises what ``Api.resource`` raises. changed: told of each attempt that
        something of changed, in the mirror's own thread."""
        self._api, self._find, self._namespace, self._selector = api, resource, namespace, selector
        self._changed = changed
        self._lock = threading.Lock()
        self._present: dict[Mark, dict[str, Tree]] = {}
        self._gone: dict[Mark, dict[str, Tree]] = {}
        self._kept: set[Mark] = set()
        self._synced = threading.Event()
        self._closed = threading.Event()
        self._problem: Exception = UnavailableError("the API server was not asked yet")
        self._stream: Stream | None = None
        self._thread = threading.Thread(target=self._run, name="katib-mirror", daemon=True)
        self._thread.start()

    def check(self, timeout: float) -> None:
        """Return once all was listed. Raises what stood in the way after ``timeout`` seconds: RunnerError or
        UnavailableError."""
        if not self._synced.wait(timeout):
            raise self._problem

    @property
    def synced(self) -> bool:
        """Whether all was listed once."""
        return self._synced.is_set()

    def of(self, mark: Mark) -> Objects:
        """The objects of an attempt."""
        with self._lock:
            return Objects(tuple(self._present.get(mark, {}).values()), tuple(self._gone.get(mark, {}).values()))

    def all(self) -> list[Tree]:
        """All objects that exist."""
        with self._lock:
            return [obj for objects in self._present.values() for obj in objects.values()]

    def put(self, obj: Tree) -> None:
        """Take in an object that was just made, before the watch tells of it."""
        with self._lock:
            self._put(obj)

    def keep(self, mark: Mark) -> None:
        """Remember the last state of an attempt's objects when they go."""
        with self._lock:
            self._kept.add(mark)

    def forget(self, mark: Mark) -> None:
        """No longer."""
        with self._lock:
            self._kept.discard(mark)
            self._gone.pop(mark, None)

    def close(self) -> None:
        """End the watch."""
        self._closed.set()
        if self._stream is not None:
            self._stream.cut()
        self._thread.join(timeout=5.0)

    def _run(self) -> None:
        version, listed, pause = "", 0.0, _FIRST_PAUSE
        while not self._closed.is_set():
            try:
                resource = self._find()
                if not version or time.monotonic() - listed > _RELIST_SECONDS:
                    version, listed = self._list(resource), time.monotonic()
                    self._synced.set()
                began = time.monotonic()
                version = self._watch(resource, version)
                pause = _FIRST_PAUSE if time.monotonic() - began > 1.0 else pause
            except _ForgottenError:
                version = ""
                continue
            except _BrokenError as error:
                version = error.version
                pause = _FIRST_PAUSE if error.lasted > _LONGEST_PAUSE else pause
            except (RefusedError, UnansweredError) as error:
                self._problem = error
            self._closed.wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _list(self, resource: Resource) -> str:
        """List all. Returns the version to watch from."""
        found: list[Tree] = []
        query: Tree = {"labelSelector": self._selector, "limit": _PAGE}
        while True:
            try:
                page = self._api.call(Request("list", resource, self._namespace, query=query), PATIENCE)
            except RefusedError as error:
                if error.status != _GONE or "continue" not in query:
                    raise
                raise _ForgottenError from error
            found.extend(page.get("items") or ())
            version = str(page["metadata"]["resourceVersion"])
            if not page["metadata"].get("continue"):
                break
            query = {**query, "continue": page["metadata"]["continue"]}
        with self._lock:
            marks = {mark for obj in found if (mark := self._put(obj)) is not None}
            marks |= self._drop_others(found, version)
        self._tell(marks)
        return version

    def _drop_others(self, found: Iterable[Tree], version: str) -> set[Mark]:
        """Take out what exists no more. What was made after the list was is none of that."""
        listed = {obj["metadata"]["uid"] for obj in found}
        missing = [
            obj
            for objects in self._present.values()
            for uid, obj in objects.items()
            if uid not in listed and not _is_newer(obj, version)
        ]
        return {mark for obj in missing if (mark := self._remove(obj)) is not None}

    def _watch(self, resource: Resource, version: str) -> str:
        """Follow changes until the server ends the watch. Returns the version to go on from. Raises _BrokenError,
        _ForgottenError, RefusedError, UnansweredError."""
        query = {
            "labelSelector": self._selector,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": _WATCH_SECONDS,
        }
        began = time.monotonic()
        try:
            stream = self._api.stream(Request("watch", resource, self._namespace, query=query), _WATCH_SECONDS + 30.0)
        except RefusedError as error:
            raise _ForgottenError if error.status == _GONE else error from error
        self._stream = stream
        if self._closed.is_set():
            stream.cut()
        try:
            for line in stream.lines():
                version = self._take(json.loads(line)) or version
        except (UnansweredError, ValueError) as error:
            raise _BrokenError(version, time.monotonic() - began) from error
        finally:
            self._stream = None
        return version

    def _take(self, event: Tree) -> str:
        """Take one event in. Returns its version."""
        obj = event["object"]
        if event["type"] == "ERROR":
            if obj.get("code") == _GONE:
                raise _ForgottenError
            raise UnansweredError(f"the watch was ended: {obj.get('message')}", int(obj.get("code") or 0))
        if event["type"] != "BOOKMARK":
            with self._lock:
                mark = self._remove(obj) if event["type"] == "DELETED" else self._put(obj)
            if mark is not None:
                self._tell({mark})
        return str(obj["metadata"]["resourceVersion"])

    def _tell(self, marks: set[Mark]) -> None:
        for mark in marks:
            self._changed(mark)

    def _put(self, obj: Tree) -> Mark | None:
        """Take in a state of an object. None if it is nobody's, or no newer than what is known."""
        metadata = obj["metadata"]
        mark, uid = mark_of(obj), metadata["uid"]
        if mark is None or uid in self._gone.get(mark, {}):
            return None
        known = self._present.get(mark, {}).get(uid)
        if known is not None and not _is_newer(obj, known["metadata"]["resourceVersion"]):
            return None
        metadata.pop("managedFields", None)
        self._present.setdefault(mark, {})[uid] = obj
        return mark

    def _remove(self, obj: Tree) -> Mark | None:
        mark, uid = mark_of(obj), obj["metadata"]["uid"]
        if mark is None:
            return None
        objects = self._present.get(mark, {})
        objects.pop(uid, None)
        if not objects:
            self._present.pop(mark, None)
        if mark in self._kept:
            self._gone.setdefault(mark, {})[uid] = obj
        return mark


class _ForgottenError(Exception):
    """The server does not know any more what happened since."""


class _BrokenError(Exception):
    """The watch broke off. version: to go on from. lasted: seconds."""

    def __init__(self, version: str, lasted: float) -> None:
        super().__init__(version)
        self.version, self.lasted = version, lasted


def mark_of(obj: Tree) -> Mark | None:
    """Whose an object is, None if it is no attempt's."""
    labels: dict[str, Any] = obj["metadata"].get("labels") or {}
    if TRIAL_LABEL not in labels:
        return None
    return Mark(labels[TRIAL_LABEL], labels.get(ATTEMPT_LABEL, "1"))


def _is_newer(obj: Tree, version: str) -> bool:
    """Whether an object's state is newer than a version. They are numbers that grow, in all servers there are."""
    own = obj["metadata"]["resourceVersion"]
    return int(own) > int(version) if own.isdigit() and version.isdigit() else own != version
