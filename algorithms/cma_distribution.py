"""The part of ``cmaes`` that talks to the cmaes package: its CatCMAwM over the unit cube."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from cmaes import CatCMAwM

from algorithms.cma_replay import Start
from katib.core.space import Choice, Parameter, SearchSpace

_MOST_INTEGERS = 64  # values of a grid; the package keeps a table of them
_PRECISION = 1e-6  # share of a range: points that are nearer to each other make no difference


class CatCMADistribution:
    """A normal distribution with margin, and categories. Parameters with a single value are left out of it.

    Losses are told as ranks, which the method is a function of but for its penalty beyond the bounds; so values of any
    size do, and the penalty keeps its proportion.
    """

    def __init__(self, space: SearchSpace, start: Start) -> None:
        self._width = len(space)
        places = [i for i, parameter in enumerate(space) if parameter.count > 1]
        self._categories = [i for i in places if _is_category(space.parameters[i])]
        numeric = [i for i in places if i not in self._categories]
        self._integers = [i for i in numeric if space.parameters[i].count <= _MOST_INTEGERS]
        self._continuous = [i for i in numeric if i not in self._integers]
        self._counts = [int(space.parameters[i].count) for i in self._categories]
        self._normal = [*self._continuous, *self._integers]
        self.population = start.population or 4 + math.floor(3 * math.log(max(len(places), 1)))
        self.converged = False
        self._cma = CatCMAwM(
            x_space=[[0.0, 1.0]] * len(self._continuous) or None,
            z_space=[_coordinates(space.parameters[i]) for i in self._integers] or None,
            c_space=self._counts or None,
            population_size=self.population,
            mean=np.array([start.mean[i] for i in self._normal]),
            sigma=start.sigma,
            cov=np.eye(len(self._normal)),
            seed=0,  # each trial's draws have a seed of their own
        )

    def draws(self, seed: int) -> Iterator[Any]:
        """Draws without end; the same ones for the same seed until the distribution learns."""
        self._cma.reseed_rng(seed)
        while True:
            yield self._cma.ask()

    def point(self, draw: Any) -> list[float]:
        """The draw's coordinates (d,) in the unit cube."""
        point = [0.5] * self._width
        for places, values in ((self._continuous, draw.x), (self._integers, draw.z)):
            for place, value in zip(places, () if values is None else values.tolist(), strict=True):
                point[place] = value
        for row, place in enumerate(self._categories):
            point[place] = (int(np.argmax(draw.c[row])) + 0.5) / self._counts[row]
        return point

    def draw_at(self, point: Sequence[float]) -> Any:
        """What could have been drawn at ``point``."""
        raw = np.array([point[i] for i in self._normal])
        chosen = np.zeros((len(self._counts), max(self._counts, default=0)), dtype=bool)
        for row, (place, count) in enumerate(zip(self._categories, self._counts, strict=True)):
            chosen[row, min(int(point[place] * count), count - 1)] = True
        x, z = np.split(raw, [len(self._continuous)])
        return CatCMAwM.Solution(x, z, chosen, raw)

    def learn(self, draws: Sequence[Any], ranks: Sequence[int]) -> None:
        """Move towards draws of low rank; there are ``population`` of them."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # where many ranks are equal, their spread is zero, which does no harm
            self._cma.tell([(draw, float(rank)) for draw, rank in zip(draws, ranks, strict=True)])
            stopped = bool(self._normal) and self._cma.should_stop()
        if self._continuous:
            points = np.array([draw.x for draw in draws])
            stopped = stopped or float(np.ptp(points, axis=0).max()) < _PRECISION
        self.converged = stopped


def _is_category(parameter: Parameter) -> bool:
    """Two values have no distance between them that a normal distribution could learn from."""
    return isinstance(parameter, Choice) or parameter.count == 2


def _coordinates(parameter: Parameter) -> list[float]:
    return [parameter.to_unit(parameter.value_at(index)) for index in range(int(parameter.count))]
