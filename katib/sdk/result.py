"""The answer of ``tune``."""

from __future__ import annotations

from dataclasses import dataclass

from katib.core.experiment import Experiment
from katib.core.trial import Parameters, Trial
from katib.engine.summary import best_trial, best_value, pareto_front


@dataclass(frozen=True)
class Result:
    """A finished (or interrupted) experiment and its trials by number."""

    experiment: Experiment
    trials: tuple[Trial, ...]

    @property
    def best_trial(self) -> Trial | None:
        """The best trial, None if none has a value."""
        return best_trial(self.experiment, self.trials)

    @property
    def pareto_front(self) -> list[Trial]:
        """The trials that no other beats in every objective, best first by the first objective."""
        return pareto_front(self.experiment.spec.objective, self.trials)

    @property
    def best_parameters(self) -> Parameters | None:
        """The best trial's parameters, typed; None if no trial has a value."""
        best = self.best_trial
        return dict(best.parameters) if best else None

    @property
    def best_value(self) -> float | None:
        """The best trial's objective value, with repeats the mean of its runs; None if no trial has one."""
        return best_value(self.experiment, self.trials)

    def __repr__(self) -> str:
        verdict = self.experiment.status.verdict
        return (
            f"Result(best_value={self.best_value!r}, best_parameters={self.best_parameters!r}, "
            f"trials={len(self.trials)}, end={verdict.value if verdict else 'interrupted'})"
        )
