"""The part of ``cmaes`` that talks to the cmaes package: its variants as distributions over the unit cube.

Losses are told as ranks, which the methods are a function of but for the penalty beyond bounds of ``CatCMAwM``; so
values of any size do, and the penalty keeps its proportion.
"""

from __future__ import annotations

import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from cmaes import CMA, CatCMAwM, CMAwM
from numpy.typing import NDArray

from algorithms.cma_replay import SIGMA, Start
from katib.core.space import Choice, Ordinal, Parameter, SearchSpace

Floats = NDArray[np.float64]

_MOST_INTEGERS = 64  # values of a grid; CatCMAwM keeps a table of them
_PRECISION = 1e-6  # share of a range: points that are nearer to each other make no difference
_SPREAD = 0.1  # deviation that a warm start has beside that of its points


class _Distribution(ABC):
    """What the variants share. Parameters with a single value are left out. ``_normal``: places in the space of the
    coordinates that are drawn from the normal distribution, of which the first ``_continuous`` are not of a grid."""

    _cma: Any

    def __init__(self, space: SearchSpace, start: Start) -> None:
        self._width = len(space)
        self._places = [i for i, parameter in enumerate(space) if parameter.count > 1]
        self.population = start.population or 4 + math.floor(3 * math.log(max(len(self._places), 1)))
        self.converged = False

    @abstractmethod
    def point(self, draw: Any) -> list[float]:
        """The draw's coordinates (d,) in the unit cube."""

    @abstractmethod
    def draw_at(self, point: Sequence[float]) -> Any:
        """What could have been drawn at ``point``."""

    @abstractmethod
    def _continuous_of(self, draw: Any) -> Floats:
        """The draw's coordinates that are not of a grid."""

    def draws(self, seed: int) -> Iterator[Any]:
        """Draws without end; the same ones for the same seed until the distribution learns."""
        self._cma.reseed_rng(seed)
        while True:
            yield self._cma.ask()

    def learn(self, draws: Sequence[Any], ranks: Sequence[int]) -> None:
        """Move towards draws of low rank; there are ``population`` of them."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # where many ranks are equal, their spread is zero, which does no harm
            self._cma.tell([(self._told(draw), float(rank)) for draw, rank in zip(draws, ranks, strict=True)])
            stopped = self._should_stop()
        points = np.array([self._continuous_of(draw) for draw in draws])
        self.converged = stopped or (points.size > 0 and float(np.ptp(points, axis=0).max()) < _PRECISION)

    def _told(self, draw: Any) -> Any:
        return draw

    def _should_stop(self) -> bool:
        return bool(self._cma.should_stop())


class CMADistribution(_Distribution):
    """A normal distribution (Hansen & Ostermeier 2001); values of grids and lists are what is nearest to a draw."""

    def __init__(self, space: SearchSpace, start: Start) -> None:
        super().__init__(space, start)
        mean, sigma, cov = _normal(start, self._places)
        bounds = np.tile([0.0, 1.0], (len(mean), 1))
        self._cma = CMA(mean, sigma, bounds, seed=0, population_size=self.population, cov=cov)

    def point(self, draw: Any) -> list[float]:
        """The draw's coordinates (d,) in the unit cube."""
        point = [0.5] * self._width
        for place, value in zip(self._places, draw.tolist(), strict=True):
            point[place] = value
        return point

    def draw_at(self, point: Sequence[float]) -> Any:
        """What could have been drawn at ``point``."""
        return np.array([point[i] for i in self._places])

    def _continuous_of(self, draw: Any) -> Floats:
        return np.asarray(draw)


