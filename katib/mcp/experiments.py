"""What the tools answer: plain values, of a store's experiments. Nothing here knows the protocol."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from algorithms import ALGORITHMS, STOPPERS, settings_of
from katib.best_trial import as_document, as_markdown, read_best_trial, why_none
from katib.compose import Workshop
from katib.core.errors import AlreadyExistsError, NotFoundError, PermanentError
from katib.core.experiment import Desired, Experiment
from katib.core.objective import Objective
from katib.core.texts import in_namespace
from katib.core.trial import Key, Trial, TrialState
from katib.engine import lifecycle
from katib.engine.finding import every_experiment, find_experiment, find_trial
from katib.engine.plan import Tally
from katib.resources.edits import Counts, editable_resource
from katib.resources.load import Known, LoadedExperiment, load_experiment
from katib.resources.projection import condition_of
from katib.wishes import carry_out, set_counts

Answer = dict[str, Any]

PATIENCE = 20.0  # seconds that an answer waits for a stop or a deletion


class Experiments:
    """The experiments of one store. Methods raise KatibError with a message that says what to do."""

    def __init__(self, workshop: Workshop) -> None:
        """workshop: whose store it is; closed by whoever made it."""
        self._workshop = workshop
        self._store = workshop.store

    def list(self, namespace: str | None) -> Answer:
        """All of a namespace, of every one for None."""
        return {"experiments": [_summary(each) for each in every_experiment(self._store, namespace)]}

    def get(self, key: Key) -> Answer:
        """How it stands, and its document as it can be edited."""
        experiment = find_experiment(self._store, key)
        return {**_summary(experiment), "document": editable_resource(experiment)}

    def validate(self, text: str) -> Answer:
        """Everything that ``create`` would refuse; stores nothing."""
        loaded = self._load(text)
        return {"valid": True, "name": loaded.spec.key.name, "warnings": [str(each) for each in loaded.warnings]}

    def create(self, text: str) -> Answer:
        """Store a new experiment; nothing runs it yet."""
        loaded = self._load(text)
        try:
            experiment = lifecycle.create(self._store, loaded.spec, loaded.document)
        except AlreadyExistsError:
            name = loaded.spec.key.name
            raise AlreadyExistsError(f"there is an experiment {name!r} already; choose another metadata.name") from None
        return {
            **_summary(experiment),
            "warnings": [str(each) for each in loaded.warnings],
            "next": f"it is stored and waits; this command runs it: katib resume {_words(experiment.key)}"
            " (a running `katib serve` on this store begins it by itself)",
        }

    def best(self, key: Key) -> Answer:
        """The best-trial report."""
        experiment = find_experiment(self._store, key)
        report = read_best_trial(self._store, self._workshop.trials_folder, experiment)
        return {"best": None, "why": why_none(experiment)} if report is None else {"best": as_document(report)}

    def best_page(self, key: Key) -> str:
        """The best-trial report as Markdown."""
        experiment = find_experiment(self._store, key)
        report = read_best_trial(self._store, self._workshop.trials_folder, experiment)
        return f"no best trial: {why_none(experiment)}" if report is None else as_markdown(report)

    def trials(self, key: Key, state: str | None, best_first: bool, limit: int) -> Answer:
        """Trials by number, or the best first; ``limit`` of them."""
        experiment = find_experiment(self._store, key)
        objective = experiment.spec.objective
        found = [trial for trial in self._store.trials(key) if state is None or trial.state.value == state]
        found.sort(key=lambda trial: trial.number)
        if best_first:
            found.sort(key=lambda trial: _rank(objective, trial))
        return {"trials": [_row(objective, trial) for trial in found[:limit]], "found": len(found)}

    def curve(self, namespace: str, trial: str, metric: str | None, limit: int) -> Answer:
        """What a trial's last attempt reported of a metric, thinned to ``limit`` points with the first and the last."""
        experiment, found = find_trial(self._store, namespace, trial)
        metric = metric or experiment.spec.objective.metric
        points = [
            (recorded.sequence if measured.step is None else measured.step, measured)
            for _, recorded in self._store.curve(experiment.key, found.number)
            if recorded.attempt == found.attempt and (measured := recorded.measurement).metric == metric
        ]
        if not points:
            known = ", ".join(found.observation) or "nothing"
            raise NotFoundError(f"trial {trial!r} has reported no {metric!r}; it reported: {known}")
        shown = [{"step": step, "value": m.value, "text": m.text} for step, m in _thinned(points, limit)]
        return {"trial": trial, "metric": metric, "points": shown, "reports": len(points)}

    def stop(self, key: Key) -> Answer:
        """End its running trials and start no more; it can be resumed."""
        experiment = find_experiment(self._store, key)
        if experiment.status.verdict is not None:
            raise PermanentError(f"experiment {key.name!r} has ended before: {experiment.status.message}")
        done = self._wish(key, Desired.STOP)
        return {"stopped": done, "next": f"katib resume {_words(key)}" if done else "it is being stopped"}

    def delete(self, key: Key) -> Answer:
        """Remove it with all that belongs to it."""
        find_experiment(self._store, key)
        done = self._wish(key, Desired.DELETE)
        return {"deleted": done} if done else {"deleted": False, "next": "it is being deleted"}

    def edit_budget(self, key: Key, counts: Counts) -> Answer:
        """Other counts, by field."""
        find_experiment(self._store, key)
        return _summary(set_counts(self._workshop, key, counts))

    def _wish(self, key: Key, desired: Desired) -> bool:
        lifecycle.want(self._store, key, desired)
        return carry_out(self._workshop, key, desired, time.monotonic() + PATIENCE)

    def _load(self, text: str) -> LoadedExperiment:
        loaded = load_experiment(text, known=Known(frozenset(ALGORITHMS), frozenset(STOPPERS)))
        self._workshop.check(loaded.spec)
        return loaded


