"""Writes the commands into docs/cli.md, from the code: ``python docs/generate_cli.py``. A test compares the two."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import click

from katib.cli.main import COMMANDS
from katib.core.naming import load

PAGE = Path(__file__).with_name("cli.md")

MARKER = "<!-- What follows is written by docs/generate_cli.py out of the commands. -->\n"


def page() -> str:
    """The whole page: what is written by hand, and each command."""
    by_hand = PAGE.read_text().partition(MARKER)[0]
    loaded = {name: load("command", where, {}) for name, (where, _) in COMMANDS.items()}
    commands = ("\n".join(_command(name, command)) for top in loaded.items() for name, command in _flat(*top))
    return "\n".join([by_hand + MARKER, *commands])


def _flat(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    """The command, or those of a group under both names."""
    if not isinstance(command, click.Group):
        yield name, command
    else:
        for below, each in command.commands.items():
            yield from _flat(f"{name} {below}", each)


def _command(name: str, command: click.Command) -> Iterator[str]:
    arguments = [_argument(each) for each in command.params if isinstance(each, click.Argument)]
    yield f"### katib {name}\n"
    yield f"```\nkatib {' '.join([name, '[OPTIONS]', *arguments])}\n```\n"
    text, _, examples = inspect.cleandoc(command.help or "").partition("\b\nExamples:\n")
    yield f"{text.strip()}\n"
    if examples:
        yield f"```\n{inspect.cleandoc(examples)}\n```\n"
    options = [each for each in command.params if isinstance(each, click.Option)]
    if options:
        yield "| option | meaning |\n|---|---|"
        yield from map(_option, options)
        yield ""


def _argument(argument: click.Argument) -> str:
    name = argument.metavar or (argument.name or "").upper()
    return name if argument.required or name.startswith("[") else f"[{name}]"


def _option(option: click.Option) -> str:
    names = ", ".join(f"`{name}`" for name in option.opts)
    value = "" if option.is_flag else f" `{_value(option)}`".replace("|", "\\|")
    default = f" [default: {option.default}]" if option.show_default else ""
    return f"| {names}{value} | {option.help}{default} |".replace("  [", " [")


def _value(option: click.Option) -> str:
    if option.metavar:
        return option.metavar
    if isinstance(option.type, click.Choice):
        return "|".join(option.type.choices)
    return {"integer": "NUMBER", "integer range": "NUMBER", "float range": "SECONDS"}.get(option.type.name, "TEXT")


if __name__ == "__main__":
    PAGE.write_text(page())
