"""What an experiment found: best trial and curve of the incumbent. Every report reads the same functions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from katib.core.experiment import Experiment
from katib.core.objective import Objective
from katib.core.trial import Trial, TrialState

MAY_BE_BEST = frozenset({TrialState.SUCCEEDED, TrialState.EARLY_STOPPED})


@dataclass(frozen=True, slots=True)
class Incumbent:
    """The best value known once ``completed`` trials were finished, and the trial that gave it."""

    completed: int
    trial: Trial
    value: float


def incumbents(objective: Objective, trials: Iterable[Trial]) -> list[Incumbent]:
    """Each improvement in order of completion; the last one is the best trial. Of equals the earlier stays."""
    path: list[Incumbent] = []
    finished = sorted((t for t in trials if t.state.finished), key=lambda t: t.seq)
    for completed, trial in enumerate(finished, 1):
        value = objective.value(trial.observation)
        if trial.state not in MAY_BE_BEST or value is None:
            continue
        if not path or objective.better(value, path[-1].value):
            path.append(Incumbent(completed, trial, value))
    return path


def best_trial(experiment: Experiment, trials: Iterable[Trial]) -> Trial | None:
    """The best trial, None if no finished one has a value. Texts (genotypes) cannot be compared: the first one wins."""
    everything = list(trials)
    path = incumbents(experiment.spec.objective, everything)
    if path:
        return path[-1].trial
    objective = experiment.spec.objective
    texts = (t for t in everything if t.state in MAY_BE_BEST and objective.available(t.observation))
    return min(texts, key=lambda t: t.seq, default=None)


def progress(experiment: Experiment) -> tuple[int, int | None]:
    """(finished trials, how many there will be at most or None)."""
    done = sum(count for state, count in experiment.status.counts.items() if state.finished)
    return done, experiment.budget.max_trials
