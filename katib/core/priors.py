"""Priors of numeric parameters: the quantile function that takes [0, 1] to values, and its inverse. Everything that
follows from the definition is worked out once, for these functions are called for every suggestion and trial."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist


class Distribution(StrEnum):
    """Prior of a numeric parameter (Katib's names). normal: mean (low + high) / 2, deviation (high - low) / 6,
    truncated to the bounds; logNormal: the same on logarithms."""

    UNIFORM = "uniform"
    LOG_UNIFORM = "logUniform"
    NORMAL = "normal"
    LOG_NORMAL = "logNormal"

    @property
    def log(self) -> bool:
        """Whether the parameter lives on a logarithmic scale."""
        return self in (Distribution.LOG_UNIFORM, Distribution.LOG_NORMAL)


@dataclass(frozen=True, slots=True)
class Prior:
    """A distribution between two edges.

    count: number of different values, math.inf without a step. bottom, top: the edges; for a grid they lie half a step
    beyond its ends, so that the end values get their full share. lowest, range: the same on the parameter's scale.
    normal: the normal distribution on that scale, of which ``mass`` lies between the edges and ``below`` under them.
    """

    count: float
    bottom: float
    top: float
    log: bool
    lowest: float
    range: float
    normal: NormalDist | None = None
    below: float = 0.0
    mass: float = 1.0

    @classmethod
    def of(cls, low: float, high: float, step: float | None, distribution: Distribution) -> Prior:
        """The prior on [low, high], or on low, low + step, ... up to high."""
        count = _count(low, high, step)
        bottom, top = low, high
        if step is not None and count > 1:
            bottom, top = low - step / 2, low + (count - 1) * step + step / 2
            if distribution.log and bottom <= 0:
                bottom = low / 2
        log = distribution.log
        lowest, highest = (math.log(bottom), math.log(top)) if log else (bottom, top)
        if count == 1 or distribution in (Distribution.UNIFORM, Distribution.LOG_UNIFORM):
            return cls(count, bottom, top, log, lowest, highest - lowest)
        first, last = (math.log(low), math.log(high)) if log else (low, high)
        normal = NormalDist((first + last) / 2, (last - first) / 6)
        below = normal.cdf(lowest)
        return cls(count, bottom, top, log, lowest, highest - lowest, normal, below, normal.cdf(highest) - below)

    def quantile(self, u: float) -> float:
        """The value below which the share ``u`` of the prior lies."""
        if self.normal is None:
            x = self.lowest + u * self.range
        else:
            x = self.normal.inv_cdf(self.below + u * self.mass)
        return math.exp(x) if self.log else x

    def cumulative(self, value: float) -> float:
        """The share of the prior below ``value``, which lies between the edges."""
        x = math.log(value) if self.log else value
        if self.normal is None:
            return (x - self.lowest) / self.range
        return (self.normal.cdf(x) - self.below) / self.mass


def _count(low: float, high: float, step: float | None) -> float:
    if low == high:
        return 1
    # The quotient of two decimal fractions can fall just short of the integer that it is.
    return math.inf if step is None else math.floor((high - low) / step * (1 + 1e-12) + 1e-9) + 1
