"""The requests that were answered: how many, and how long that took."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable

from katib.server.paths import place_of

#: Upper ends of the classes that durations fall into, in seconds.
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

_VERBS = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_ON_LISTS = {"get": "list", "delete": "deletecollection"}


class Traffic:
    """Counts of requests; of the event loop's thread."""

    def __init__(self, kinds: Iterable[str]) -> None:
        """kinds: plurals to count by; all else is counted together, since callers may ask for anything."""
        self.requests: Counter[tuple[str, str, int]] = Counter()  # (verb, kind, code)
        self.durations: dict[tuple[str, str], list[int]] = {}  # (verb, kind) -> requests by class
        self.seconds: dict[tuple[str, str], float] = {}
        self._kinds = frozenset(kinds)

    def add(self, method: str, path: str, code: int, seconds: float | None) -> None:
        """One request was answered. seconds: None for a watch, whose length says nothing of the server."""
        verb, kind = _VERBS.get(method, "other"), "other"
        place = place_of(path)
        if place is not None and place.plural in self._kinds:
            kind = place.plural
            verb = verb if place.name else _ON_LISTS.get(verb, verb)
        if seconds is None:
            self.requests["watch", kind, code] += 1
            return
        self.requests[verb, kind, code] += 1
        classes = self.durations.get((verb, kind))
        if classes is None:
            classes = self.durations[verb, kind] = [0] * (len(BUCKETS) + 1)
            self.seconds[verb, kind] = 0.0
        classes[bisect_left(BUCKETS, seconds)] += 1
        self.seconds[verb, kind] += seconds
