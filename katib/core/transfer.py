"""What former experiments say about a new one: their trials as points of its space, how far its own trials bear them
out, and which points to try first. All of it is a function of the history.

* Values of different experiments cannot be compared, ranks can: the losses of each source become normal scores of
  their ranks (Salinas, Shen & Perrone 2020, "A quantile-based approach for hyperparameter transfer learning").
* The relevance of a source is the rank correlation (Kendall's tau-b) of what its trials predict at the new
  experiment's points with what was found there: the pairs that a ranking-weighted ensemble counts (Feurer, Letham &
  Bakshy 2018, "Scalable meta-learning for Bayesian optimization using ranking-weighted Gaussian process ensembles").
* Predictions are those of a Gaussian process whose length scale has the least leave-one-out error (Rasmussen & Williams
  2006, equations 2.23 and 5.12).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from katib.core.errors import SpecError
from katib.core.parameters import Choice, Integer, Parameter, Real
from katib.core.space import SearchSpace
from katib.core.values import Parameters, Value, point_of
from katib.core.warm_start import Source

Floats = NDArray[np.float64]

_SCALES = (0.1, 0.2, 0.4, 0.8, 1.6)  # length scales that are compared, in roots of the number of dimensions
_NOISE = 0.05  # variance of a normal score that the points do not explain
_APART = 0.1  # mean distance, over the parameters, of two points that are both worth trying first


def carried_over(space: SearchSpace, parameters: Parameters) -> dict[str, Value] | None:
    """Parameters of another space as a point of this one, None if they are none.

    What is missing there has its default, else the middle of its prior; what is unknown here is left out; numbers go to
    the nearest step.
    """
    chosen: dict[str, Value] = {}
    for parameter in space:
        if space.active(parameter, chosen):
            try:
                chosen[parameter.name] = _value(parameter, parameters)
            except SpecError:
                return None
    return chosen if space.allows(chosen) else None


def _value(parameter: Parameter, parameters: Parameters) -> Value:
    if parameter.name not in parameters:
        return parameter.from_unit(0.5) if parameter.default is None else parameter.default
    value = parameters[parameter.name]
    if isinstance(parameter, Real | Integer):
        number = parameter.parse(value) if isinstance(value, str) else parameter.check(value)
        return parameter.nearest(number)
    try:
        return parameter.check(value)
    except SpecError:
        return parameter.parse(str(value))


def spread(ranked: int, most: int) -> list[int]:
    """Which of so many ranked items to keep: the best half of ``most``, and others evenly from all other ranks."""
    if ranked <= most:
        return list(range(ranked))
    best = (most + 1) // 2
    others = np.linspace(best, ranked - 1, most - best).round().astype(int)
    return [*range(best), *others.tolist()]


class FormerPoints:
    """The trials of one source that are points of the space, best first.

    points: typed, each once. X: (p, d) in the unit cube, NaN where inactive. scores: (p,) normal scores of their ranks,
    smaller is better.
    """

    def __init__(self, space: SearchSpace, source: Source) -> None:
        self.source = source
        self._space = space
        losses: dict[Hashable, list[tuple[float, ...]]] = {}
        points: dict[Hashable, dict[str, Value]] = {}
        for trial in source.trials:
            point = carried_over(space, trial.parameters)
            if point is not None and (place := space.locate(point)) is not None and len(place):
                points.setdefault(point_of(point), point)
                losses.setdefault(point_of(point), []).append(trial.losses)
        ranks = _mean_ranks([np.mean(rows, axis=0) for rows in losses.values()])
        order = np.argsort(ranks, kind="stable")
        listed = list(points.values())
        self.points = [listed[i] for i in order]
        self.X: Floats = np.array([space.to_unit(p) for p in self.points]).reshape(len(listed), len(space))
        normal = NormalDist()
        self.scores: Floats = np.array([normal.inv_cdf((ranks[i] + 0.5) / len(listed)) for i in order])

    def predict(self, X: Floats) -> Floats:
        """The score that the source expects at points (n, d) of the cube, (n,)."""
        near, scale, weights = self._fitted
        return np.exp(-_squares(_encoded(self._space, X), near) / (2 * scale**2)) @ weights

    def distinct(self) -> Iterator[dict[str, Value]]:
        """The points, best first, without those that lie close to a better one."""
        encoded, kept = _encoded(self._space, self.X), list[int]()
        least = (_APART**2) * len(self._space)
        for i in range(len(self.points)):
            if not kept or _squares(encoded[i : i + 1], encoded[kept]).min() >= least:
                kept.append(i)
                yield self.points[i]

    @cached_property
    def _fitted(self) -> tuple[Floats, float, Floats]:
        encoded = _encoded(self._space, self.X)
        squares, best = _squares(encoded, encoded), (math.inf, 1.0, self.scores)
        for scale in (s * math.sqrt(len(self._space)) for s in _SCALES):
            inverse = np.linalg.inv(np.exp(-squares / (2 * scale**2)) + _NOISE * np.eye(len(squares)))
            weights = inverse @ self.scores
            error = float(((weights / np.diag(inverse)) ** 2).sum())
            if error < best[0]:
                best = (error, scale, weights)
        return encoded, best[1], best[2]


@dataclass(frozen=True, slots=True)
class Relevance:
    """tau: rank correlation of a source's predictions with ``trials`` values of the experiment's own."""

    tau: float = 0.0
    trials: int = 0

    @property
    def confirmed(self) -> bool:
        """Whether the source may be learned from: its correlation is larger than chance alone would often make it."""
        return self.trials >= 3 and self.tau * math.sqrt(self.trials) >= 1.0

    @property
    def refuted(self) -> bool:
        """Whether enough is known to leave the source alone."""
        return self.trials >= 4 and self.tau <= 0.0


def relevance(former: FormerPoints, X: Floats, losses: Floats) -> Relevance:
    """How far values (n,) that were found at points (n, d) bear the source out."""
    if len(former.points) < 2 or len(losses) < 2:
        return Relevance(0.0, len(losses))
    return Relevance(_kendall(former.predict(X), losses), len(losses))


def _kendall(a: Floats, b: Floats) -> float:
    first, second = (np.sign(values[:, None] - values[None, :]) for values in (a, b))
    scale = math.sqrt(float((first**2).sum()) * float((second**2).sum()))
    return float((first * second).sum()) / scale if scale else 0.0


def _mean_ranks(rows: Sequence[Floats]) -> Floats:
    """The rank of each row by its mean rank over the targets."""
    return _ranks(np.mean([_ranks(column) for column in np.array(rows).T], axis=0)) if rows else np.empty(0)


def _ranks(values: Floats) -> Floats:
    """0 for the smallest; equals share the mean of their ranks."""
    return np.array([((values < v).sum() + ((values == v).sum() - 1) / 2) for v in values], dtype=np.float64)


def _encoded(space: SearchSpace, X: Floats) -> Floats:
    """Points as vectors whose distance means something: categories that differ are 1 apart, inactive ones in the
    middle."""
    columns = []
    for i, parameter in enumerate(space):
        u = np.where(np.isnan(X[:, i]), 0.5, X[:, i])
        if isinstance(parameter, Choice):
            place = np.minimum((u * len(parameter.values)).astype(int), len(parameter.values) - 1)
            columns.append(np.eye(len(parameter.values))[place] / math.sqrt(2))
        else:
            columns.append(u[:, None])
    return np.hstack(columns)


def _squares(a: Floats, b: Floats) -> Floats:
    """Squared distances (n, m)."""
    return np.asarray(((a[:, None, :] - b[None, :, :]) ** 2).sum(axis=2))
