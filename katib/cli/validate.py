"""``katib validate``: everything ``run`` would refuse, without running anything."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from katib.cli.main import OK
from katib.cli.output import print_object
from katib.cli.workshop import known_names, output_option
from katib.compose import Options, Workshop
from katib.resources.load import load_experiment


@click.command(short_help="Check an Experiment YAML without running it")
@click.argument("file", type=click.Path(path_type=Path))
@output_option("table", "json", "yaml")
def validate(file: Path, output: str) -> int:
    """Check FILE: fields, values, references, algorithm settings. With -o, print it with its defaults filled in."""
    loaded = load_experiment(file, known=known_names())
    with tempfile.TemporaryDirectory() as folder:
        workshop = Workshop(Options(Path(folder), store="memory://"))
        workshop.check(loaded.spec)
        workshop.close()
    if output == "table":
        click.echo(f"{file}: experiment {loaded.spec.key.name} is valid")
    else:
        print_object(loaded.document, output)
    return OK
