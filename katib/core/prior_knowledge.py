"""The prior of a history: all sources as its own trials stand to them. Built when first asked for, never changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from katib.core.space import SearchSpace
from katib.core.transfer import Floats, FormerPoints, Relevance, relevance, spread
from katib.core.values import Parameters
from katib.core.view import View
from katib.core.warm_start import Source

_JUDGES = 64  # own trials, the first ones, by which sources are judged


class OwnTrials(Protocol):
    """What is read of the history that a prior belongs to."""

    def view(self) -> View:
        """Numbers of the finished trials."""
        ...

    def number_of(self, parameters: Parameters) -> int | None:
        """Number of the first trial with exactly these parameters, None if there is none."""
        ...


class Prior:
    """The sources that have points in the space, in the user's order."""

    def __init__(self, space: SearchSpace, sources: Sequence[Source]) -> None:
        found = [FormerPoints(space, source) for source in sources] if len(space) else []
        self.sources = [former for former in found if former.points]

    def relevances(self, history: OwnTrials) -> list[Relevance]:
        """One for each of ``sources``."""
        X, losses = _own(history)
        return [relevance(former, X, losses) for former in self.sources]

    def next_point(self, history: OwnTrials, count: int) -> Parameters | None:
        """The best point of before that is to be tried next, None once ``count`` of them were tried or none is left.

        Sources take turns, the most relevant first; one that the experiment's own trials refute gets no more.
        """
        if not self.sources:
            return None
        known = (former.points for former in self.sources)
        tried = {history.number_of(point) for points in known for point in points} - {None}
        if len(tried) >= count:
            return None
        ranked = sorted(zip(self.relevances(history), self.sources, strict=True), key=lambda pair: -pair[0].tau)
        best = [list(former.distinct()) for judged, former in ranked if not judged.refuted]
        turns = (
            points[turn] for turn in range(max(map(len, best), default=0)) for points in best if turn < len(points)
        )
        return next((point for point in turns if history.number_of(point) is None), None)

    def evidence(self, history: OwnTrials, most: int) -> tuple[Floats, Floats] | None:
        """At most ``most`` points of before (p, d) with losses (p,) on the scale of the experiment's own first target;
        None if no source is confirmed by its own trials."""
        X, losses = _own(history)
        found = []
        for former in self.sources:
            if relevance(former, X, losses).confirmed and most > 0:
                predicted = former.predict(X)
                slope, level = np.polyfit(predicted, losses, 1)
                if slope > 0:
                    found.append((former, former.scores * slope + level))
        if not found:
            return None
        share = -(-most // len(found))
        kept = [spread(len(scaled), share) for _, scaled in found]
        points = np.concatenate([former.X[rows] for (former, _), rows in zip(found, kept, strict=True)])
        return points[:most], np.concatenate([scaled[rows] for (_, scaled), rows in zip(found, kept, strict=True)])[
            :most
        ]


def _own(history: OwnTrials) -> tuple[Floats, Floats]:
    """The experiment's own points and losses of the first target that sources are judged by."""
    view = history.view()
    rows = np.flatnonzero(view.in_space & ~view.failed)[:_JUDGES]
    return view.X[rows], view.Y[rows, 0]
