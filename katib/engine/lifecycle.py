"""What any process may do to an experiment: create it, and write wishes (run, stop, delete, budget, retry) for its
owner.

Wishes go by compare-and-set on the generation, so two people who edit at once cannot undo each other unseen.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from katib.core.changes import Changes, Event
from katib.core.errors import ConflictError, PermanentError
from katib.core.experiment import Budget, Desired, Experiment, ExperimentSpec, Retry, Verdict
from katib.core.ports import Store
from katib.core.trial import Key, Trial
from katib.engine.plan import Tally
from katib.engine.retries import can_go_on, refusal
from katib.engine.space_edits import space_message
from katib.engine.warm_start import copy_sources, describe_sources

EDIT_TRIES = 20


def create(store: Store, spec: ExperimentSpec, document: Mapping[str, Any]) -> Experiment:
    """Store a new experiment. Without a seed it gets one, so that every run can be repeated. What it is to learn from
    former experiments is copied, unless ``spec`` brings it already.

    Raises AlreadyExistsError, and SpecError if a former experiment is not there or of no use.
    """
    uid, now = str(uuid.uuid4()), time.time()
    seed = spec.seed if spec.seed is not None else int(uid[:8], 16)
    spec = replace(spec, seed=seed, sources=spec.sources or copy_sources(store, spec))
    experiment = Experiment(key=spec.key, uid=uid, spec=spec, document=document, budget=spec.budget, created=now)
    events = [Event(now, "Normal", "ExperimentCreated", f"experiment {spec.key.name} is created")]
    if spec.warm_start is not None or spec.sources:
        learned = describe_sources(spec.sources) or "no former experiment"
        events.append(Event(now, "Normal", "WarmStarted", f"learns from {learned}"))
    store.commit(Changes(spec.key, experiment=experiment, events=tuple(events)), expected=0)
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
            changed = replace(wanted, generation=generation + 1)
            events = _edited(experiment, wanted)
            store.commit(Changes(key, experiment=changed, events=events), expected=generation)
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


def _edited(before: Experiment, after: Experiment) -> tuple[Event, ...]:
    """What the experiment's story says of a new budget and a new search space."""
    fields = {"maxTrialCount": "max_trials", "parallelTrialCount": "parallel", "maxFailedTrialCount": "max_failed"}
    pairs = {name: (getattr(before.budget, field), getattr(after.budget, field)) for name, field in fields.items()}
    budget = ", ".join(f"{name} {_limit(old)} -> {_limit(new)}" for name, (old, new) in pairs.items() if old != new)
    space = space_message(before.spec.space, after.spec.space)
    texts = {"ExperimentEdited": budget, "SearchSpaceChanged": space}
    return tuple(Event(time.time(), "Normal", reason, text) for reason, text in texts.items() if text)


def _limit(count: int | None) -> str:
    return "no limit" if count is None else str(count)


def retry(store: Store, key: Key, name: str) -> Trial:
    """Write the wish that a finished trial runs again; returns the trial as it is. Once more changes nothing.

    Raises NotFoundError, and PermanentError if it may not run again.
    """
    trial = store.trial(key, name)

    def with_wish(experiment: Experiment) -> Experiment:
        nonlocal trial
        trial = store.trial(key, name)
        if reason := refusal(experiment, trial):
            raise PermanentError(f"trial {name!r} cannot be retried: {reason}")
        wish = Retry(trial.number, name, trial.attempt)
        if wish in experiment.retries:
            return experiment
        still_open = (each for each in experiment.retries if store.trial(key, each.name).attempt == each.attempt)
        return replace(experiment, retries=(*still_open, wish))

    edit(store, key, with_wish)
    return trial


def may_restart(experiment: Experiment) -> bool:
    """Katib's rule: an experiment that used up its trials goes on if its policy allows it and it may have more now."""
    limit = experiment.budget.max_trials
    return can_go_on(experiment) and (limit is None or limit > Tally(experiment.status.counts).completed)


def describe_end(verdict: Verdict, experiment: Experiment, tally: Tally) -> str:
    """One sentence for people on why the experiment ended."""
    budget, limits = experiment.budget, experiment.spec.limits
    goals = [f"{t.metric}, {t.goal:g}," for t in experiment.spec.objective.targets if t.goal is not None]
    return {
        Verdict.GOAL_REACHED: f"the goal of {' and of '.join(goals)} is reached",
        Verdict.MAX_TRIALS_REACHED: f"all {budget.max_trials} trials are done",
        Verdict.MAX_DURATION_REACHED: f"it ran for {limits.experiment or 0:g} s, which is its maxDuration",
        Verdict.SEARCH_EXHAUSTED: f"the search is exhausted after {tally.completed} trials",
        Verdict.FAILED: tally.error or f"{tally.failed} trials failed, {budget.max_failed} are allowed",
    }[verdict]
