"""The optimiser: space-filling points first, then the point of largest utility under a model of all that is known.

Each suggestion is a function of the space, the history and its own number: random numbers come from (seed, number),
hyperparameters from the finished prefix (``anchors``).
"""

from __future__ import annotations

from functools import partial
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from algorithms.batch import Batch
from algorithms.bayesian.acquisition import (
    Direction,
    HypervolumeScalarization,
    LogExpectedImprovement,
    LogProbabilityBelow,
    LogProbabilityOfImprovement,
    LowerConfidenceBound,
    Sum,
    Utility,
)
from algorithms.bayesian.anchors import Memory
from algorithms.bayesian.encoding import Encoding
from algorithms.bayesian.kernels import Floats, squared_distances
from algorithms.bayesian.model import Model, Observed, build
from algorithms.bayesian.recipe import Recipe
from algorithms.bayesian.search import Region, candidates, maximize
from algorithms.former_trials import confirmed_trials
from algorithms.randomness import generator
from algorithms.sobol import sequence
from algorithms.unseen import first_unseen, unseen_points
from katib.core.experiment import ExperimentSpec
from katib.core.history import History
from katib.core.space import SearchSpace
from katib.core.trial import Value

Mask = NDArray[np.bool_]
Rows = NDArray[np.intp]

_ENUMERATED = 1024  # points of a finite space that are all compared
_GOOD = 5  # observed points whose surroundings are searched
_APART = 0.003  # of the cube between two trials that run at the same time

ACQUISITIONS = {
    "EI": LogExpectedImprovement,
    "PI": LogProbabilityOfImprovement,
    "LCB": LowerConfidenceBound,
}


class Suggester:
    """Suggests one point at a time."""

    def __init__(
        self, spec: ExperimentSpec, seed: int, initial: int | None, acquisition: str, recipe: Recipe | None = None
    ) -> None:
        """initial: space-filling trials, None for a number that suits space and budget. acquisition: a key of
        ACQUISITIONS, for a single objective. recipe: None for the default one."""
        self._seed = seed
        self._recipe = recipe or Recipe()
        self._initial = _initial(spec, self._recipe) if initial is None else initial
        self._acquisition = ACQUISITIONS[acquisition]
        self._point = sequence()
        self._encodings: dict[int, Encoding] = {}
        self._memory = Memory()

    def next(self, batch: Batch) -> dict[str, Value] | None:
        """The next point that is not taken, None if there is none."""
        space, rng = batch.history.space, generator(self._seed, batch.number)
        encoding = self._encoding(space)
        observed = _observed(batch, encoding, pending=self._recipe.pending)
        if not self._ready(observed) or not len(encoding.varying):
            filling = self._filling(batch)
            return first_unseen(space, filling, partial(generator, self._seed, batch.number), batch.taken)
        turn = self._recipe.turn(batch.number, observed.losses.shape[1])
        model = build(encoding, observed, self._memory, turn, failures=self._recipe.failures)
        direction = _direction(observed, model, rng)
        rows = _best_rows(observed, model, direction)
        region = Region.around(encoding, observed.points[rows[0]], turn.reach)
        if turn.branch and len(encoding.branching):
            region, rows = _branch(encoding, region, observed, rows, rng)
        utility = self._utility(observed, model, rows, direction)
        if space.cardinality <= _ENUMERATED:
            pool = list(islice(unseen_points(space, rng, batch.taken, tries=0), _ENUMERATED))
            points = encoding.canonical(np.array([space.to_unit(p) for p in pool]).reshape(-1, len(space)))
            return pool[int(np.argmax(utility.values(encoding.features(points))))] if pool else None
        points = candidates(encoding, observed.points[rows[:_GOOD]], region, rng)
        ranked = maximize(utility, encoding, region, _allowed(encoding, points))
        ranked = _preferred(ranked, _apart(ranked, observed.pending, _APART))
        if turn.reach is None:
            ranked = self._elsewhere(encoding, observed, model, ranked)
        untaken = (point for point in map(space.from_unit, np.nan_to_num(ranked, nan=0.5)) if not batch.taken(point))
        return next(untaken, None) or next(unseen_points(space, rng, batch.taken), None)

    def _encoding(self, space: SearchSpace) -> Encoding:
        if space.revision not in self._encodings:
            self._encodings[space.revision] = Encoding(space)
        return self._encodings[space.revision]

    def _ready(self, observed: Observed) -> bool:
        """Whether a model is worth more than one more space-filling point. Failed trials do not count; with two values
        known and the others on their way it does not wait."""
        values = int((~observed.failed).sum())
        if observed.former or self._initial == 0:
            return values > 0
        return values >= min(2, self._initial) and values + len(observed.pending) >= self._initial

    def _filling(self, batch: Batch) -> Floats:
        """The middle first, which is where most spaces are centred on purpose, then a scrambled Sobol sequence."""
        width, place = len(batch.history.space), batch.number
        if self._recipe.middle and not place:
            return np.full(width, 0.5)
        return np.asarray(self._point(self._seed, place - self._recipe.middle, width))

    def _elsewhere(self, encoding: Encoding, observed: Observed, model: Model, ranked: Floats) -> Floats:
        """Those of the points that are away from all trials, and all but sure to keep to each limit. In the end the
        most is expected where trials fail, for of these no loss is known; how far the allowed part reaches is for the
        turns that stay near the incumbent to find out."""
        chosen = _apart(ranked, observed.points, self._recipe.away * len(encoding.axes) ** 0.5)
        features = encoding.features(ranked)
        for limit in model.limits:
            chosen &= np.exp(LogProbabilityBelow(*limit).values(features)) >= self._recipe.sure
        return _preferred(ranked, chosen)

    def _utility(self, observed: Observed, model: Model, rows: Rows, direction: Direction) -> Utility:
        """rows: with values, the best first; of a branch alone, that is to be improved on in its own right."""
        parts: list[Utility] = [LogProbabilityBelow(*limit) for limit in model.limits]
        if len(model.objectives) > 1:
            parts.append(HypervolumeScalarization(model.objectives, direction))
        elif observed.feasible[rows[0]]:
            utility = self._acquisition(model.objectives[0])
            if len(rows) < len(model.rows) or not observed.feasible[rows].all():  # the incumbent is one of these rows
                least = model.losses[np.searchsorted(model.rows, rows[0]), 0]
                utility.process.lowest = np.full_like(utility.process.lowest, least)
            parts.append(utility)
        return Sum(parts)


