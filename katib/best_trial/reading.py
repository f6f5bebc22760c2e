"""The best-trial report of an experiment out of its store, with the folders of the trial where they are here."""

from __future__ import annotations

from pathlib import Path

from katib.best_trial.report import BestTrialReport, report_trial
from katib.core.experiment import Experiment
from katib.core.ports import Store
from katib.core.trial import AttemptId
from trial_runners.attempt_folder import AttemptFolder


def read_best_trial(store: Store, trials_folder: Path, experiment: Experiment) -> BestTrialReport | None:
    """The report, None if there is no best trial (yet). trials_folder: the local trials' own folders.

    All trials are read only where parameters run several times, or there are several objectives.
    """
    status, objective = experiment.status, experiment.spec.objective
    if status.best is None:
        return None
    trial = store.trial(experiment.key, status.best_name)
    folder = AttemptFolder.of(trials_folder, AttemptId(experiment.key, trial.name, trial.attempt))
    return report_trial(
        experiment,
        trial,
        store.trials(experiment.key) if objective.repeats > 1 or objective.others else (),
        files=str(folder.path) if folder.path.is_dir() else None,
        checkpoint=str(folder.checkpoint) if _holds_something(folder.checkpoint) else None,
    )


def _holds_something(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())
