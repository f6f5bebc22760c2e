"""The columns of ``katib get``: Katib's own printer columns, and more of them with ``-o wide``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from katib.cli.output import age, latest, number, parameters
from katib.cli.solutions import targets_text, violation_text
from katib.core.experiment import Experiment
from katib.core.trial import Trial
from katib.engine.plan import Tally
from katib.resources.projection import condition_of
from katib.resources.status_conditions import suggestion_conditions

# An object of a list: an experiment (for its suggestion too), or one of its trials.
Item = tuple[Experiment, Trial | None]

AGE = "AGE"
HOLDS = "True"  # Katib shows an object's newest condition, which is one that holds
_HEADERS = {
    "experiment": ("NAME", "TYPE", "STATUS", AGE),
    "trial": ("NAME", "TYPE", "STATUS", AGE),
    "suggestion": ("NAME", "TYPE", "STATUS", "REQUESTED", "ASSIGNED", AGE),
}
_WIDE = {
    "experiment": ("TRIALS", "FAILED", "BEST", "OBJECTIVE", "ALGORITHM"),
    "trial": ("LATEST", "VALUE", "ATTEMPT", "PARAMETERS", "REASON"),
    "suggestion": ("ALGORITHM",),
}


@dataclass(frozen=True, slots=True)
class Columns:
    """What is shown of each object of a kind."""

    kind: str
    wide: bool
    namespaces: bool

    @property
    def header(self) -> list[str]:
        """Titles."""
        more = _WIDE[self.kind] if self.wide else ()
        return [*(["NAMESPACE"] if self.namespaces else []), *_HEADERS[self.kind], *more]

    def row(self, item: Item) -> list[str]:
        """One object's cells."""
        experiment, trial = item
        cells = _trial(experiment, trial, self.wide) if trial else self._experiment(experiment)
        return [*([experiment.key.namespace] if self.namespaces else []), *cells]

    def without_age(self, row: Sequence[str]) -> tuple[str, ...]:
        """What of a row changes only when the object does."""
        place = self.header.index(AGE)
        return (*row[:place], *row[place + 1 :])

    def _experiment(self, experiment: Experiment) -> list[str]:
        return (_suggestion if self.kind == "suggestion" else _experiment)(experiment, self.wide)


def _experiment(experiment: Experiment, wide: bool) -> list[str]:
    row = [experiment.key.name, condition_of(experiment)[0], HOLDS, age(experiment.created)]
    if wide:
        limit, objective = experiment.budget.max_trials, experiment.spec.objective
        tally = Tally(experiment.status.counts)
        row += [
            f"{tally.completed}/{limit}" if limit is not None else str(tally.completed),
            str(tally.failed),
            number(experiment.status.best_value),
            targets_text(objective),
            experiment.spec.algorithm.name,
        ]
    return row


def _suggestion(experiment: Experiment, wide: bool) -> list[str]:
    newest = suggestion_conditions(experiment)[-1]
    total = str(sum(experiment.status.counts.values()))
    row = [experiment.key.name, newest["type"], newest["status"], total, total, age(experiment.created)]
    return [*row, experiment.spec.algorithm.name] if wide else row


def _trial(experiment: Experiment, trial: Trial, wide: bool) -> list[str]:
    objective = experiment.spec.objective
    row = [trial.name, trial.state.value, HOLDS, age(trial.created)]
    if wide:
        value = number(objective.value(trial.observation))
        notes = filter(None, (trial.reason, violation_text(objective, trial), space_note(experiment, trial)))
        row += [latest(objective, trial), value, str(trial.attempt), parameters(trial), "; ".join(notes)]
    return row


def space_note(experiment: Experiment, trial: Trial) -> str:
    """That a trial lies outside of a search space that has changed since; empty if it does not."""
    space = experiment.spec.space
    return "" if not space.revision or space.contains(trial.parameters) else "outside of the search space"
