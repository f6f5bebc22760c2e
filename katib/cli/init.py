"""``katib init``: a first experiment to start from, which runs as it stands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click

from algorithms import ALGORITHMS
from katib.cli.exits import OK
from katib.cli.starter import COLLECTORS, SEARCHES, experiment_yaml, train_py
from katib.core.errors import PermanentError, UnknownNameError
from katib.resources.validation import MAX_NAME, NAME_RULE, is_experiment_name

NEXT = """
Next:
  {cd}katib validate experiment.yaml
  katib run experiment.yaml
  katib get trials {name} -o wide
  katib best {name}
  katib resume {name} --max-trials {more}"""


@click.command(short_help="Write a first experiment and its training, ready to run")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=".", metavar="[FOLDER]")
@click.option("--name", help="Name of the experiment  [default: after the folder]")
@click.option("--algorithm", default="tpe", show_default=True, help="How to search; katib algorithms lists them")
@click.option(
    "--collector",
    type=click.Choice(COLLECTORS, case_sensitive=False),
    metavar="|".join(COLLECTORS),
    default="StdOut",
    show_default=True,
    help="How the training reports metrics: it prints them, writes a file, or calls katib.report_metrics",
)
@click.option("--force", is_flag=True, help="Overwrite files that exist")
def init(folder: Path, name: str | None, algorithm: str, collector: str, force: bool) -> int:
    """Write experiment.yaml and train.py into FOLDER: a small real training (standard library, about a second a trial)
    and an experiment that tunes it. Both are short, to be read and changed.

    \b
    Examples:
      katib init moons
      katib init --algorithm hyperband --collector File --force
    """
    name = _name(folder, name)
    if algorithm not in SEARCHES or algorithm not in ALGORITHMS:
        _refuse(algorithm)
    texts = {"experiment.yaml": experiment_yaml(name, algorithm, collector), "train.py": train_py(collector)}
    taken = [str(folder / file) for file in texts if (folder / file).exists()]
    if taken and not force:
        raise PermanentError(f"{' and '.join(taken)} exist{'s' if len(taken) == 1 else ''}; overwrite with --force")
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in texts.items():
        (folder / file).write_text(text)
        click.echo(f"wrote {folder / file}")
    cd = "" if folder.resolve() == Path.cwd() else f"cd {shlex.quote(str(folder))}\n  "
    click.echo(NEXT.format(cd=cd, name=name, more=SEARCHES[algorithm].trials + 6))
    return OK


def _name(folder: Path, given: str | None) -> str:
    """The experiment's name: the one given, else what the folder's name has of one. Raises PermanentError."""
    if given is None:
        words = re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-0123456789")
        return words[:MAX_NAME].rstrip("-") or "experiment"
    if not is_experiment_name(given):
        raise PermanentError(f"--name: got {given!r}, expected {NAME_RULE}")
    return given


def _refuse(algorithm: str) -> None:
    """Say why no experiment is written for that algorithm."""
    if algorithm in ALGORITHMS:
        raise PermanentError(
            f"--algorithm: {algorithm} needs more than this training has; see the examples, or begin with one of "
            f"{', '.join(SEARCHES)}"
        )
    raise UnknownNameError("algorithm", algorithm, [known for known in SEARCHES if known in ALGORITHMS])
