"""The searcher: random architectures first, then the candidate of largest expected improvement.

Each suggestion is a function of the history and its own number: random numbers come from (seed, number),
hyperparameters from the finished prefix.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np

from algorithms.architecture.spaces import ArchitectureSpace
from algorithms.batch import Batch
from algorithms.bayesian.acquisition import LogExpectedImprovement
from algorithms.bayesian.anchors import Memory
from algorithms.bayesian.kernels import Floats
from algorithms.gp_nas.candidates import candidates
from algorithms.gp_nas.encoding import Describer, Description, Encoding
from algorithms.gp_nas.predictor import predictor
from algorithms.randomness import generator, uniforms
from algorithms.unseen import first_unseen
from katib.core.trial import Parameters

_GOOD = 10  # architectures that are changed


class _Observed(NamedTuple):
    """known: finished trials in order of their ends. losses: (n,) theirs. pending: trials that run, or are proposed in
    this call. seen: signatures of all trials."""

    known: list[Description]
    losses: Floats
    pending: list[Description]
    seen: set[str]


class Searcher:
    """Suggests one architecture at a time."""

    def __init__(self, architectures: ArchitectureSpace, seed: int, initial: int) -> None:
        """initial: random trials before the model is asked."""
        self._seed, self._initial = seed, initial
        self._describer = Describer(architectures)
        self._memory = Memory()

    def next(self, batch: Batch) -> Parameters | None:
        """The next architecture, None if all were tried."""
        observed = self._observed(batch)
        values = len(observed.known)
        if values >= 2 and values + len(observed.pending) >= self._initial:
            found = self._best(batch, observed)
            if found is not None:
                return found
        return self._random(batch, observed.seen)

    def _best(self, batch: Batch, observed: _Observed) -> Parameters | None:
        """The candidate of largest expected improvement, None if each is equivalent to one that was tried."""
        rng, counts = generator(self._seed, batch.number), self._describer.counts
        good = np.argsort(observed.losses, kind="stable")[:_GOOD]
        rows = candidates(np.stack([observed.known[i].row for i in good]), counts, rng)
        described = (self._describer.of(row) for row in rows)
        new = list({each.signature: each for each in described if each.signature not in observed.seen}.values())
        if not new:
            return None
        encoding = Encoding(self._describer, observed.known + observed.pending)
        features, pending = encoding.features(observed.known), encoding.features(observed.pending)
        process = predictor(features, encoding.owner, observed.losses, pending, self._memory)
        utility = LogExpectedImprovement(process).values(encoding.features(new))
        return self._describer.point(new[int(np.argmax(utility))].row)

    def _random(self, batch: Batch, seen: set[str]) -> Parameters | None:
        """A random architecture that is equivalent to none; where all are, one that was not tried."""
        space, describer = batch.history.space, self._describer

        def equivalent(point: Parameters) -> bool:
            return describer.of(describer.row(point)).signature in seen

        draw = partial(
            first_unseen,
            space,
            uniforms(self._seed, batch.number, len(space)),
            partial(generator, self._seed, batch.number),
        )
        return draw(equivalent) or draw(batch.taken)

    def _observed(self, batch: Batch) -> _Observed:
        history, describe = batch.history, self._describer
        space, view = history.space, history.view()
        tried = {
            n: describe.of(describe.row(t.parameters))
            for n, t in history.trials.items()
            if space.contains(t.parameters)
        }
        rows = np.flatnonzero(view.in_space)
        losses = view.Y[rows, 0]
        measured = np.isfinite(losses)
        losses[~measured] = losses[measured].max() if measured.any() else 0.0
        suggested = [describe.of(describe.row(each.parameters)) for each in batch.suggestions]
        known = [tried[int(number)] for number in view.numbers[rows]] if measured.any() else []
        return _Observed(
            known=known,
            losses=losses[: len(known)],
            pending=[tried[number] for number in sorted(history.active) if number in tried] + suggested,
            seen={each.signature for each in [*tried.values(), *suggested]},
        )
