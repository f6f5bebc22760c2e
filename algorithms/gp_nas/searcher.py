"""The searcher: random architectures first, then the candidate of largest expected improvement.

With a resource, new architectures get the smallest one; whenever as much was spent on a rung as one more trial of the
next one costs, the architecture from which the next one expects the most goes on to it.

Each suggestion is a function of the history and its own number: random numbers come from (seed, number),
hyperparameters from the finished prefix.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np

from algorithms.architecture.spaces import ArchitectureSpace
from algorithms.batch import Batch
from algorithms.bayesian.acquisition import LogExpectedImprovement
from algorithms.bayesian.anchors import Memory
from algorithms.bayesian.kernels import Floats
from algorithms.bayesian.warp import half_rank, standardized
from algorithms.gp_nas.candidates import candidates
from algorithms.gp_nas.encoding import Describer, Description, Encoding
from algorithms.gp_nas.predictor import predictor
from algorithms.gp_nas.rungs import Rung, Rungs
from algorithms.randomness import generator, uniforms
from algorithms.unseen import first_unseen
from katib.core.history import History
from katib.core.trial import Parameters, Proposal, Value

_GOOD = 10  # architectures that are changed
_DRAWN = 5  # of which the largest is a first trial, where large ones are expected to be good
_FEW = 4  # trials of a rung, up to which the rung below chooses alone


class Searcher:
    """Suggests one architecture at a time."""

    describer = Describer

    def __init__(
        self,
        architectures: ArchitectureSpace,
        seed: int,
        initial: int,
        name: str = "",
        resources: Sequence[int] = (),
        *,
        by_size: bool = False,
    ) -> None:
        """initial: random trials before the model is asked. name, resources: parameter that carries the resource, and
        what each rung has of it; none where all trials have the same. by_size: the first trials are large networks,
        and the model knows sizes."""
        self._space, self._seed, self._initial = architectures.space, seed, initial
        self._name, self._resources = name, resources
        self._by_size = by_size
        self._describer = self.describer(architectures, sized=by_size)
        self._memory = Memory()

    def suggest(self, history: History, count: int) -> Proposal:
        """``count`` trials or, if there are none until others end, fewer; ``exhausted`` if there is nothing left."""
        batch = Batch(history)
        first = rungs = self._rungs(batch)
        while len(batch.suggestions) < count and self._add(batch, rungs):
            rungs = self._rungs(batch)
        ended = count > 0 and not batch.suggestions and not history.active
        return batch.proposal(exhausted=ended, releases=first.releases)

    def _add(self, batch: Batch, rungs: Rungs) -> bool:
        """Add the next trial; False if there is none."""
        if self._promote(batch, rungs, due=True):
            return True
        point = self._new(batch, rungs)
        if point is not None:
            batch.add(point)
            return True
        return self._promote(batch, rungs, due=False)

    def _rungs(self, batch: Batch) -> Rungs:
        return Rungs(batch, self._describer, self._name, self._resources)

    def _new(self, batch: Batch, rungs: Rungs) -> Parameters | None:
        """An architecture for the lowest rung, None if all were tried."""
        lowest, seen = rungs.rungs[0], rungs.seen
        found = None
        if len(lowest.known) >= 2 and lowest.started >= self._initial:
            found = self._best(batch.number, lowest, seen)
        return self._with(found, 0) if found is not None else self._random(batch, seen)

    def _best(self, number: int, rung: Rung, seen: set[str]) -> dict[str, Value] | None:
        """The candidate of largest expected improvement, None if each is equivalent to one that was tried."""
        good = np.argsort(rung.losses, kind="stable")[:_GOOD]
        rng = generator(self._seed, number)
        rows = candidates(np.stack([rung.known[i].row for i in good]), self._describer.counts, rng)
        described = (self._describer.of(row) for row in rows)
        new = list({each.signature: each for each in described if each.signature not in seen}.values())
        return self._describer.point(new[int(np.argmax(self._utility(rung, new)))].row) if new else None

    def _random(self, batch: Batch, seen: set[str]) -> Parameters | None:
        """A random architecture that is equivalent to none; where all are, one that was not tried."""
        space, describer = self._space, self._describer

        def equivalent(point: Parameters) -> bool:
            return describer.of_point(point).signature in seen

        def taken(point: Parameters) -> bool:
            return batch.taken(self._with(point, 0))

        if self._by_size and (found := self._largest(batch.number, seen)) is not None:
            return self._with(found, 0)
        coordinates, rng = uniforms(self._seed, batch.number, len(space)), partial(generator, self._seed, batch.number)
        for refused in (equivalent, taken):
            point = first_unseen(space, coordinates, rng, refused)
            if point is not None:
                return self._with(point, 0)
        return None

    def _largest(self, number: int, seen: set[str]) -> dict[str, Value] | None:
        """Of some random architectures the largest that is equivalent to none, None if each is."""
        counts = self._describer.counts
        rows = generator(self._seed, number).integers(counts, size=(_DRAWN, len(counts)))
        new = [each for each in map(self._describer.of, rows) if each.signature not in seen]
        return self._describer.point(max(new, key=lambda each: each.size).row) if new else None

    def _promote(self, batch: Batch, rungs: Rungs, due: bool) -> bool:
        """Let an architecture go on to the next rung, the highest one first. due: only where enough was spent below."""
        for place in range(len(self._resources) - 1, 0, -1):
            below, above = rungs.rungs[place - 1], rungs.rungs[place]
            spent = len(below.known) * self._resources[place - 1]
            if due and (above.started + 1) * self._resources[place] > spent:
                continue
            known = zip(below.known, below.failed, strict=True)
            left = [i for i, (each, failed) in enumerate(known) if not failed and each.signature not in above.seen]
            if left:
                chosen = left[self._best_to_go_on(below, above, left)]
                point = self._describer.point(below.known[chosen].row)
                batch.add(self._with(point, place), parent=below.numbers[chosen])
                return True
        return False

    def _best_to_go_on(self, below: Rung, above: Rung, left: list[int]) -> int:
        """Which of the trials ``left`` of the rung below."""
        if len(above.known) < _FEW:
            return int(np.argmin([below.losses[i] for i in left]))
        losses = standardized(half_rank(np.array(below.losses)))
        by_signature = dict(zip((each.signature for each in below.known), losses, strict=True))
        return int(np.argmax(self._utility(above, [below.known[i] for i in left], by_signature)))

    def _utility(self, rung: Rung, others: list[Description], below: dict[str, float] | None = None) -> Floats:
        """Logarithm of the improvement that the model of a rung expects of other architectures. below: their losses on
        the rung below, and those of the rung's own trials, as a further feature."""
        encoding = Encoding(self._describer, rung.known + rung.pending)

        def features(described: list[Description]) -> Floats:
            columns = [[math.log1p(each.size) for each in described]] * self._by_size
            columns += [] if below is None else [[below.get(each.signature, 0.0) for each in described]]
            return np.column_stack([encoding.features(described), *columns])

        known, kinds = features(rung.known), encoding.owner.max() + 1
        owner = np.append(encoding.owner, kinds + np.arange(known.shape[1] - len(encoding.owner)))
        process = predictor(known, owner, np.array(rung.losses), features(rung.pending), self._memory)
        return LogExpectedImprovement(process).values(features(others))

    def _with(self, point: Parameters, place: int) -> Parameters:
        """The point with the resource of a rung."""
        return {**point, self._name: self._resources[place]} if self._resources else point
