"""``katib explain``: what a field of a document means, as ``kubectl explain`` says it; and the schema for editors."""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Iterator

import click

from algorithms import ALGORITHMS, STOPPERS
from katib.cli.exits import OK
from katib.cli.workshop import KINDS
from katib.resources.documents import API_VERSION
from katib.resources.fields import Field, about_model, fields_of, find_field, json_schema

MOST_COLUMNS = 100  # a line that is longer is hard to read
NAMES = {"spec.algorithm.algorithmName": ALGORITHMS, "spec.earlyStopping.algorithmName": STOPPERS}


@click.command(short_help="Explain a field of Experiment, Trial or Suggestion")
@click.argument("field", default="experiment", metavar="[FIELD.PATH]")
@click.option("--recursive", is_flag=True, help="Only names and types, of all fields below")
@click.option("--schema", is_flag=True, help="Print the JSON Schema of the kind, for editors that complete and check")
def explain(field: str, recursive: bool, schema: bool) -> int:
    """Explain the field at FIELD.PATH: its type, what it means, its default, what it may be.

    \b
    Examples:
      katib explain experiment
      katib explain experiment.spec.parameters.feasibleSpace
      katib explain spec.objective --recursive
      katib explain --schema > experiment.schema.json
    """
    kind, path = _split(field)
    found = find_field(kind, path)
    if schema:
        click.echo(json.dumps(json_schema(kind, list(ALGORITHMS), list(STOPPERS)), indent=2))
        return OK
    for line in _page(kind, path, found, recursive):
        click.echo(line)
    return OK


def _split(field: str) -> tuple[str, list[str]]:
    """``experiment.spec.x`` or ``spec.x`` -> (kind, path); indices as error messages have them are left out."""
    first, *rest = [step.partition("[")[0] for step in field.strip(".").split(".")]
    kind = KINDS.get(first.lower())
    return (kind, rest) if kind else ("experiment", [first, *rest])


def _page(kind: str, path: list[str], found: Field, recursive: bool) -> Iterator[str]:
    group, _, version = API_VERSION.partition("/")
    yield f"GROUP:      {group}"
    yield f"KIND:       {kind.capitalize()}"
    yield f"VERSION:    {version}"
    if path:
        yield from ("", f"FIELD: {found.name} <{found.kind}>")
    yield from ("", "DESCRIPTION:")
    yield from _wrapped(found.text, 4)
    if path and found.model is not None:
        yield from _wrapped(about_model(found.model), 4)
    yield from _facts(".".join(path), found, 4)
    if found.model is not None:
        yield from ("", "FIELDS:")
        yield from _tree(found, 2) if recursive else _list(".".join(path), found)


def _list(path: str, parent: Field) -> Iterator[str]:
    for index, field in enumerate(fields_of(parent.model) if parent.model else ()):
        if index:
            yield ""
        yield f"  {field.name}  <{field.kind}>"
        yield from _wrapped(field.text, 6)
        yield from _facts(f"{path}.{field.name}".strip("."), field, 6)


def _tree(parent: Field, indent: int) -> Iterator[str]:
    for field in fields_of(parent.model) if parent.model else ():
        yield f"{' ' * indent}{field.name}  <{field.kind}>"
        yield from _tree(field, indent + 2)


def _facts(path: str, field: Field, indent: int) -> Iterator[str]:
    allowed = field.allowed or tuple(sorted(NAMES.get(path, ())))
    if allowed:
        yield from _wrapped(f"allowed: {', '.join(allowed)}", indent)
    if field.default is not None:
        yield from _wrapped(f"default: {field.default}", indent)


def _wrapped(text: str, indent: int) -> list[str]:
    width = min(shutil.get_terminal_size().columns, MOST_COLUMNS)
    return textwrap.wrap(
        text, width, initial_indent=" " * indent, subsequent_indent=" " * indent, break_on_hyphens=False
    )
