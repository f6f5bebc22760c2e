"""What is optimised: metrics, directions, goals, and how a curve becomes a number. The only place that flips a sign."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from katib.core.constraints import Constraint
from katib.core.values import Parameters

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
        if strategy is Strategy.LATEST:
            return self.latest
        return self.minimum if strategy is Strategy.MIN else self.maximum


Observation = Mapping[str, MetricSummary]


def observe(observation: Observation, measurements: Iterable[Measurement]) -> dict[str, MetricSummary]:
    """The observation with ``measurements`` taken in, in their order."""
    merged = dict(observation)
    for measurement in measurements:
        merged[measurement.metric] = merged.get(measurement.metric, MetricSummary()).add(measurement)
    return merged


@dataclass(frozen=True, slots=True)
class Target:
    """One metric to optimise. goal: the value that is good enough, None if none is."""

    metric: str
    direction: Direction = Direction.MINIMIZE
    goal: float | None = None

    def loss(self, value: float) -> float:
        """``value`` turned so that smaller is better."""
        return _turned(self.direction, value)


@dataclass(frozen=True, slots=True)
class Objective:
    """What to optimise. ``goal``: end the experiment when a trial's value reaches it. ``additional``: recorded and
    reported, never optimised. ``strategies``: per metric name; a missing one follows the direction of its target.

    others: further targets, traded off with the first. constraints: what must hold of a trial's metrics (and
    parameters) for it to be a solution. repeats: runs of each set of parameters, whose mean stands for it.
    """

    metric: str
    direction: Direction = Direction.MINIMIZE
    goal: float | None = None
    additional: tuple[str, ...] = ()
    strategies: Mapping[str, Strategy] = field(default_factory=dict)
    others: tuple[Target, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    repeats: int = 1
    targets: tuple[Target, ...] = field(init=False, repr=False, compare=False)  # all to optimise, the first one first

    def __post_init__(self) -> None:
        object.__setattr__(self, "targets", (Target(self.metric, self.direction, self.goal), *self.others))

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics to optimise, then the additional ones."""
        return (self.metric, *(target.metric for target in self.others), *self.additional)

    def strategy(self, metric: str) -> Strategy:
        """The strategy of ``metric``: the one given, else the direction's extreme, as Katib defaults it."""
        given = self.strategies.get(metric)
        if given is not None:
            return given
        direction = next((target.direction for target in self.others if target.metric == metric), self.direction)
        return Strategy.MIN if direction is Direction.MINIMIZE else Strategy.MAX

    def value(self, observation: Observation) -> float | None:
        """The first objective's value of a trial, None if it has no finite number."""
        return self.value_of(self.metric, observation)

    def value_of(self, metric: str, observation: Observation) -> float | None:
        """The value of any metric of a trial by its strategy, None if it has no finite number."""
        summary = observation.get(metric)
        return summary.by(self.strategy(metric)) if summary is not None else None

    def losses(self, observation: Observation) -> tuple[float, ...] | None:
        """The value of each target turned so that smaller is better; None unless all have a finite number."""
        losses: list[float] = []
        for target in self.targets:
            value = self.value_of(target.metric, observation)
            if value is None:
                return None
            losses.append(target.loss(value))
        return tuple(losses)

    def violations(self, parameters: Parameters, observation: Observation) -> tuple[float, ...]:
        """By how much each constraint is violated, 0 or less where it holds, as it does where a parameter in it takes
        no part; infinite if it speaks of a metric that was not measured."""
        if not self.constraints:
            return ()
        measured = {metric: self.value_of(metric, observation) for metric in observation}
        values = {**parameters, **measured}
        unmeasured = {metric for metric in self.metrics if values.get(metric) is None}
        unknown = (math.inf if each.names & unmeasured else 0.0 for each in self.constraints)
        amounts = [each.violation(values) for each in self.constraints]
        return tuple(u if amount is None else amount for amount, u in zip(amounts, unknown, strict=True))

    def available(self, observation: Observation) -> bool:
        """Whether a trial's targets were measured: finite numbers, or a text that is no number at all (a genotype).
        "nan", "N/A", "95%" and the empty text are reports without a value."""
        return all(self._has(target.metric, observation) for target in self.targets)

    def _has(self, metric: str, observation: Observation) -> bool:
        summary = observation.get(metric)
        if summary is None or self.value_of(metric, observation) is not None:
            return summary is not None
        return summary.count > 0 and not _NO_RESULT.match(summary.latest_text)

    def loss(self, value: float) -> float:
        """A value of the first target turned so that smaller is better."""
        return _turned(self.direction, value)

    def from_loss(self, loss: float) -> float:
        """The inverse of ``loss``."""
        return _turned(self.direction, loss)

    def better(self, candidate: float, incumbent: float) -> bool:
        """Whether ``candidate`` is strictly better than ``incumbent``."""
        return self.loss(candidate) < self.loss(incumbent)

    def reached(self, losses: Sequence[float]) -> bool:
        """Whether ``losses``, one for each target, are at least as good as every goal there is, and there is one."""
        goals = [(t.loss(t.goal), loss) for t, loss in zip(self.targets, losses, strict=True) if t.goal is not None]
        return bool(goals) and all(loss <= goal for goal, loss in goals)


def _turned(direction: Direction, value: float) -> float:
    return value if direction is Direction.MINIMIZE else -value


def _extreme(pick: Callable[[float, float], float], old: float | None, new: float | None) -> float | None:
    if old is None or new is None:
        return new if old is None else old
    return pick(old, new)
