"""What one set of parameters came to: of one trial, or of all its runs where the objective asks for repeats."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import mean

from katib.core.objective import Objective
from katib.core.trial import Trial, TrialState

MAY_BE_BEST = frozenset({TrialState.SUCCEEDED, TrialState.EARLY_STOPPED})


@dataclass(frozen=True, slots=True)
class Outcome:
    """Means over the runs that have a value for every target.

    losses: one for each target, smaller is better. violations: one for each outcome constraint, positive where it is
    violated.
    """

    losses: tuple[float, ...]
    violations: tuple[float, ...]

    @property
    def feasible(self) -> bool:
        """Whether every outcome constraint holds."""
        return all(violation <= 0 for violation in self.violations)


def outcome_of(objective: Objective, runs: Iterable[Trial]) -> Outcome | None:
    """The outcome of finished trials with the same parameters, None if none of them has a value."""
    found = [
        (losses, objective.violations(trial.parameters, trial.observation))
        for trial in runs
        if trial.state in MAY_BE_BEST and (losses := objective.losses(trial.observation)) is not None
    ]
    if len(found) < 2:  # the common case: nothing is added up, so no digit changes
        return Outcome(*found[0]) if found else None
    return Outcome(_means([losses for losses, _ in found]), _means([violations for _, violations in found]))


def _means(rows: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
    return tuple(float(mean(column)) for column in zip(*rows, strict=True))  # exact, so no sum grows beyond floats
