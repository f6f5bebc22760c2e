"""``katib run`` and ``katib resume``: an experiment in the foreground, from its YAML or its name to its best trial."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from katib.cli.clusters import runner_options, take_runner
from katib.cli.edit import budget_options, counts_of
from katib.cli.foreground import Flags, run_in_foreground
from katib.cli.loading import load_file, problems_of
from katib.cli.submit import create_or_find, is_over, override
from katib.cli.suggestion import suggestion_options, take_security
from katib.cli.values import Duration
from katib.cli.workshop import (
    find_experiment,
    namespace_option,
    open_workshop,
    output_option,
    split_experiments,
    store_option,
)
from katib.core.experiment import Desired, Experiment
from katib.engine import lifecycle
from katib.wishes import set_counts


def _shared_options(command: Any) -> Any:
    for option in reversed(
        (
            runner_options,
            suggestion_options,
            click.option(
                "--timeout",
                type=Duration(),
                metavar="DURATION",
                help="End running trials and stop after this time (90s, 5m, 1h30m), exit 4",
            ),
            output_option("table", "json", "yaml"),
            store_option,
        )
    ):
        command = option(command)
    return command


@click.command(short_help="Run an Experiment YAML in the foreground, or go on with it")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--parallel", type=click.IntRange(min=1), help="Trials at a time, instead of parallelTrialCount")
@click.option("--seed", type=click.IntRange(min=0), help="Seed of the search  [default: drawn at creation, then kept]")
@_shared_options
def run(file: Path, parallel: int | None, seed: int | None, store: str, **flags: Any) -> int:
    """Run the Experiment in FILE to its best trial.

    Running the same file again goes on where it stopped, or says that it is complete. Ctrl-C once lets running trials
    finish; twice ends them, and they run again on resume.
    """
    loaded = override(load_file(file), parallel, seed)
    security = take_security(flags)
    with open_workshop(store) as workshop:
        workshop.options = replace(workshop.options, suggestion_security=security)
        workshop.options = take_runner(flags, workshop.options, loaded.spec)

        def prepare() -> Experiment:
            with problems_of(file):
                return create_or_find(workshop, loaded)

        return run_in_foreground(workshop, Flags(**flags), prepare)


@click.command(short_help="Go on with an experiment that was stopped or interrupted")
@click.argument("words", nargs=-1, required=True, metavar="[experiment] NAME")
@namespace_option
@budget_options
@_shared_options
def resume(words: tuple[str, ...], namespace: str, store: str, **flags: Any) -> int:
    """Go on with the stored experiment NAME, as it was created; with another budget if one is given, as katib edit.

    One that has ended by maxTrialCount goes on if its resumePolicy is LongRunning or FromVolume and it may have more.

    \b
    Examples:
      katib resume my-experiment
      katib resume my-experiment --max-trials 40
    """
    counts = counts_of(**{name: flags.pop(name) for name in ("max_trials", "parallel", "max_failed")})
    keys = split_experiments(words, namespace, "resumed")
    if len(keys) != 1:
        raise click.UsageError(f"one experiment is resumed at a time, got {len(keys)}")
    (key,) = keys
    security = take_security(flags)
    with open_workshop(store) as workshop:
        workshop.options = replace(workshop.options, suggestion_security=security)
        experiment = find_experiment(workshop.store, key)
        workshop.options = take_runner(flags, workshop.options, experiment.spec)
        if counts:
            experiment = set_counts(workshop, experiment.key, counts)
        if is_over(experiment):
            return run_in_foreground(workshop, Flags(**flags), lambda: experiment)
        if not experiment.spec.template.document:
            raise click.UsageError(
                f"{key.name!r} is run from Python: go on with katib.Optimizer(..., name={key.name!r})"
            )
        return run_in_foreground(
            workshop, Flags(**flags), lambda: lifecycle.want(workshop.store, experiment.key, Desired.RUN)
        )
