"""What is optimised: metric, direction, goal, and how a curve becomes one number. The only place that flips a sign."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

# Texts that were meant as a number, or say that there is none.
_NO_RESULT = re.compile(r"\s*([+-]?(\.?\d|nan\b|inf(inity)?\b)|(n/?a|none|null|unavailable)?\s*$)", re.IGNORECASE)


class Direction(StrEnum):
    """Whether small or large values of the metric are good (Katib's ``objective.type``)."""

    MINIMIZE = "minimize"
    MAXIMIZE = "maximize"


class Strategy(StrEnum):
    """Which value of a metric's curve stands for the trial (Katib's ``metricStrategies``)."""

    MIN = "min"
    MAX = "max"
    LATEST = "latest"


@dataclass(frozen=True, slots=True)
class Measurement:
    """One reported value of one metric.

    value: the number, or None where the text is no finite number ("nan", "Genotype(...)").
    text: the value as reported; number formatting is kept ("1e-05").
    time: seconds since the epoch, UTC; the time of the report or, lacking one, of its arrival.
    step: the trial's own count of reports or epochs where it gave one.
    """

    metric: str
    value: float | None
    text: str
    time: float
    step: int | None = None


@dataclass(frozen=True, slots=True)
class MetricSummary:
    """A metric's curve so far, in constant space. ``latest_*`` belong to the newest time; later arrival wins ties.

    minimum, maximum: None until a finite number was reported. count: reports, unusable ones included.
    """

    minimum: float | None = None
    maximum: float | None = None
    latest: float | None = None
    latest_text: str = ""
    latest_time: float = -math.inf
    count: int = 0

    def add(self, measurement: Measurement) -> MetricSummary:
        """The summary with one more report taken in."""
        value = measurement.value
        newest = measurement.time >= self.latest_time
        return MetricSummary(
            minimum=_extreme(min, self.minimum, value),
            maximum=_extreme(max, self.maximum, value),
            latest=value if newest else self.latest,
            latest_text=measurement.text if newest else self.latest_text,
            latest_time=max(measurement.time, self.latest_time),
            count=self.count + 1,
        )

    def by(self, strategy: Strategy) -> float | None:
        """The number that stands for the curve under ``strategy``, None if there is none."""
        return {Strategy.MIN: self.minimum, Strategy.MAX: self.maximum, Strategy.LATEST: self.latest}[strategy]


Observation = Mapping[str, MetricSummary]


def observe(observation: Observation, measurements: Iterable[Measurement]) -> dict[str, MetricSummary]:
    """The observation with ``measurements`` taken in, in their order."""
    merged = dict(observation)
    for measurement in measurements:
        merged[measurement.metric] = merged.get(measurement.metric, MetricSummary()).add(measurement)
    return merged


@dataclass(frozen=True, slots=True)
class Objective:
    """The metric to optimise. ``goal``: end the experiment when a trial's value reaches it. ``additional``: recorded
    and reported, never optimised. ``strategies``: per metric name; a missing one follows the direction."""

    metric: str
    direction: Direction = Direction.MINIMIZE
    goal: float | None = None
    additional: tuple[str, ...] = ()
    strategies: Mapping[str, Strategy] = field(default_factory=dict)

    @property
    def metrics(self) -> tuple[str, ...]:
        """The objective metric, then the additional ones."""
        return (self.metric, *self.additional)

    def strategy(self, metric: str) -> Strategy:
        """The strategy of ``metric``: the one given, else the direction's extreme, as Katib defaults it."""
        extreme = Strategy.MIN if self.direction is Direction.MINIMIZE else Strategy.MAX
        return self.strategies.get(metric, extreme)

    def value(self, observation: Observation) -> float | None:
        """The objective's value of a trial, None if it has no finite number."""
        summary = observation.get(self.metric)
        return summary.by(self.strategy(self.metric)) if summary is not None else None

    def available(self, observation: Observation) -> bool:
        """Whether a trial's objective was measured: a finite number, or a text that is no number at all (a genotype).
        "nan", "N/A", "95%" and the empty text are reports without a value."""
        summary = observation.get(self.metric)
        if summary is None or self.value(observation) is not None:
            return summary is not None
        return summary.count > 0 and not _NO_RESULT.match(summary.latest_text)

    def loss(self, value: float) -> float:
        """``value`` turned so that smaller is better."""
        return value if self.direction is Direction.MINIMIZE else -value

    def from_loss(self, loss: float) -> float:
        """The inverse of ``loss``."""
        return loss if self.direction is Direction.MINIMIZE else -loss

    def better(self, candidate: float, incumbent: float) -> bool:
        """Whether ``candidate`` is strictly better than ``incumbent``."""
        return self.loss(candidate) < self.loss(incumbent)

    def reached(self, value: float | None) -> bool:
        """Whether ``value`` is at least as good as the goal."""
        return value is not None and self.goal is not None and self.loss(value) <= self.loss(self.goal)


def _extreme(pick: Callable[[float, float], float], old: float | None, new: float | None) -> float | None:
    if old is None or new is None:
        return new if old is None else old
    return pick(old, new)
