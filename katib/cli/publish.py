"""``katib publish``: an experiment for MLflow or TensorBoard, at once or as it goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from katib.cli.exits import OK
from katib.cli.workshop import namespace_option, split_experiments, store_option
from katib.core.naming import load

MLFLOW = "katib.integrations.mlflow:log_experiment"
TENSORBOARD = "katib.integrations.tensorboard:write_experiment"


@click.command(short_help="Show an experiment in MLflow or TensorBoard")
@click.argument("words", nargs=-1, required=True, metavar="[experiment] NAME")
@click.option("--mlflow", metavar="URI", help="Tracking server or database: http://HOST:5000, sqlite:///mlflow.db")
@click.option("--tensorboard", type=click.Path(path_type=Path), metavar="FOLDER", help="Where to write event files")
@click.option("-f", "--follow", is_flag=True, help="Go on until the experiment is over or stopped")
@namespace_option
@store_option
def publish(words: tuple[str, ...], mlflow: str | None, tensorboard: Path | None, **flags: Any) -> int:
    """Write the experiment NAME and all its trials to MLflow or TensorBoard: parameters, metrics with their steps, how
    each ended, and which is the best.

    Once more adds what is new. With -f it goes on beside the process that runs the experiment.
    """
    keys = split_experiments(words, flags["namespace"], "published")
    if len(keys) != 1:
        raise click.UsageError(f"one experiment is published at a time, got {len(keys)}")
    if (mlflow is None) == (tensorboard is None):
        raise click.UsageError("give --mlflow URI or --tensorboard FOLDER")
    if mlflow is not None:
        id = load("integration", MLFLOW, {})(keys[0].name, mlflow, **flags)
        click.echo(f"experiment {keys[0].name} is MLflow's experiment {id} at {mlflow}")
    else:
        place = load("integration", TENSORBOARD, {})(keys[0].name, tensorboard, **flags)
        click.echo(f"experiment {keys[0].name} is in {place}; see: tensorboard --logdir {tensorboard}")
    return OK