def algorithms(name: str | None) -> Answer:
    """Names of the algorithms and early-stopping rules, or the settings of one."""
    if name is None:
        return {"algorithms": sorted(ALGORITHMS), "earlyStopping": sorted(STOPPERS)}
    return {"name": name, "settings": [info.tree for info in settings_of(name)]}


def _summary(experiment: Experiment) -> Answer:
    spec, status, budget = experiment.spec, experiment.status, experiment.budget
    kind, reason = condition_of(experiment)
    return {
        "name": experiment.key.name,
        "namespace": experiment.key.namespace,
        "condition": kind,
        "reason": reason,
        "message": status.message or status.waiting,
        "algorithm": spec.algorithm.name,
        "objectives": {target.metric: target.direction.value for target in spec.objective.targets},
        "budget": {"maxTrialCount": budget.max_trials, "parallelTrialCount": budget.parallel}
        | {"maxFailedTrialCount": budget.max_failed},
        "trials": {state.value: count for state, count in status.counts.items() if count},
        "finished": Tally(status.counts).completed,
        "bestTrial": status.best_name or None,
        "bestValue": status.best_value,
    }


def _row(objective: Objective, trial: Trial) -> Answer:
    ran = None if trial.started is None or trial.finished is None else round(trial.finished - trial.started, 3)
    values = {name: objective.value_of(name, trial.observation) for name in trial.observation}
    return {
        "trial": trial.name,
        "number": trial.number,
        "state": trial.state.value,
        "parameters": dict(trial.parameters),
        "metrics": {n: trial.observation[n].latest_text if value is None else value for n, value in values.items()},
        "seconds": ran,
        "reason": trial.reason,
    }


def _rank(objective: Objective, trial: Trial) -> tuple[bool, bool, tuple[float, ...]]:
    """Good trials by their losses first, then those that violate a constraint, then those without a value."""
    losses = objective.losses(trial.observation)
    good = trial.state in (TrialState.SUCCEEDED, TrialState.EARLY_STOPPED) and losses is not None
    violated = any(amount > 0 for amount in objective.violations(trial.parameters, trial.observation))
    return not good, violated, losses or ()


def _thinned(points: Sequence[Any], limit: int) -> list[Any]:
    if len(points) <= limit:
        return [*points]
    last = len(points) - 1
    return [points[round(index * last / (limit - 1))] for index in range(limit)]


def _words(key: Key) -> str:
    return f"{key.name}{in_namespace(key.namespace)}"


def counts_of(given: Mapping[str, int | None]) -> Counts:
    """The fields that were given. Raises PermanentError if none was."""
    counts = {field: count for field, count in given.items() if count is not None}
    if not counts:
        raise PermanentError(f"nothing to change was given; expected one of {', '.join(given)}")
    return counts
