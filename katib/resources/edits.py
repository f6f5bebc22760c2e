"""Edits of an experiment that exists: its three counts may change, by Katib's rules; ``space_update`` has the search
space, and nothing else may."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from katib.core.errors import Problem, SpecError, join_path
from katib.core.experiment import Budget
from katib.core.experiment import Experiment as Stored
from katib.resources.defaults import fill_counts
from katib.resources.documents import Experiment, ExperimentSpec
from katib.resources.projection import experiment_resource
from katib.resources.reading import read
from katib.resources.space_update import SPACE_FIELDS
from katib.resources.spec_projection import Tree
from katib.resources.validation import EDITABLE, count_problems, validate_update

_SPACE = re.compile(rf"spec\.({'|'.join(SPACE_FIELDS)})\b")
_ATTRIBUTES = {info.alias: name for name, info in ExperimentSpec.model_fields.items() if info.alias in EDITABLE}

Counts = Mapping[str, int | None]  # by field; None takes the field away


def editable_resource(experiment: Stored) -> Tree:
    """What is shown to somebody who edits: the Experiment without its status, and of its metadata what people write."""
    resource = experiment_resource(experiment)
    kept = ("name", "namespace", "labels", "annotations")
    metadata = {field: value for field, value in resource["metadata"].items() if field in kept}
    return {
        "apiVersion": resource["apiVersion"],
        "kind": resource["kind"],
        "metadata": metadata,
        "spec": resource["spec"],
    }


def edited_counts(before: Mapping[str, Any], after: Mapping[str, Any]) -> Counts:
    """The counts that ``after`` has otherwise than ``before``. Raises SpecError with all else that differs and is no
    part of the search space."""
    fields = [f"spec.{name}" for name in EDITABLE]
    rule = f"cannot be changed; only {', '.join((*EDITABLE, *SPACE_FIELDS))} can"
    without_status = {field: value for field, value in after.items() if field != "status"}
    changed = [path for path, _, _ in differences(before, without_status)]
    problems = [Problem(path, rule) for path in changed if path not in fields and not _SPACE.match(path)]
    if problems:
        raise SpecError(problems)
    read(Experiment, without_status)  # a count must be a number
    return {name: after.get("spec", {}).get(name) for name in EDITABLE if f"spec.{name}" in changed}


def edited_budget(stored: Stored, counts: Counts) -> Budget:
    """The budget of the stored experiment with ``counts``. Raises SpecError where Katib's rules refuse the edit."""
    old, new = (read(Experiment, experiment_resource(stored))[0] for _ in range(2))
    for field, count in counts.items():
        setattr(new.spec, _ATTRIBUTES[field], count)
    fill_counts(new.spec)
    fill_counts(old.spec)
    spec = new.spec
    problems = list(count_problems(spec))
    if problems:
        raise SpecError(problems)
    validate_update(old, new)
    return Budget(spec.parallel_trial_count or 1, spec.max_trial_count, spec.max_failed_trial_count)


def differences(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Each place where two trees differ: its path, and what they have there; None where they have nothing."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in [*old, *(name for name in new if name not in old)]:
            yield from differences(old.get(name), new.get(name), join_path(path, name))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, pair in enumerate(zip(old, new, strict=True)):
            yield from differences(*pair, f"{path}[{index}]")
    elif old != new:
        yield path, old, new
