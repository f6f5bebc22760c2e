"""The state of ``cmaes``, worked out from the history: generation by generation, restart by restart."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from algorithms.randomness import generator, integer_seed
from katib.core.history import History, View
from katib.core.space import SearchSpace
from katib.core.trial import Trial

GENERATION = "cmaes/generation"  # 0, 1, 2, ... over all restarts
DRAW = "cmaes/draw"  # draws that this trial passed over because they had been tried
KNOWN = "cmaes/known"  # finished trials when the first of the search was drawn, where it began at the best of them

SIGMA = 1 / 6  # deviation at the start, as a share of each range

_LEAST_KNOWN = 10  # trials, for a start at the best of them
_BEST = 0.1  # share of them that counts as the best
_LEAST_POPULATION = 4  # of fewer, nothing about the shape of a distribution is learned
_RESTARTS = 2**62  # beyond every trial number: restart r has the random numbers of trial _RESTARTS + r


@dataclass(frozen=True, slots=True)
class Start:
    """Where a run begins. mean: (d,) in the unit cube. sigma, population: None for the default ones. best: (k, d) the
    best points that are known, at which it begins instead of ``mean``; k is 0 if there are none."""

    mean: Sequence[float]
    sigma: float | None
    population: int | None
    best: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)))


class SearchDistribution(Protocol):
    """What points are drawn from. A draw is opaque: more is remembered of it than the point that it is rounded to."""

    population: int
    converged: bool

    def draws(self, seed: int) -> Iterator[Any]:
        """Draws without end; the same ones for the same seed until the distribution learns."""
        ...

    def point(self, draw: Any) -> list[float]:
        """The draw's coordinates (d,) in the unit cube."""
        ...

    def draw_at(self, point: Sequence[float]) -> Any:
        """What could have been drawn at ``point``."""
        ...

    def learn(self, draws: Sequence[Any], ranks: Sequence[int]) -> None:
        """Move towards draws of low rank; there are ``population`` of them."""
        ...


Begin = Callable[[SearchSpace, Start], SearchDistribution]


@dataclass(frozen=True, slots=True)
class Restarts:
    """How a run begins. strategy: none, ipop or bipop. sigma, population: of the first run, None for the default ones.
    factor: by which the population grows from restart to restart."""

    strategy: str
    sigma: float | None
    population: int | None
    factor: int

    def is_large(self, spent: Spent) -> bool:
        """Whether the next run is one with a larger population: always with ipop, else where less was spent on them."""
        return self.strategy == "ipop" or spent.large <= spent.small

    def large(self, first: int, spent: Spent) -> tuple[float, int]:
        """Sigma and population of a large run. first: population of the first run."""
        return self.sigma or SIGMA, first * self.factor ** (spent.large_runs + 1)

    def small(self, first: int, spent: Spent, dice: Sequence[float]) -> tuple[float, int]:
        """Sigma and population of a small run (Hansen 2009, "Benchmarking a BI-population CMA-ES on the BBOB-2009
        function testbed", section 2); ``dice`` are two numbers in [0, 1)."""
        growth = self.factor**spent.large_runs / 2
        return (self.sigma or SIGMA) * 10 ** (-2 * dice[0]), max(
            math.floor(first * growth ** (dice[1] ** 2)), _LEAST_POPULATION
        )


@dataclass(slots=True)
class Spent:
    """Trials and runs so far. The first run counts as a small one."""

    small: int = 0
    large: int = 0
    runs: int = 0
    large_runs: int = 0


