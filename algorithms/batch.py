"""Suggestions in the making: what an algorithm adds to the history within one call.

A batch counts as pending at once, so a batch of n is the same as n calls of one suggestion each.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping

from katib.core.history import History
from katib.core.trial import Parameters, Proposal, Suggestion


class Batch:
    """The history plus the suggestions made so far."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.suggestions: list[Suggestion] = []
        self._points: set[Hashable] = set()

    @property
    def number(self) -> int:
        """Number of the trial that is proposed next; where parameters run several times, of the first of its runs."""
        return self.history.next_number + len(self.suggestions) * self.history.objective.repeats

    def taken(self, parameters: Parameters) -> bool:
        """Whether these parameters were tried, are pending, are in the batch already, or break a constraint."""
        if self.history.number_of(parameters) is not None or not self.history.space.allows(parameters):
            return True
        return bool(self._points) and self.history.point(parameters) in self._points

    def add(self, parameters: Parameters, labels: Mapping[str, str] | None = None, parent: int | None = None) -> None:
        """Take a suggestion in."""
        self._points.add(self.history.point(parameters))
        self.suggestions.append(Suggestion(parameters, labels or {}, parent))

    def proposal(self, *, exhausted: bool = False, releases: frozenset[int] = frozenset()) -> Proposal:
        """The batch as an answer."""
        return Proposal(tuple(self.suggestions), exhausted, releases)


def filled(history: History, count: int, add_next: Callable[[Batch], bool]) -> Proposal:
    """A batch of ``count`` suggestions, each added by ``add_next``; exhausted once that finds none."""
    batch = Batch(history)
    for _ in range(count):
        if not add_next(batch):
            return batch.proposal(exhausted=True)
    return batch.proposal()


def filled_with(history: History, count: int, next_point: Callable[[Batch], Parameters | None]) -> Proposal:
    """``filled`` for an algorithm that gives a point and nothing else; None when it finds none."""

    def add_next(batch: Batch) -> bool:
        parameters = next_point(batch)
        if parameters is not None:
            batch.add(parameters)
        return parameters is not None

    return filled(history, count, add_next)
