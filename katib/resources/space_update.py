"""Edits of the search space of an experiment that exists: what its document may become, and the search that it says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from katib.core.errors import Problem, SpecError
from katib.core.experiment import Experiment as Stored
from katib.core.space_changes import space_changes
from katib.resources.convert_search import Search, read_search
from katib.resources.defaults import fill_defaults
from katib.resources.documents import Experiment, ExperimentSpec
from katib.resources.reading import read
from katib.resources.spec_projection import Tree
from katib.resources.validation_space import space_problems

SPACE_FIELDS = ("parameters", "constraints")


def space_update_problems(old: ExperimentSpec, new: ExperimentSpec) -> Iterator[Problem]:
    """What about the search of ``new`` is wrong, or cannot become of that of ``old``."""
    problems = list(space_problems(new))
    search = Search(problems=problems) if problems else read_search(new)
    before = read_search(old)
    if search.problems or before.problems:
        yield from search.problems
        return
    if search.outcomes != before.outcomes:
        yield Problem("spec.constraints", "those over metrics cannot be changed: they say what is a solution")
    try:
        space_changes(before.space, search.space)
    except SpecError as error:
        yield from error.problems


def edited_space(stored: Stored, edited: Mapping[str, Any]) -> tuple[Search, Tree] | None:
    """The search that the resource ``edited`` asks for and the stored document with it, None if that is the one it has.

    Raises SpecError. An experiment that was made in Python has no document, and its typed values no texts to be read.
    """
    given = stored.document.get("spec")
    wanted = {field: edited.get("spec", {}).get(field) for field in SPACE_FIELDS}
    if given is None or all(given.get(field) == value for field, value in wanted.items()):
        return None
    spec = {field: value for field, value in {**given, **wanted}.items() if value is not None}
    written, unknown = read(Experiment, {**stored.document, "spec": spec})
    experiment = fill_defaults(written)
    old = read(Experiment, stored.document)[0]
    problems = [*unknown, *space_update_problems(old.spec, experiment.spec)]
    if problems:
        raise SpecError(problems)
    return read_search(experiment.spec), experiment.tree()
