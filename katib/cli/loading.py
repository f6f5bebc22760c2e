"""Experiment files for the commands that take one: read, checked, and every problem with its line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from algorithms import ALGORITHMS, STOPPERS
from katib.cli.exits import problem_lines
from katib.core.errors import Problem, SpecError
from katib.resources.load import Known, LoadedExperiment, load_experiment
from katib.resources.yaml_loader import load_documents, read_text

_SETTING = re.compile(r"(?P<list>.*algorithmSettings)\[(?P<name>[^\]]*)\]")


def load_file(file: Path) -> LoadedExperiment:
    """The experiment in ``file``; warnings are printed to standard error. Raises SpecError."""
    loaded = load_experiment(file, known=Known(frozenset(ALGORITHMS), frozenset(STOPPERS)))
    for line in problem_lines(loaded.warnings, str(file)):
        click.echo(f"warning: {line}", err=True)
    return loaded


@contextmanager
def problems_of(file: Path) -> Iterator[None]:
    """Give a SpecError about the spec out of ``file`` the file's name and lines."""
    try:
        yield
    except SpecError as error:
        raise SpecError(_located(file, error.problems), source=str(file)) from None


def _located(file: Path, problems: Iterable[Problem]) -> list[Problem]:
    (document,) = (d for d in load_documents(read_text(file), str(file)) if d.tree.get("kind") == "Experiment")
    by_place = [Problem(_place(document.tree, p.path), p.message, p.line) for p in problems]
    return document.located(by_place)


def _place(tree: Mapping[str, Any], path: str) -> str:
    """Algorithms name a setting; the file has a list: ``algorithmSettings[eta]`` -> ``algorithmSettings[0].value``."""
    match = _SETTING.fullmatch(path)
    if match is None:
        return path
    settings: Any = tree
    for step in match["list"].split("."):
        settings = settings.get(step) or {}
    names = [setting.get("name") for setting in settings]
    if match["name"] not in names:
        return match["list"]
    return f"{match['list']}[{names.index(match['name'])}].value"
