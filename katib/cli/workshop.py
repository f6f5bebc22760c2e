"""What most commands begin with: the options that say where the store is, opening it, and finding things by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

import click

from katib.compose import Workshop
from katib.core.errors import nearest_hint
from katib.core.ports import Store
from katib.core.texts import in_namespace as in_namespace
from katib.core.trial import Key
from katib.engine.finding import every_experiment as every_experiment
from katib.engine.finding import find_experiment as find_experiment
from katib.engine.finding import find_trial as find_trial
from katib.options import Options
from katib.storage.home import default_home

Command = TypeVar("Command", bound=Callable[..., object])

# kubectl's spellings -> kind. What follows a dot (experiments.kubeflow.org) is left off before.
KINDS = {spelling: kind for kind in ("experiment", "trial", "suggestion") for spelling in (kind, f"{kind}s")}
KINDS |= {"exp": "experiment", "exps": "experiment"}

store_option = click.option(
    "--store",
    default="",
    metavar="URL",
    envvar="KATIB_STORE",
    help="Where experiments are kept  [default: $KATIB_STORE, else a SQLite file in $KATIB_HOME]",
)
namespace_option = click.option("-n", "--namespace", default="default", show_default=True, help="Namespace")


def output_option(*formats: str, default: str = "table") -> Callable[[Command], Command]:
    """``-o`` with the formats a command knows."""
    return click.option(
        "-o", "--output", type=click.Choice(formats), default=default, show_default=True, help="Output format"
    )


@contextmanager
def open_workshop(store: str) -> Iterator[Workshop]:
    """The store of this machine's user, or the one at ``store``; closed afterwards."""
    workshop = Workshop(replace(Options(default_home()), store=store))
    try:
        yield workshop
    finally:
        workshop.close()


def split_name(words: tuple[str, ...], default: str = "") -> tuple[str, str]:
    """``NAME``, ``KIND NAME`` or ``KIND/NAME`` -> (kind, name), kinds by any of kubectl's spellings."""
    parts = words[0].split("/", 1) if len(words) == 1 else list(words)
    if len(parts) == 1:
        return default, parts[0]
    if len(parts) != 2 or not parts[1]:
        raise click.UsageError(f"got {' '.join(words)!r}, expected [KIND] NAME or KIND/NAME")
    return kind_of(parts[0]), parts[1]


def split_names(words: tuple[str, ...], default: str = "") -> list[tuple[str, str]]:
    """``NAME...``, ``KIND NAME...`` or ``KIND/NAME...`` -> (kind, name) of each."""
    first = words[0].partition(".")[0].lower()
    if len(words) > 1 and first in KINDS:
        return [split_name((words[0], name)) for name in words[1:]]
    return [split_name((word,), default) for word in words]


def split_experiments(words: tuple[str, ...], namespace: str, done: str) -> list[Key]:
    """The keys of the experiments named. done: what can be done to experiments alone, for the message."""
    named = split_names(words, default="experiment")
    for kind, name in named:
        if kind != "experiment":
            raise click.UsageError(f"only experiments can be {done}, got {kind} {name!r}")
    return [Key(namespace, name) for _, name in named]


def kind_of(word: str) -> str:
    """experiment, trial or suggestion, from any of kubectl's spellings."""
    kind = KINDS.get(word.partition(".")[0].lower())
    if kind is None:
        hint = nearest_hint(word, list(KINDS))
        raise click.UsageError(f"unknown kind {word!r}{hint}; expected experiments, trials or suggestions")
    return kind


def newest_revision(store: Store) -> int:
    """The revision to ask the change feed from: whatever is read after this call is as new."""
    return max((experiment.revision for experiment in every_experiment(store)), default=0)