class MarginDistribution(_Distribution):
    """A normal distribution with margin (Hamano et al. 2022, "CMA-ES with margin"). Grids and lists are integers, each
    value with an equal share of its coordinate: the package knows steps of one length only."""

    def __init__(self, space: SearchSpace, start: Start) -> None:
        super().__init__(space, start)
        self._grids = {i: space.parameters[i] for i in self._places if space.parameters[i].count < math.inf}
        self._continuous = [i for i in self._places if i not in self._grids]
        self._normal = [*self._continuous, *self._grids]
        steps = np.array([0.0] * len(self._continuous) + [1 / grid.count for grid in self._grids.values()])
        best = np.array([self._shared(point) for point in start.best]).reshape(-1, self._width)
        mean, sigma, cov = _normal(replace(start, mean=self._shared(start.mean), best=best), self._normal)
        bounds = np.column_stack([steps / 2, 1 - steps / 2])
        self._cma = CMAwM(mean, sigma, bounds, steps, seed=0, population_size=self.population, cov=cov)

    def point(self, draw: Any) -> list[float]:
        """The draw's coordinates (d,) in the unit cube."""
        point = [0.5] * self._width
        for place, value in zip(self._normal, draw[0].tolist(), strict=True):
            point[place] = value
        for place, grid in self._grids.items():
            point[place] = grid.to_unit(grid.value_at(min(int(point[place] * grid.count), int(grid.count) - 1)))
        return point

    def draw_at(self, point: Sequence[float]) -> Any:
        """What could have been drawn at ``point``."""
        raw = np.array([self._shared(point)[i] for i in self._normal])
        return raw, raw

    def _shared(self, point: Sequence[float]) -> list[float]:
        """The point with the middle of a value's share where it has a value of a grid."""
        shared = list(point)
        for place, grid in self._grids.items():
            shared[place] = (_index(grid, shared[place]) + 0.5) / grid.count
        return shared

    def _told(self, draw: Any) -> Any:
        return draw[1]

    def _continuous_of(self, draw: Any) -> Floats:
        return np.asarray(draw[1][: len(self._continuous)])


class CatCMADistribution(_Distribution):
    """A normal distribution with margin, and categories (Hamano et al. 2025, "CatCMA with margin")."""

    def __init__(self, space: SearchSpace, start: Start) -> None:
        super().__init__(space, start)
        self._categories = [i for i in self._places if is_category(space.parameters[i])]
        numeric = [i for i in self._places if i not in self._categories]
        self._integers = [i for i in numeric if space.parameters[i].count <= _MOST_INTEGERS]
        self._continuous = [i for i in numeric if i not in self._integers]
        self._counts = [int(space.parameters[i].count) for i in self._categories]
        self._normal = [*self._continuous, *self._integers]
        mean, sigma, cov = _normal(start, self._normal)
        self._cma = CatCMAwM(
            x_space=[[0.0, 1.0]] * len(self._continuous) or None,
            z_space=[_coordinates(space.parameters[i]) for i in self._integers] or None,
            c_space=self._counts or None,
            population_size=self.population,
            mean=mean,
            sigma=sigma,
            cov=cov,
            cat_param=_shares(start, self._categories, self._counts),
            seed=0,  # each trial's draws have a seed of their own
        )

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

    def _should_stop(self) -> bool:
        return bool(self._normal) and super()._should_stop()

    def _continuous_of(self, draw: Any) -> Floats:
        return np.asarray(draw.x if self._continuous else ())


def is_category(parameter: Parameter) -> bool:
    """Two values have no distance between them that a normal distribution could learn from."""
    return isinstance(parameter, Choice) or parameter.count == 2


def _normal(start: Start, places: Sequence[int]) -> tuple[Floats, float, Floats]:
    """Mean (n,), step size and shape (n, n) of the normal distribution over the coordinates at ``places``.

    A warm start fits it to the best points that are known (Nomura et al. 2021, "Warm starting CMA-ES for
    hyperparameter optimization", equations 9 and 10), with the determinant of the shape scaled to 1.
    """
    if not len(start.best):
        return np.array([start.mean[i] for i in places]), start.sigma or SIGMA, np.eye(len(places))
    points = start.best[:, list(places)]
    mean = points.mean(axis=0)
    covariance = _SPREAD**2 * np.eye(len(places)) + (points - mean).T @ (points - mean) / len(points)
    scale = math.exp(float(np.linalg.slogdet(covariance)[1]) / max(len(places), 1))
    return mean, start.sigma or math.sqrt(scale), covariance / scale


def _shares(start: Start, places: Sequence[int], counts: Sequence[int]) -> Floats | None:
    """Probabilities (c, most categories) of the categories at ``places``: how often the best points that are known have
    each, one more of each counted (Laplace's rule), so that none is ruled out; None without such points."""
    if not len(start.best) or not places:
        return None
    shares = np.zeros((len(counts), max(counts)))
    for row, (place, count) in enumerate(zip(places, counts, strict=True)):
        chosen = np.minimum((start.best[:, place] * count).astype(int), count - 1)
        shares[row, :count] = (np.bincount(chosen, minlength=count) + 1) / (len(chosen) + count)
    return shares


def _index(grid: Parameter, coordinate: float) -> int:
    """Which of a grid's values lies at a coordinate of the cube."""
    if isinstance(grid, Ordinal | Choice):
        return grid.index(grid.from_unit(coordinate))
    return round((grid.from_unit(coordinate) - grid.low) / (grid.step or 1))


def _coordinates(parameter: Parameter) -> list[float]:
    return [parameter.to_unit(parameter.value_at(index)) for index in range(int(parameter.count))]
