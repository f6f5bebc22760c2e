"""What an experiment found: best trial and curve of the incumbent. Every report reads the same functions."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass

from katib.core.experiment import Experiment
from katib.core.objective import Objective
from katib.core.outcome import MAY_BE_BEST, Outcome, outcome_of
from katib.core.trial import Trial
from katib.core.values import point_of

__all__ = [
    "MAY_BE_BEST",
    "Incumbent",
    "Race",
    "best_trial",
    "best_value",
    "incumbents",
    "pareto_front",
    "progress",
    "ranked",
]


@dataclass(frozen=True, slots=True)
class Incumbent:
    """The best value known once ``completed`` trials were finished, and the trial that gave it. With several
    objectives it is the first one's value."""

    completed: int
    trial: Trial
    value: float


class Race:
    """Keeps the best trial while finished ones are taken in, in order of seq.

    Better is a smaller loss of the first target; where that is equal, of the next. Strictly better wins, so the earlier
    of two equals stays. What violates an outcome constraint is never best. Where every set of parameters runs several
    times, it is judged once all runs are in, by their mean, and its first good run stands for it. Texts (genotypes)
    cannot be compared: the latest one is best until a number comes, as in Katib.
    """

    def __init__(self, objective: Objective) -> None:
        self.best: Trial | None = None
        self.goal_reached = False
        self._objective = objective
        self._losses: tuple[float, ...] | None = None
        self._runs: dict[Hashable, list[Trial]] = {}

    @property
    def value(self) -> float | None:
        """The first objective's value of the best trial (the mean of its runs), None if it has none."""
        return None if self._losses is None else self._objective.from_loss(self._losses[0])

    def take(self, trial: Trial) -> bool:
        """Take a finished trial in. Returns whether there is a new best one with a value."""
        runs = self._completed_by(trial)
        good = [run for run in runs if run.state in MAY_BE_BEST]
        if not good:
            return False
        outcome = outcome_of(self._objective, good)
        if outcome is None:
            if self._losses is None and self._objective.available(good[0].observation):
                self.best = good[0]
            return False
        return self._judge(good[0], outcome)

    def _judge(self, trial: Trial, outcome: Outcome) -> bool:
        if not outcome.feasible:
            return False
        self.goal_reached |= self._objective.reached(outcome.losses)
        if self._losses is not None and outcome.losses >= self._losses:
            return False
        self.best, self._losses = trial, outcome.losses
        return True

    def _completed_by(self, trial: Trial) -> list[Trial]:
        repeats = self._objective.repeats
        if repeats == 1:
            return [trial]
        runs = self._runs.setdefault(point_of(trial.parameters), [])
        runs.append(trial)
        return sorted(runs, key=lambda run: run.number) if len(runs) >= repeats else []


def incumbents(objective: Objective, trials: Iterable[Trial]) -> list[Incumbent]:
    """Each improvement in order of completion; the last one is the best trial."""
    race, path = Race(objective), []
    for completed, trial in enumerate(_finished(trials), 1):
        if race.take(trial) and race.best is not None and race.value is not None:
            path.append(Incumbent(completed, race.best, race.value))
    return path


def best_trial(experiment: Experiment, trials: Iterable[Trial]) -> Trial | None:
    """The best trial, None if no finished one has a value or satisfies the constraints."""
    return _race(experiment, trials).best


def best_value(experiment: Experiment, trials: Iterable[Trial]) -> float | None:
    """The first objective's value of the best trial (the mean of its runs), None if it has none."""
    return _race(experiment, trials).value


def _race(experiment: Experiment, trials: Iterable[Trial]) -> Race:
    race = Race(experiment.spec.objective)
    for trial in _finished(trials):
        race.take(trial)
    return race


def pareto_front(objective: Objective, trials: Iterable[Trial]) -> list[Trial]:
    """The trials that no other beats in every target, best first by the first target; constraints hold for all.

    Of several runs of the same parameters the first good one stands for their mean, once all are finished.
    """
    runs: dict[Hashable, list[Trial]] = {}
    for trial in _finished(trials):
        runs.setdefault(point_of(trial.parameters) if objective.repeats > 1 else trial.number, []).append(trial)
    complete = [
        [t for t in group if t.state in MAY_BE_BEST] for group in runs.values() if len(group) >= objective.repeats
    ]
    outcomes = ((outcome_of(objective, good), good[0]) for good in complete if good)
    ranked = sorted(((o.losses, t.seq, t) for o, t in outcomes if o and o.feasible), key=lambda item: item[:2])
    front: list[tuple[tuple[float, ...], Trial]] = []
    for losses, _, trial in ranked:
        if not any(all(a <= b for a, b in zip(other, losses, strict=True)) for other, _ in front):
            front.append((losses, trial))
    return [trial for _, trial in front]


def _finished(trials: Iterable[Trial]) -> list[Trial]:
    return sorted((t for t in trials if t.state.finished), key=lambda t: t.seq)


def ranked(objective: Objective, trials: Iterable[Trial]) -> list[Trial]:
    """Finished trials with a value that keep to the constraints, the best first; where no trial has a number, those
    with a text, the latest first."""
    good = [trial for trial in _finished(trials) if trial.state in MAY_BE_BEST]
    outcomes = [(outcome_of(objective, [trial]), trial) for trial in good]
    feasible = [(o.losses, t.number, t) for o, t in outcomes if o is not None and o.feasible]
    if feasible or any(outcome is not None for outcome, _ in outcomes):
        return [trial for _, _, trial in sorted(feasible, key=lambda each: each[:2])]
    return [trial for trial in reversed(good) if objective.available(trial.observation)]


def progress(experiment: Experiment) -> tuple[int, int | None]:
    """(finished trials, how many there will be at most or None)."""
    done = sum(count for state, count in experiment.status.counts.items() if state.finished)
    return done, experiment.budget.max_trials