class Replay:
    """Carries the state on as trials finish. What it is depends on the history alone, not on when it was asked for.

    begun: a trial of the search has been seen; before, each call must have a new one. known: finished trials that the
    start was worked out from, 0 for none. generation: the present one, over all restarts. over: converged, and no
    strategy to start again.
    """

    def __init__(self, history: History, restarts: Restarts, seed: int, begin: Begin) -> None:
        self._space, self._restarts, self._seed, self._begin = history.space, restarts, seed, begin
        mean = [0.5 if each.default is None else each.to_unit(each.default) for each in self._space]
        first = first_labelled(history)
        self.begun = first is not None
        known = int(first.labels.get(KNOWN, 0)) if first is not None else len(history.view().numbers)
        best = best_known(history, known)
        self.known = known if len(best) else 0
        self.distribution = begin(self._space, Start(mean, restarts.sigma, restarts.population, best))
        self.generation = 0
        self.over = False
        self._first_population = self.distribution.population
        self._spent = Spent()
        self._large = False  # whether this run is one with a larger population
        self._first_generation = 0  # of this run
        self._of_generation: defaultdict[int, list[Trial]] = defaultdict(list)
        self._draws: dict[int, Any] = {}  # by trial number
        self._members: list[tuple[Any, Rank]] = []
        self._seen = self._rows = 0

    def catch_up(self, history: History) -> None:
        """Take in what was proposed and what has finished since the last call."""
        for number in range(self._seen, history.next_number):
            trial = history.trials.get(number)
            if trial is not None and GENERATION in trial.labels:
                self._of_generation[int(trial.labels[GENERATION])].append(trial)
        self._seen = history.next_number
        self._repeat_draws()
        view = history.view()
        while self._rows < len(view.numbers) and not self.over:
            self._add_member(history, view, self._rows)
            self._rows += 1
            if len(self._members) == self.distribution.population:
                self._end_generation()

    def _repeat_draws(self) -> None:
        """The draws of all trials of the present generation; the distribution that they came from is gone after it."""
        for trial in self._of_generation.pop(self.generation, ()):
            draws = self.distribution.draws(integer_seed(self._seed, trial.number))
            draw = next(islice(draws, int(trial.labels[DRAW]), None))
            if self._space.from_unit(self.distribution.point(draw)) == trial.parameters:
                self._draws[trial.number] = draw

    def _add_member(self, history: History, view: View, row: int) -> None:
        number = int(view.numbers[row])
        label = history.trials[number].labels.get(GENERATION)
        draw = self._draws.pop(number, None)
        if label is None or int(label) < self._first_generation or not view.in_space[row]:
            return
        if draw is None:
            draw = self.distribution.draw_at([0.5 if math.isnan(u) else u for u in view.X[row].tolist()])
        self._members.append((draw, _rank_of(view, row)))

    def _end_generation(self) -> None:
        order = sorted({rank for _, rank in self._members})
        if len(order) > 1:
            ranks = [order.index(rank) for _, rank in self._members]
            self.distribution.learn([draw for draw, _ in self._members], ranks)
        if self._large:
            self._spent.large += len(self._members)
        else:
            self._spent.small += len(self._members)
        self._members = []
        self.generation += 1
        if self.distribution.converged:
            self._start_again()
        self._repeat_draws()

    def _start_again(self) -> None:
        if self._restarts.strategy == "none":
            self.over = True
            return
        spent, first = self._spent, self._first_population
        self._large = self._restarts.is_large(spent)
        spent.runs += 1
        dice: list[float] = generator(self._seed, _RESTARTS + spent.runs).random(2 + len(self._space)).tolist()
        sizes = self._restarts.large(first, spent) if self._large else self._restarts.small(first, spent, dice)
        spent.large_runs += self._large
        self.distribution = self._begin(self._space, Start(dice[2:], *sizes))
        self._first_generation = self.generation


def first_labelled(history: History) -> Trial | None:
    """The first trial that belongs to a generation."""
    trials = (history.trials.get(number) for number in range(history.next_number))
    return next((trial for trial in trials if trial is not None and GENERATION in trial.labels), None)


def best_known(history: History, known: int) -> NDArray[np.float64]:
    """Points (k, d) of the best tenth of the first ``known`` rows of the view that have a value and violate nothing,
    inactive coordinates in the middle; k is 0 if they are few."""
    view = history.view()
    usable = view.in_space & ~view.failed & ~(view.violations > 0).any(axis=1)
    rows = np.flatnonzero(usable[:known])
    if len(rows) < _LEAST_KNOWN:
        return np.empty((0, len(history.space)))
    best = rows[np.argsort(view.Y[rows, 0], kind="stable")][: math.ceil(_BEST * len(rows))]
    return np.nan_to_num(view.X[best], nan=0.5)


Rank = tuple[int, float]


def _rank_of(view: View, row: int) -> Rank:
    """Smaller is better: those with a value, then those that violate a constraint, then those that failed."""
    if view.failed[row]:
        return 2, 0.0
    violation = float(np.maximum(view.violations[row], 0).sum())
    return (1, violation) if violation > 0 else (0, float(view.Y[row, 0]))
