"""What any process may do to an experiment: create it, and write wishes (run, stop, delete, budget) for its owner.

Wishes go by compare-and-set on the generation, so two people who edit at once cannot undo each other unseen.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from katib.core.changes import Changes, Event
from katib.core.errors import ConflictError
from katib.core.experiment import Budget, Desired, Experiment, ExperimentSpec, ResumePolicy, Verdict
from katib.core.ports import Store
from katib.core.trial import Key
from katib.engine.plan import Tally

EDIT_TRIES = 20


def create(store: Store, spec: ExperimentSpec, document: Mapping[str, Any]) -> Experiment:
    """Store a new experiment. Without a seed it gets one, so that every run can be repeated.

    Raises AlreadyExistsError.
    """
    uid, now = str(uuid.uuid4()), time.time()
    seed = spec.seed if spec.seed is not None else int(uid[:8], 16)
    experiment = Experiment(
        key=spec.key, uid=uid, spec=replace(spec, seed=seed), document=document, budget=spec.budget, created=now
    )
    event = Event(now, "Normal", "ExperimentCreated", f"experiment {spec.key.name} is created")
    store.commit(Changes(spec.key, experiment=experiment, events=(event,)), expected=0)
    return store.get(spec.key)


def edit(store: Store, key: Key, change: Callable[[Experiment], Experiment]) -> Experiment:
    """Apply ``change`` to the experiment's spec, document, desired state or budget; tries again after a conflict.

    Raises NotFoundError, and ConflictError if others write without a pause.
    """
    for _ in range(EDIT_TRIES):
        experiment = store.get(key)
        wanted = change(experiment)
        if wanted == experiment:
            return experiment
        try:
            generation = experiment.generation
            store.commit(Changes(key, experiment=replace(wanted, generation=generation + 1)), expected=generation)
            return store.get(key)
        except ConflictError:
            continue
    raise ConflictError(f"{key}: others keep editing it")


def want(store: Store, key: Key, desired: Desired) -> Experiment:
    """Write a wish for the experiment's owner. Raises NotFoundError."""
    return edit(store, key, lambda experiment: replace(experiment, desired=desired))


def set_budget(store: Store, key: Key, budget: Budget) -> Experiment:
    """Write a new budget for the experiment's owner. Raises NotFoundError."""
    return edit(store, key, lambda experiment: replace(experiment, budget=budget))


def may_restart(experiment: Experiment) -> bool:
    """Katib's rule: an experiment that used up its trials goes on if its policy allows it and it may have more now."""
    status, limit = experiment.status, experiment.budget.max_trials
    completed = Tally(status.counts).completed
    return (
        status.verdict is Verdict.MAX_TRIALS_REACHED
        and experiment.spec.resume_policy is not ResumePolicy.NEVER
        and (limit is None or limit > completed)
    )


def describe_end(verdict: Verdict, experiment: Experiment, tally: Tally) -> str:
    """One sentence for people on why the experiment ended."""
    objective, budget = experiment.spec.objective, experiment.budget
    return {
        Verdict.GOAL_REACHED: f"the goal of {objective.metric}, {objective.goal}, is reached",
        Verdict.MAX_TRIALS_REACHED: f"all {budget.max_trials} trials are done",
        Verdict.SEARCH_EXHAUSTED: f"the search is exhausted after {tally.completed} trials",
        Verdict.FAILED: tally.error or f"{tally.failed} trials failed, {budget.max_failed} are allowed",
    }[verdict]
