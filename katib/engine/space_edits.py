"""Another search space for a living experiment: what is written, and what its story says of it.

The owner takes it over at its next look, a later one when it opens the experiment: both see all trials of before in the
new space, so both suggest the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from katib.core.errors import ConflictError, Problem, SpecError
from katib.core.experiment import Experiment, ExperimentSpec
from katib.core.space import SearchSpace
from katib.core.space_changes import revised, space_changes
from katib.engine.retries import can_go_on


def with_space(
    experiment: Experiment, spec: ExperimentSpec, document: Mapping[str, Any], seen: SearchSpace | None = None
) -> Experiment:
    """The experiment with the space of ``spec``, and the points to try first that belong to it; the same if nothing is
    different. document: the resource that ``spec`` was made from. seen: the space that the writer looked at.

    Raises SpecError on a change that is not possible, or for an experiment that is over for good, and ConflictError if
    somebody else has changed the space since it was seen: neither is to undo the other's change unseen.
    """
    if seen is not None and experiment.spec.space != seen:
        raise ConflictError(f"{experiment.key}: somebody else has just changed the search space; look at it, try again")
    if not space_changes(experiment.spec.space, spec.space):
        return experiment
    if experiment.status.verdict is not None and not can_go_on(experiment):
        verdict = experiment.status.verdict.value
        again = "a new experiment can learn from its trials: spec.warmStart"
        raise SpecError([Problem("spec.parameters", f"cannot be changed, the experiment is over ({verdict}); {again}")])
    space = revised(experiment.spec.space, spec.space)
    return replace(experiment, spec=replace(experiment.spec, space=space, initial=spec.initial), document=document)


def space_message(before: SearchSpace, after: SearchSpace) -> str:
    """The change in words, empty if there is none."""
    return ", ".join(space_changes(before, after)) if before != after else ""