def _initial(spec: ExperimentSpec, recipe: Recipe) -> int:
    """Two more than there are parameters, at most 15 % of the budget, within the recipe's bounds."""
    most = recipe.most if spec.budget.max_trials is None else int(0.15 * spec.budget.max_trials)
    return max(recipe.least, min(len(spec.space) + 2, recipe.most, most))


def _allowed(encoding: Encoding, points: Floats) -> Floats:
    """Those that keep to the constraints on parameters; all if none does."""
    space = encoding.space
    if not space.constraints:
        return points
    return _preferred(points, np.array([space.allows(space.from_unit(row)) for row in np.nan_to_num(points, nan=0.5)]))


def _apart(points: Floats, others: Floats, distance: float) -> Mask:
    """Which of the points are farther than this from each of the others. A second trial at nearly the same place would
    find out the same: where a trend is sure of its optimum while a trial there still runs, and where nothing but the
    last digits of an optimum is thought to be left to find."""
    places, taken = np.nan_to_num(points, nan=0.5), np.nan_to_num(others, nan=0.5)
    return np.asarray((squared_distances(places, taken, np.ones(places.shape[1])) > distance**2).all(axis=1))


def _preferred(points: Floats, chosen: Mask) -> Floats:
    """Those of the points that are chosen; all if none is."""
    return points[chosen] if chosen.any() else points


def _observed(batch: Batch, encoding: Encoding, *, pending: bool) -> Observed:
    history: History = batch.history
    view = history.view()
    rows = np.flatnonzero(view.in_space)
    former = confirmed_trials(history)
    suggested = [history.space.to_unit(s.parameters)[None] for s in batch.suggestions]
    points, losses, violations = view.X[rows], view.Y[rows], view.violations[rows]
    count = 0
    if former is not None and losses.shape[1] == 1 and not violations.shape[1]:
        count = len(former.points)
        points, losses = np.concatenate([former.points, points]), np.concatenate([former.losses[:, None], losses])
        violations = np.empty((len(points), 0))
    return Observed(
        points=encoding.canonical(points),
        losses=losses,
        violations=violations,
        former=count,
        pending=encoding.canonical(np.concatenate([history.pending(), *suggested])[: None if pending else 0]),
    )


def _branch(
    encoding: Encoding, region: Region, observed: Observed, rows: Rows, rng: np.random.Generator
) -> tuple[Region, Rows]:
    """One combination of the values that other parameters depend on: its part of the region, and of the rows."""
    axes = encoding.branching
    drawn = encoding.canonical(rng.random((1, len(encoding.axes))))[0, axes]
    inside = (observed.points[rows][:, axes] == drawn).all(axis=1)
    return region.fixed(axes, drawn), rows[inside] if inside.any() else rows


def _best_rows(observed: Observed, model: Model, direction: Direction) -> Rows:
    """Rows with values, the best first; those that keep to the constraints before the others."""
    feasible = observed.feasible[model.rows]
    return model.rows[np.lexsort((-direction.worth(model.losses), ~feasible))]


def _direction(observed: Observed, model: Model, rng: np.random.Generator) -> Direction:
    """One direction of a trade-off, drawn for this suggestion; the only one of a single objective. A tenth of the
    front's range beyond it, a point is worth nothing."""
    if len(model.objectives) == 1:
        return Direction(np.zeros(1), np.ones(1))
    losses = model.losses[observed.feasible[model.rows]]
    losses = losses if len(losses) else model.losses
    front = losses[[not (np.all(losses <= row, axis=1) & np.any(losses < row, axis=1)).any() for row in losses]]
    nadir = front.max(axis=0)
    reference = nadir + 0.1 * np.maximum(nadir - front.min(axis=0), 0.1)
    weights = np.abs(rng.standard_normal(losses.shape[1])) + 1e-3
    return Direction(reference, weights / np.linalg.norm(weights))
