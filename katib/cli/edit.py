"""``katib edit``: the budget of an experiment, by options; that and its search space in an editor as with ``kubectl
edit``."""

from __future__ import annotations

import itertools
import os
import shlex
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click
import yaml

from katib.cli.exits import OK, problem_lines
from katib.cli.output import print_object
from katib.cli.report import go_on_with
from katib.cli.submit import say_change
from katib.cli.values import Limit, count_of
from katib.cli.workshop import (
    find_experiment,
    namespace_option,
    open_workshop,
    output_option,
    split_experiments,
    store_option,
)
from katib.compose import Workshop
from katib.core.errors import PermanentError, SpecError
from katib.core.experiment import Experiment
from katib.engine import lifecycle
from katib.engine.space_edits import with_space
from katib.resources.edits import Counts, editable_resource, edited_counts
from katib.resources.projection import experiment_resource, resource_name
from katib.resources.space_update import edited_space
from katib.resources.yaml_loader import load_documents
from katib.wishes import set_counts

HEADER = """\
# What can be edited of this experiment: spec.parallelTrialCount, spec.maxTrialCount, spec.maxFailedTrialCount; and what
# each parameter may be (spec.parameters, spec.constraints), but not which parameters there are.
# Save and leave to apply them. An empty file, or one without changes, cancels.
"""


def budget_options(command: Any) -> Any:
    """The three counts as options; they come as ``max_trials``, ``parallel`` and ``max_failed``."""
    for option in (
        click.option(
            "--max-failed", type=Limit(), metavar="NUMBER|none", help="maxFailedTrialCount: how many may fail"
        ),
        click.option("--parallel", type=int, metavar="NUMBER", help="parallelTrialCount: trials at a time"),
        click.option("--max-trials", type=Limit(), metavar="NUMBER|none", help="maxTrialCount: trials in all"),
    ):
        command = option(command)
    return command


def counts_of(max_trials: int | str | None, parallel: int | None, max_failed: int | str | None) -> Counts:
    """The counts that were given as options."""
    given = {"maxTrialCount": max_trials, "parallelTrialCount": parallel, "maxFailedTrialCount": max_failed}
    return {field: count_of(value) for field, value in given.items() if value is not None}


@click.command(short_help="Change the budget of an experiment, while it runs or after its end")
@click.argument("words", nargs=-1, required=True, metavar="[experiment] NAME")
@namespace_option
@budget_options
@output_option("table", "json", "yaml")
@store_option
def edit(words: tuple[str, ...], namespace: str, output: str, store: str, **limits: Any) -> int:
    """Change how many trials the experiment NAME runs, at a time and in all, and how many may fail.

    Without options, its YAML is opened in $VISUAL or $EDITOR (else vi); there its search space can be changed too. A
    running experiment takes the change over within a second: more trials start, or none until fewer run; running ones
    are not ended. One that has ended goes on only if it ended by maxTrialCount, its resumePolicy is LongRunning or
    FromVolume, and it may have more trials now.

    \b
    Examples:
      katib edit my-experiment
      katib edit my-experiment --max-trials 40 --parallel 4
      katib edit my-experiment --max-failed none
    """
    keys = split_experiments(words, namespace, "edited")
    if len(keys) != 1:
        raise click.UsageError(f"one experiment is edited at a time, got {len(keys)}")
    with open_workshop(store) as workshop:
        before = find_experiment(workshop.store, keys[0])
        counts = counts_of(**limits)
        after = set_counts(workshop, before.key, counts) if counts else _in_editor(workshop, before)
        _report(before, after, output)
    return OK


def _report(before: Experiment, after: Experiment, output: str) -> None:
    if output != "table":
        print_object(experiment_resource(after), output)
        return
    edited = before.budget != after.budget or before.spec.space != after.spec.space
    click.echo(f"{resource_name('experiment', after.key.name)} {'edited' if edited else 'unchanged'}")
    if after.status.stopped or lifecycle.may_restart(after):
        click.echo(go_on_with(after))


def _in_editor(workshop: Workshop, experiment: Experiment) -> Experiment:
    """Let the user edit until the edit is good, or until he gives up; then his text is kept."""
    text = yaml.safe_dump(editable_resource(experiment), sort_keys=False, allow_unicode=True)
    descriptor, name = tempfile.mkstemp(prefix=f"katib-edit-{experiment.key.name}-", suffix=".yaml")
    file, before = Path(name), load_documents(text, "")[0].tree
    with os.fdopen(descriptor, "w") as opened:
        opened.write(HEADER + text)

    def apply(after: dict[str, Any]) -> Experiment:
        counts, search = edited_counts(before, after), edited_space(experiment, after)
        if search is None:
            return set_counts(workshop, experiment.key, counts) if counts else experiment
        found, document = search
        spec = replace(experiment.spec, space=found.space, initial=found.initial)
        moved = partial(with_space, spec=spec, document=document, seen=experiment.spec.space)
        edited = set_counts(workshop, experiment.key, counts, moved)
        say_change(workshop, experiment, edited)
        return edited

    try:
        edited = _edit_until_good(file, apply)
    except BaseException:
        if _body(file.read_text()) == text:
            file.unlink()
        else:
            click.echo(f"your text is kept in {file}", err=True)
        raise
    file.unlink()
    return edited or experiment


def _edit_until_good(file: Path, apply: Callable[[dict[str, Any]], Experiment]) -> Experiment | None:
    """What came of the user's text, None if he changed nothing or left nothing. A bad one is opened again with what is
    wrong above it; raises SpecError if he then leaves it as it is."""
    shown, refused = _body(file.read_text()), False
    while True:
        _run_editor(file)
        text = file.read_text()
        unchanged = _body(text) == shown
        if not _body(text).strip() or (unchanged and not refused):
            return None
        try:
            return _apply_text(text, str(file), apply)
        except SpecError as error:
            if unchanged:
                raise
            errors = (f"# error: {line}\n" for line in problem_lines(error.problems, ""))
            file.write_text("".join([HEADER, *errors, _body(text)]))
            shown, refused = _body(text), True


def _apply_text(text: str, source: str, apply: Callable[[dict[str, Any]], Experiment]) -> Experiment:
    """What ``apply`` makes of the one document of ``text``. Raises SpecError with lines."""
    document, *others = load_documents(text, source)
    if others:
        raise SpecError(f"got {1 + len(others)} documents, expected one")
    try:
        return apply(document.tree)
    except SpecError as error:
        raise SpecError(document.located(error.problems), source=source) from None


def _body(text: str) -> str:
    """A text without the comments that it begins with."""
    lines = text.splitlines(keepends=True)
    return "".join(itertools.dropwhile(lambda line: line.startswith("#") or not line.strip(), lines))


def _run_editor(file: Path) -> None:
    """Raises PermanentError if there is no such editor, or it did not end well."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    try:
        status = subprocess.run([*shlex.split(editor), str(file)], check=False).returncode
    except (OSError, ValueError) as error:
        raise PermanentError(f"the editor {editor!r} cannot be run ({error}); set $EDITOR to another") from None
    if status:
        raise PermanentError(f"the editor {editor!r} ended with status {status}; nothing was changed")
