"""Trials by the resource that they were given: a rung for each, the shortest trainings first.

A trial belongs to the highest rung that its resource reaches. Without a resource all trials are on one rung.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from algorithms.batch import Batch
from algorithms.gp_nas.encoding import Describer, Description
from katib.core.trial import Parameters


@dataclass
class Rung:
    """known: finished trials with their losses, in order of their ends; those that ``failed`` have the largest one.
    numbers: of these trials. pending: what runs, or is proposed in this call. seen: signatures of all of them."""

    known: list[Description] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    failed: list[bool] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    pending: list[Description] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    @property
    def started(self) -> int:
        """Trials of this rung, of which a killed one is none."""
        return len(self.known) + len(self.pending)


class Rungs:
    """All trials of a history and a batch."""

    def __init__(self, batch: Batch, describer: Describer, name: str, resources: Sequence[int]) -> None:
        """name, resources: parameter that carries the resource, and what each rung has of it; "" and () without one."""
        self._name, self._resources = name, resources
        self.rungs = [Rung() for _ in resources or [0]]
        history, view = batch.history, batch.history.view()
        shown = set()
        for number, loss, inside in zip(view.numbers.tolist(), view.Y[:, 0].tolist(), view.in_space, strict=True):
            shown.add(number)
            if inside:
                trial = history.trials[number]
                rung, found = self.of(trial.parameters), describer.of_point(trial.parameters)
                rung.seen.add(found.signature)
                rung.known.append(found)
                rung.losses.append(loss)
                rung.numbers.append(number)
        others = (trial for number, trial in sorted(history.trials.items()) if number not in shown)
        for trial in others:  # pending and killed ones
            if history.space.contains(trial.parameters):
                rung, found = self.of(trial.parameters), describer.of_point(trial.parameters)
                rung.seen.add(found.signature)
                rung.pending += [found] * (trial.number in history.active)
        for suggestion in batch.suggestions:
            rung, found = self.of(suggestion.parameters), describer.of_point(suggestion.parameters)
            rung.seen.add(found.signature)
            rung.pending.append(found)
        for rung in self.rungs:
            _fill_in(rung)

    @property
    def seen(self) -> set[str]:
        """Signatures of all architectures that were tried."""
        return set().union(*(rung.seen for rung in self.rungs))

    @property
    def releases(self) -> frozenset[int]:
        """Trials that nothing goes on from: they failed, or have gone on and their successor has ended."""
        found: set[int] = set()
        for below, above in itertools.pairwise(self.rungs):
            ended = {each.signature for each in above.known}
            lines = zip(below.known, below.failed, below.numbers, strict=True)
            found.update(number for each, failed, number in lines if failed or each.signature in ended)
        return frozenset(found)

    def of(self, parameters: Parameters) -> Rung:
        """The rung of a trial."""
        if not self._resources:
            return self.rungs[0]
        reached = bisect_right(self._resources, int(str(parameters[self._name])))
        return self.rungs[max(reached - 1, 0)]


def _fill_in(rung: Rung) -> None:
    """Failed trials get the largest loss that was seen; as long as all have failed, nothing is known."""
    rung.failed = [not np.isfinite(loss) for loss in rung.losses]
    if all(rung.failed):
        rung.known, rung.losses, rung.failed, rung.numbers = [], [], [], []
    else:
        largest = float(np.nanmax(rung.losses))
        rung.losses = [largest if failed else loss for loss, failed in zip(rung.losses, rung.failed, strict=True)]


def resources(least: int, most: int, eta: int) -> tuple[int, ...]:
    """What each rung has: as many rungs as fit with at least ``eta`` times the resource of the one before, from the
    least to the most, in equal ratios."""
    steps = 0
    while least * eta ** (steps + 1) <= most:
        steps += 1
    return (*tuple(round(least * (most / least) ** (step / steps)) for step in range(steps)), most)
