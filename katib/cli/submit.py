"""The experiment of a file into the store: created, or found again and gone on with. The budget may have changed, and
what the parameters may be; any other change is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import click

from katib.cli.workshop import in_namespace
from katib.compose import Workshop
from katib.core.errors import NotFoundError, Problem, SpecError
from katib.core.experiment import Desired, Experiment
from katib.engine import lifecycle
from katib.engine.space_edits import space_message, with_space
from katib.resources.edits import differences
from katib.resources.load import LoadedExperiment
from katib.resources.space_update import SPACE_FIELDS
from katib.resources.validation import EDITABLE

SHOWN = 60  # characters of a value in a message


def override(loaded: LoadedExperiment, parallel: int | None, seed: int | None) -> LoadedExperiment:
    """The experiment with what the command line says in place of what the file says."""
    budget = loaded.spec.budget
    if parallel is not None:
        budget = replace(budget, parallel=min(parallel, budget.max_trials or parallel))
    return replace(loaded, spec=replace(loaded.spec, budget=budget, seed=loaded.spec.seed if seed is None else seed))


def is_over(experiment: Experiment) -> bool:
    """Whether it has ended and cannot go on."""
    return experiment.status.verdict is not None and not lifecycle.may_restart(experiment)


def create_or_find(workshop: Workshop, loaded: LoadedExperiment) -> Experiment:
    """The stored experiment of this name, wished to run with the budget and search space given; else a new one.

    Raises SpecError if the stored one differs in more, or its algorithm cannot go on in another space; UsageError if it
    has another seed.
    """
    spec = loaded.spec
    try:
        stored = workshop.store.get(spec.key)
    except NotFoundError:
        workshop.check(spec)
        return lifecycle.create(workshop.store, spec, loaded.document)
    _check_same(stored, loaded)

    def change(old: Experiment) -> Experiment:
        moved = with_space(old, spec, loaded.document, seen=stored.spec.space)
        return replace(moved, desired=Desired.RUN, budget=spec.budget)

    wanted = change(stored)
    if stored.status.verdict is not None and is_over(wanted):
        _check_over(stored, wanted)
        return stored
    if (wanted.spec.space, wanted.budget) != (stored.spec.space, stored.budget):
        workshop.check(replace(wanted.spec, budget=wanted.budget))
    edited = lifecycle.edit(workshop.store, spec.key, change)
    if edited.spec.space != stored.spec.space:
        say_change(workshop, stored, edited)
    return edited


def say_change(workshop: Workshop, stored: Experiment, edited: Experiment) -> None:
    """Tell what changed about the search space, and how many trials lie outside of it now."""
    old, new = stored.spec.space, edited.spec.space
    trials = workshop.store.trials(stored.key)
    outside = sum(not new.contains(trial.parameters) for trial in trials)
    message = f"search space of {stored.key.name}, revision {new.revision}: {space_message(old, new)}"
    click.echo(f"{message}; {outside} of {len(trials)} trials lie outside of it" if outside else message, err=True)


def _check_same(stored: Experiment, loaded: LoadedExperiment) -> None:
    key = stored.key
    remedy = f"change metadata.name, or remove the old one: katib delete {key.name}{in_namespace(key.namespace)}"
    if loaded.spec.seed not in (None, stored.spec.seed):
        message = f"--seed {loaded.spec.seed}: experiment {key.name!r} exists with {stored.spec.seed}; {remedy}"
        raise click.UsageError(message)
    before, after = _frozen_part(stored.document), _frozen_part(loaded.document)
    if stored.spec.objective.constraints == loaded.spec.objective.constraints:  # those left are part of the space
        before, after = ({n: v for n, v in part.items() if n not in SPACE_FIELDS} for part in (before, after))
    found = next(differences(before, after, "spec"), None)
    if found:
        path, old, new = found
        message = f"got {_show(new)}, but experiment {key.name!r} exists with {_show(old)}; {remedy}"
        raise SpecError([Problem(path, message)])


def _check_over(stored: Experiment, wanted: Experiment) -> None:
    """An experiment that has ended takes no more trials and no other space, unless its policy allows it."""
    if wanted.budget.max_trials != stored.budget.max_trials:
        message = (
            f"got {wanted.budget.max_trials}, but experiment {stored.key.name!r} is complete with "
            f"{stored.budget.max_trials}; only one that ended by maxTrialCount, with the resumePolicy LongRunning or "
            "FromVolume, can go on with more"
        )
        raise SpecError([Problem("spec.maxTrialCount", message)])
    if wanted.spec.space != stored.spec.space:
        message = (
            f"cannot be changed, experiment {stored.key.name!r} is complete; with a greater maxTrialCount it can go on"
        )
        raise SpecError([Problem("spec.parameters", message)])


def _frozen_part(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.get("spec", {}).items() if name not in EDITABLE}


def _show(value: Any) -> str:
    """A value in a message: what it is, shortened."""
    if value is None:
        return "nothing"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
