"""The axes of a search space as a Gaussian process sees them.

A point is a row of coordinates in [0, 1], one a parameter, as ``SearchSpace.to_unit`` gives them. Values with a step,
ordinals and categories sit at the middle of their share, and the model never sees another place (Garrido-Merchan &
Hernandez-Lobato 2020, "Dealing with categorical and integer-valued variables in Bayesian optimization with Gaussian
processes": a kernel must see the value that is evaluated).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from algorithms.bayesian.kernels import Floats
from algorithms.bayesian.trend import QuadraticTrend
from katib.core.space import Choice, Integer, Parameter, Real, SearchSpace

MOST_LEVELS = 64
"""Axes with more values than this are searched as if they had no step, and snapped at the end."""

_INACTIVE = 0.5
_HOT = math.sqrt(0.5)  # of one-hot features: two categories are at distance 1


@dataclass(frozen=True)
class Axis:
    """One parameter. levels: (k,) coordinates of its values, None if they are too many to list. edges: (k - 1,) bounds
    between their shares. parent: place of the axis it depends on, -1 if it is always active; allowed: (levels of the
    parent,) with which of them it is active."""

    categorical: bool
    levels: Floats | None
    edges: Floats | None
    parent: int = -1
    allowed: NDArray[np.bool_] | None = None

    @property
    def constant(self) -> bool:
        """Whether it has one value alone."""
        return self.levels is not None and len(self.levels) == 1

    def level(self, u: Floats) -> NDArray[np.intp]:
        """Which value each coordinate belongs to."""
        assert self.edges is not None
        return np.searchsorted(self.edges, u, side="right")


class Encoding:
    """Axes of ``space``, in its order, and the features that distances are taken between.

    smooth: places of the axes without levels. discrete: of the others that have at least two. owner: (p,) which axis
    each feature belongs to.
    """

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self.axes = _axes(space)
        self.smooth = np.array([j for j, a in enumerate(self.axes) if a.levels is None], dtype=np.intp)
        self.discrete = [j for j, a in enumerate(self.axes) if a.levels is not None and not a.constant]
        self._numeric = [j for j, a in enumerate(self.axes) if not a.categorical and not a.constant]
        self._categorical = [j for j, a in enumerate(self.axes) if a.categorical and not a.constant]
        owner = list(self._numeric)
        for j in self._categorical:
            owner.extend([j] * self._width(j))
        self.owner = np.array(owner, dtype=np.intp)
        self._conditional = [j for j, a in enumerate(self.axes) if a.parent >= 0]

    @cached_property
    def branching(self) -> NDArray[np.intp]:
        """Places of the axes that others depend on and that depend on none."""
        parents = {axis.parent for axis in self.axes} - {-1}
        return np.array([j for j in self.discrete if j in parents and self.axes[j].parent < 0], dtype=np.intp)

    @cached_property
    def varying(self) -> NDArray[np.intp]:
        """Places of the axes that are not constant."""
        return np.array(sorted({*self._numeric, *self._categorical}), dtype=np.intp)

    @cached_property
    def smooth_features(self) -> NDArray[np.intp]:
        """Which feature stands for each smooth axis."""
        place = {j: i for i, j in enumerate(self._numeric)}
        return np.array([place[j] for j in self.smooth.tolist()], dtype=np.intp)

    @cached_property
    def trend(self) -> QuadraticTrend:
        """A quadratic trend over the features, each axis measured from its mean in its deviation, both of a uniform
        draw. There is at least one varying axis."""
        means, deviations = [0.5] * len(self._numeric), [math.sqrt(1 / 12)] * len(self._numeric)
        for j in self._categorical:
            k = self._width(j)
            means.extend([_HOT / k] * k)
            deviations.extend([math.sqrt(0.5 * (1 - 1 / k))] * k)
        unit = 1 / (np.array(deviations) * math.sqrt(len(self.varying)))
        return QuadraticTrend(np.array(means), unit)

    def canonical(self, points: Floats) -> Floats:
        """``points`` (m, d) with each coordinate in the middle of its value's share, NaN where inactive."""
        snapped = np.clip(np.where(np.isnan(points), _INACTIVE, points), 0.0, 1.0)
        for j, axis in enumerate(self.axes):
            if axis.levels is not None:
                snapped[:, j] = axis.levels[axis.level(snapped[:, j])]
        for j in self._conditional:
            axis, parent = self.axes[j], self.axes[self.axes[j].parent]
            over = snapped[:, axis.parent]
            active = ~np.isnan(over)
            if axis.allowed is not None:
                active &= axis.allowed[parent.level(np.nan_to_num(over))]
            snapped[~active, j] = np.nan
        return snapped

    def features(self, points: Floats) -> Floats:
        """Features (m, p) of canonical points: numeric axes as they are, categories one-hot.

        One-hot features are scaled so that two categories are at distance 1. An inactive number sits in the middle of
        its axis, so that it makes no difference between two points where it is inactive; that one of two points lacks
        it is told by the parent's axis.
        """
        numeric = points[:, self._numeric]
        parts = [np.where(np.isnan(numeric), _INACTIVE, numeric)]
        for j in self._categorical:
            places = self.axes[j].level(np.nan_to_num(points[:, j]))
            hot = np.zeros((len(points), self._width(j)))
            hot[np.arange(len(points)), places] = _HOT
            hot[np.isnan(points[:, j])] = 0.0
            parts.append(hot)
        return np.concatenate(parts, axis=1)

    def _width(self, j: int) -> int:
        levels = self.axes[j].levels
        return 0 if levels is None else len(levels)


def _axes(space: SearchSpace) -> list[Axis]:
    places = {parameter.name: j for j, parameter in enumerate(space)}
    axes: list[Axis] = []
    for parameter in space:
        levels, edges = _levels(parameter)
        parent, allowed = -1, None
        if parameter.condition is not None:
            parent = places[parameter.condition.parent]
            allowed = _allowed(space.parameters[parent], axes[parent], parameter.condition.values)
        axes.append(Axis(isinstance(parameter, Choice), levels, edges, parent, allowed))
    return axes


def _levels(parameter: Parameter) -> tuple[Floats | None, Floats | None]:
    listed = not isinstance(parameter, Real | Integer)
    if not listed and parameter.count > MOST_LEVELS:
        return None, None
    count = int(parameter.count)
    levels = np.array([parameter.to_unit(parameter.value_at(i)) for i in range(count)])
    if isinstance(parameter, Real | Integer) and count > 1:
        prior, step = parameter.prior, parameter.step or 0.0
        values = (float(parameter.value_at(i)) for i in range(count - 1))
        return levels, np.array([prior.cumulative(value + step / 2) for value in values])
    return levels, np.arange(1, count) / count


def _allowed(parent: Parameter, axis: Axis, values: tuple[object, ...]) -> NDArray[np.bool_] | None:
    """Which levels of the parent make a child active; None where the parent has too many to list: a condition on one
    of so many values is as good as never met by chance, so the child is modelled as if it were always active."""
    if axis.levels is None:
        return None
    return np.array([parent.value_at(i) in values for i in range(len(axis.levels))], dtype=np.bool_)
