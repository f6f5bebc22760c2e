"""``katib validate``: everything ``run`` would refuse, without running anything."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from katib.cli.exits import OK
from katib.cli.loading import load_file, problems_of
from katib.cli.output import print_object
from katib.cli.workshop import output_option
from katib.compose import Workshop
from katib.options import Options


@click.command(short_help="Check an Experiment YAML without running it")
@click.argument("file", type=click.Path(path_type=Path))
@output_option("table", "json", "yaml")
def validate(file: Path, output: str) -> int:
    """Check FILE: fields, values, references, algorithm settings.

    With -o json or yaml, print the Experiment with its defaults filled in.
    """
    loaded = load_file(file)
    with tempfile.TemporaryDirectory() as folder:
        workshop = Workshop(Options(Path(folder), store="memory://"))
        try:
            with problems_of(file):
                workshop.check(loaded.spec)
        finally:
            workshop.close()
    if output == "table":
        click.echo(f"{file}: experiment {loaded.spec.key.name} is valid")
    else:
        print_object(loaded.document, output)
    return OK
