"""The answer of ``tune``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from katib.architectures import best_architectures
from katib.core.errors import MissingExtraError
from katib.core.experiment import Experiment
from katib.core.history import History
from katib.core.naming import load
from katib.core.outcome import MAY_BE_BEST
from katib.core.trial import Parameters, Trial
from katib.engine.summary import best_trial, best_value, incumbents, pareto_front, ranked
from katib.sdk.page import page
from katib.sdk.table import columns

_PLOTS = "katib.sdk.plots"
_DRAWN = 2  # architectures beside each other


@dataclass(frozen=True, repr=False)
class Result:
    """A finished (or interrupted) search and its trials by number. A notebook shows it as a table of the best ones."""

    experiment: Experiment
    trials: tuple[Trial, ...]

    @property
    def name(self) -> str:
        """The name that it is kept by."""
        return self.experiment.key.name

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

    def to_frame(self) -> Any:
        """The trials as a pandas DataFrame, indexed by number: name, state, metrics, parameters, started (UTC),
        seconds, reason. A parameter or metric named like another column is ``parameter.NAME`` or ``metric.NAME``.

        Raises MissingExtraError without pandas.
        """
        return load("frame", "katib.sdk.frame:frame", {})(columns(self.experiment.spec, self.trials))

    def plot_history(self) -> Any:
        """Draw the value of each trial and the best so far, of the first objective. Returns Matplotlib's axes.

        Raises MissingExtraError without matplotlib, as the other plots do.
        """
        return self._plot("history")

    def plot_front(self) -> Any:
        """Draw the first two objectives against each other, with the trials that no other beats. Returns the axes.

        Raises ValueError if there is one objective alone.
        """
        if not self.experiment.spec.objective.others:
            raise ValueError("there is one objective, and so no front; see plot_history")
        return self._plot("front")

    def plot_slice(self) -> Any:
        """Draw the value of each trial over each parameter. Returns a list of axes, one a parameter."""
        return self._plot("slices")

    def plot_parallel(self) -> Any:
        """Draw each trial as a line over all parameters, coloured by its value. Returns the axes."""
        return self._plot("parallel")

    def importance(self) -> dict[str, float]:
        """How much each parameter had to do with reaching a good value: its share by PED-ANOVA, greatest first. Shares
        add up to 1, or are all 0 if the best trials are like all the others.

        They say what mattered in this search, within its ranges, and each parameter by itself. Raises ValueError if
        fewer than ten trials have a value.
        """
        spec = self.experiment.spec
        history = History(spec.space, spec.objective, self.trials)
        shares: dict[str, float] = load("importance", "algorithms.importance:importance", {})(history)
        return shares

    def plot_importance(self) -> Any:
        """Draw the share of each parameter, as ``importance`` has it. Returns the axes."""
        return self._drawing("importance")(self.importance())

    def _plot(self, kind: str) -> Any:
        draw, shown = self._drawing(kind), self._drawing("Shown")
        spec = self.experiment.spec
        good = [t for t in self.trials if t.state in MAY_BE_BEST and spec.objective.value(t.observation) is not None]
        values = [spec.objective.value(trial.observation) for trial in good]
        failed = [t.number for t in self.trials if t.state.finished and t not in good]
        return draw(shown(spec, good, values, failed, incumbents(spec.objective, self.trials), self.pareto_front))

    def _drawing(self, name: str) -> Any:
        try:
            return load("plot", f"{_PLOTS}:{name}", {})
        except MissingExtraError as error:  # another extra may bring the package too, but this is the one meant for it
            raise MissingExtraError(error.package, "plots") from error

    def _repr_html_(self) -> str:
        objective = self.experiment.spec.objective
        shown = self.pareto_front if objective.others else ranked(objective, self.trials)
        found = best_architectures(objective, self.trials, _DRAWN)
        return page(self.experiment, shown, len(self.trials), incumbents(objective, self.trials), found)

    def __repr__(self) -> str:
        verdict = self.experiment.status.verdict
        return (
            f"Result(best_value={self.best_value!r}, best_parameters={self.best_parameters!r}, "
            f"trials={len(self.trials)}, end={verdict.value if verdict else 'interrupted'})"
        )
