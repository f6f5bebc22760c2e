"""Hyperband (Li et al. 2018, "Hyperband: a novel bandit-based approach", JMLR 18, algorithm 1).

Bracket s starts n = ceil((s_max + 1) / (s + 1) * eta**s) configurations at resource R * eta**-s; after each rung the
best floor(n / eta**i) go on with eta times the resource, from their own checkpoint, until the last ones reach R.

* Brackets run in the order s_max, ..., 1, 0. Bracket and rung sizes do not depend on how many trials run in parallel.
* A rung is decided when all of it has finished, by values alone, so the decision never changes. Trials without a value
  (failed, killed, no metric) or with a violated constraint on metrics rank last and are never promoted; a rung with few
  survivors promotes what there is.
* While a rung waits for its last trials, free slots go to the next bracket, so that nothing idles.
* Without a limit of trials in the spec, one pass over all brackets is made, as in Katib. With one, passes repeat with
  new configurations until the limit ends the experiment.

Everything is read from the labels below; the integer number of brackets comes from exact fractions, never logarithms.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, partial
from typing import NamedTuple

from algorithms.batch import Batch
from algorithms.features import Feature
from algorithms.randomness import generator, seed_of, uniforms
from algorithms.settings import Settings, parse, setting
from algorithms.unseen import first_unseen
from katib.core.errors import Problem, SpecError
from katib.core.experiment import ExperimentSpec
from katib.core.history import History
from katib.core.outcome import outcome_of
from katib.core.space import Choice, Ordinal, Parameter, SearchSpace
from katib.core.trial import Proposal, Trial, Value

BRACKET = "hyperband/bracket"  # 0, 1, 2, ... in order of their start, over all passes
RUNG = "hyperband/rung"  # 0 for a new configuration; a greater one says that the trial repeats its parent's
CONFIG = "hyperband/config"  # number of the configuration within its bracket, the same on every rung

_PATH = "spec.algorithm.algorithmSettings"


def _read_eta(text: str) -> int:
    """As Katib reads it: cut to an integer, 3 in place of what is not positive."""
    eta = int(float(text))
    return eta if eta > 0 else 3


@dataclass(frozen=True, slots=True)
class HyperbandSettings(Settings):
    """Settings of ``hyperband``."""

    r_l: float = setting(above=0, help="R, the largest resource that one trial is given")
    resource_name: str = setting(help="parameter that carries the resource, for example the number of epochs")
    eta: int = setting(3, low=2, convert=_read_eta, help="of each rung one in eta goes on, with eta times the resource")


@dataclass(frozen=True)
class Brackets:
    """Sizes and resources, exact. least: the resource below which no trial starts."""

    most: Fraction
    least: Fraction
    eta: int

    @cached_property
    def s_max(self) -> int:
        """The largest s with least * eta**s <= most."""
        s, reach = 0, self.least * self.eta
        while reach <= self.most:
            s, reach = s + 1, reach * self.eta
        return s

    def rungs_after_first(self, bracket: int) -> int:
        """s of a bracket, counted over all passes."""
        return self.s_max - bracket % (self.s_max + 1)

    def size(self, bracket: int, rung: int) -> int:
        """floor(n / eta**rung) with n = ceil((s_max + 1) / (s + 1) * eta**s)."""
        s = self.rungs_after_first(bracket)
        n: int = -(-(self.s_max + 1) * self.eta**s // (s + 1))
        smaller: int = n // self.eta**rung
        return smaller

    def resource(self, bracket: int, rung: int) -> Fraction:
        """R * eta**(rung - s)."""
        shrink: int = self.eta ** (self.rungs_after_first(bracket) - rung)
        return self.most / shrink


class Hyperband:
    """Synchronous successive halving within each bracket; brackets overlap where slots are free."""

    settings_class = HyperbandSettings
    supports = frozenset({Feature.CONDITIONS, Feature.CONSTRAINTS, Feature.OUTCOME_CONSTRAINTS})

    def __init__(self, spec: ExperimentSpec) -> None:
        """Raises SpecError on a bad setting, or a resource that is no unconditional number of the search space."""
        settings = parse(HyperbandSettings, spec.algorithm)
        self.resource_name = settings.resource_name
        lowest, highest = _range_of_resource(spec.space, settings.resource_name)
        most = min(max(Fraction(str(settings.r_l)), lowest), highest)
        self.brackets = Brackets(most, min(lowest if lowest > 0 else Fraction(1), most), settings.eta)
        self._seed = seed_of(None, spec.seed)
        self._one_pass = spec.budget.max_trials is None

    def suggest(self, history: History, count: int) -> Proposal:
        """Due promotions first, oldest bracket first; then new configurations. Fewer than asked: a rung must finish."""
        batch, rungs = Batch(history), _Rungs(history, self.brackets)
        decisions = {bracket: list(rungs.decided(bracket)) for bracket in range(rungs.newest + 1)}
        due = deque(trial for decided in decisions.values() for trial in rungs.due(decided))
        used_up = False
        while len(batch.suggestions) < count:
            if due:
                self._promote(due.popleft(), batch)
            elif used_up or not self._start(batch, rungs):
                if used_up or rungs.full(rungs.newest):
                    break
                # No new configuration is left, so the newest bracket goes on with those it has.
                used_up, decisions[rungs.newest] = True, list(rungs.decided(rungs.newest, closed=True))
                due.extend(rungs.due(decisions[rungs.newest]))
        return batch.proposal(
            exhausted=count > 0 and not batch.suggestions and not history.active,
            releases=frozenset(number for decided in decisions.values() for number in rungs.releases(decided)),
        )

    def _promote(self, trial: Trial, batch: Batch) -> None:
        bracket, rung = int(trial.labels[BRACKET]), int(trial.labels[RUNG]) + 1
        value = _nearest(batch.history.space[self.resource_name], self.brackets.resource(bracket, rung))
        labels = {BRACKET: str(bracket), RUNG: str(rung), CONFIG: trial.labels[CONFIG]}
        batch.add({**trial.parameters, self.resource_name: value}, labels, parent=trial.number)

    def _start(self, batch: Batch, rungs: _Rungs) -> bool:
        """Add a new configuration: to the newest bracket or, if it is full, to the next one that has one left."""
        for bracket in range(max(rungs.newest, 0), rungs.newest + self.brackets.s_max + 2):
            if (self._one_pass and bracket > self.brackets.s_max) or rungs.full(bracket):
                continue
            parameters = self._draw(batch, self.brackets.resource(bracket, 0))
            if parameters is not None:
                config = rungs.add(bracket)
                batch.add(parameters, {BRACKET: str(bracket), RUNG: "0", CONFIG: str(config)})
                return True
        return False

    def _draw(self, batch: Batch, resource: Fraction) -> dict[str, Value] | None:
        """A new configuration at ``resource``, None if each one was tried at it."""
        space = batch.history.space
        value = _nearest(space[self.resource_name], resource)
        others = SearchSpace(tuple(p for p in space if p.name != self.resource_name), constraints=space.constraints)
        found = first_unseen(
            others,
            uniforms(self._seed, batch.number, len(others)),
            partial(generator, self._seed, batch.number),
            lambda configuration: batch.taken({**configuration, self.resource_name: value}),
        )
        if found is None:
            return None
        complete = {**found, self.resource_name: value}
        return {p.name: complete[p.name] for p in space if p.name in complete}


class Decision(NamedTuple):
    """A rung that has finished. winners: the trials that go on, best first."""

    bracket: int
    rung: int
    winners: list[Trial]


class _Rungs:
    """The trials of each rung, read from their labels, and the decisions that follow from them."""

    def __init__(self, history: History, brackets: Brackets) -> None:
        self._history = history
        self._brackets = brackets
        self._trials: defaultdict[tuple[int, int], dict[int, Trial]] = defaultdict(dict)
        self._started: defaultdict[int, int] = defaultdict(int)
        for trial in history.trials.values():
            if BRACKET in trial.labels:
                bracket, rung, config = (int(trial.labels[label]) for label in (BRACKET, RUNG, CONFIG))
                self._trials[bracket, rung][config] = trial
                self._started[bracket] += rung == 0

    @property
    def newest(self) -> int:
        """The bracket that started last, -1 before the first."""
        return max(self._started, default=-1)

    def full(self, bracket: int) -> bool:
        """Whether the bracket has all its configurations; true of none at all (-1)."""
        return bracket < 0 or self._started[bracket] >= self._brackets.size(bracket, 0)

    def add(self, bracket: int) -> int:
        """Count one more configuration, which this call proposes; its number within the bracket."""
        self._started[bracket] += 1
        return self._started[bracket] - 1

    def decided(self, bracket: int, closed: bool = False) -> Iterator[Decision]:
        """The rungs of which all trials have finished. closed: the bracket gets no more configurations."""
        closed = closed or bracket < self.newest or self.full(bracket)
        expected = self._started[bracket]
        for rung in range(self._brackets.rungs_after_first(bracket)):
            trials = self._trials[bracket, rung].values()
            if not closed or len(trials) < expected or not all(t.state.finished for t in trials):
                return
            ranked = sorted((loss, t.number) for t in trials if (loss := self._loss(t)) is not None)
            winners = [self._history.trials[n] for _, n in ranked[: self._brackets.size(bracket, rung + 1)]]
            yield Decision(bracket, rung, winners)
            expected = len(winners)

    def due(self, decided: Sequence[Decision]) -> Iterator[Trial]:
        """Winners that have not gone on yet, best first."""
        for decision in decided:
            yield from (t for t in decision.winners if self._successor(decision, t) is None)

    def releases(self, decided: Sequence[Decision]) -> Iterator[int]:
        """Trials whose checkpoint nothing will continue: losers, and winners whose successor has finished.

        What reached the last rung is the result and is not released.
        """
        for decision in decided:
            kept = {t.number for t in decision.winners}
            for trial in self._trials[decision.bracket, decision.rung].values():
                successor = self._successor(decision, trial)
                if trial.number not in kept or (successor is not None and successor.state.finished):
                    yield trial.number

    def _successor(self, decision: Decision, trial: Trial) -> Trial | None:
        """The trial that continues ``trial`` on the next rung, if it was proposed."""
        return self._trials[decision.bracket, decision.rung + 1].get(int(trial.labels[CONFIG]))

    def _loss(self, trial: Trial) -> float | None:
        outcome = outcome_of(self._history.objective, [trial])
        return outcome.losses[0] if outcome is not None and outcome.feasible else None


def _range_of_resource(space: SearchSpace, name: str) -> tuple[Fraction, Fraction]:
    """Smallest and largest value of the resource. Raises SpecError if the space has no such resource."""
    numeric = [p.name for p in space if not isinstance(p, Choice) and p.condition is None]
    if name not in numeric:
        expected = f"expected the name of an int, double or discrete parameter: {', '.join(numeric) or 'there is none'}"
        raise SpecError([Problem(f"{_PATH}[resource_name]", f"got {name!r}, {expected}")])
    for other in space:
        if other.condition is not None and other.condition.parent == name:
            problem = f"parameter {other.name!r} depends on {name!r}, which hyperband changes from rung to rung"
            raise SpecError([Problem(f"{_PATH}[resource_name]", problem)])
    for constraint in space.constraints:
        if name in constraint.names:
            problem = f"the constraint {constraint.text!r} names {name!r}, which hyperband changes from rung to rung"
            raise SpecError([Problem(f"{_PATH}[resource_name]", problem)])
    resource = space[name]
    if isinstance(resource, Ordinal | Choice):
        return Fraction(str(resource.values[0])), Fraction(str(resource.values[-1]))
    return Fraction(str(resource.low)), Fraction(str(resource.high))


def _nearest(parameter: Parameter, resource: Fraction) -> Value:
    """The parameter's allowed value nearest to ``resource``; of two, the smaller one."""
    if isinstance(parameter, Ordinal | Choice):
        return min(parameter.values, key=lambda value: abs(Fraction(str(value)) - resource))
    low, high = Fraction(str(parameter.low)), Fraction(str(parameter.high))
    inside = min(max(resource, low), high)
    if parameter.step is None or parameter.count == 1:
        return parameter.check(float(inside))
    step = Fraction(str(parameter.step))
    index = min(-((low + step / 2 - inside) // step), int(parameter.count) - 1)  # rounds half down
    return parameter.check(float(low + index * step))
