"""Runs that are over, as far as a controller remembers them."""

from __future__ import annotations

import time
from collections import OrderedDict

from katib.core.trial import AttemptId
from trial_runners.ray.slots import Ended

REMEMBERED = 10_000
"""Those of earlier are found by their folders."""


class Ends:
    """The newest ends, by attempt."""

    def __init__(self) -> None:
        self._ends: OrderedDict[AttemptId, Ended] = OrderedDict()
        self._released: set[AttemptId] = set()

    def __contains__(self, id: object) -> bool:
        return id in self._ends

    def get(self, id: AttemptId) -> Ended | None:
        """How it ended, None if it is not known to have."""
        return self._ends.get(id)

    def add(self, end: Ended) -> Ended | None:
        """Remember it, with what was told before if it brings nothing; the one that is forgotten for it, if any."""
        known = self._ends.get(end.id)
        told = end.told or (known.told if known else None)  # an agent may have been heard before the actor
        self._ends[end.id] = end._replace(told=told, at=time.monotonic())
        return self._ends.popitem(last=False)[1] if len(self._ends) > REMEMBERED else None

    def forget(self, id: AttemptId) -> None:
        """As if it had never ended."""
        self._ends.pop(id, None)

    def release(self, id: AttemptId, *, running: bool) -> None:
        """Forget it for good. running: its actor may still say that it ended."""
        self.forget(id)
        if running:
            self._released.add(id)

    def expects(self, id: AttemptId) -> bool:
        """Whether its end matters; it does not, once, after it was released while it ran."""
        if id in self._released:
            self._released.discard(id)
            return False
        return True
