"""The entry point. Knows every command's name and one line about it; a command's module is imported only to run it, so
that ``katib --help`` is quick. Errors become one line each and an exit status here, nowhere else."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from katib import __version__
from katib.core.errors import (
    FencedError,
    KatibError,
    MissingExtraError,
    NotFoundError,
    PermanentError,
    SpecError,
    UnknownNameError,
)
from katib.core.naming import load

# Exit statuses, as documented in docs/cli.md.
OK, FAILED, USAGE, NOT_FOUND, TIME_OUT, INTERRUPTED = 0, 1, 2, 3, 4, 130

# Name -> (where the command is, one line about it), in the order of the help page.
COMMANDS = {
    "run": ("katib.cli.run:run", "Run an Experiment YAML in the foreground, or go on with it"),
    "resume": ("katib.cli.run:resume", "Go on with an experiment that was stopped or interrupted"),
    "validate": ("katib.cli.validate:validate", "Check an Experiment YAML without running it"),
    "get": ("katib.cli.get:get", "List experiments, trials or suggestions"),
    "describe": ("katib.cli.describe:describe", "Show an experiment or a trial in detail"),
    "best": ("katib.cli.describe:best", "Show the best trial, and the command that runs it again"),
    "logs": ("katib.cli.logs:logs", "Print what a trial printed"),
    "stop": ("katib.cli.wishes:stop", "Stop an experiment; it can be resumed"),
    "delete": ("katib.cli.wishes:delete", "Delete an experiment with its trials, metrics and files"),
    "algorithms": ("katib.cli.algorithms:algorithms", "List algorithms, or the settings of one"),
    "suggestion-service": ("katib.cli.service:suggestion_service", "Serve algorithms over gRPC, as Katib's images do"),
    "doctor": ("katib.cli.doctor:doctor", "Check this installation and say what is missing"),
}


class LazyGroup(click.Group):
    """Loads a command's module when the command is used; the help page needs none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command itself, loaded."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = load("command", COMMANDS[cmd_name][0], {})
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, but with the nearest name for a misspelt one."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise UnknownNameError("command", args[0], COMMANDS)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table, without loading anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="katib")
def katib() -> None:
    """Hyperparameter tuning and architecture search that speaks Katib, from a laptop on."""


def exit_status(error: BaseException) -> int:
    """The exit status of an error that ended a command."""
    if isinstance(error, NotFoundError):
        return NOT_FOUND
    if isinstance(error, FencedError | MissingExtraError):
        return FAILED
    return USAGE if isinstance(error, SpecError | UnknownNameError | PermanentError) else FAILED


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status. Prints errors to standard error, one line each."""
    try:
        result = katib.main(args=arguments, prog_name="katib", standalone_mode=False)
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return USAGE
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except KatibError as error:
        for line in str(error).splitlines():
            click.echo(f"error: {line}", err=True)
        return exit_status(error)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output (head, less) has left; Python would complain at exit
        return OK
    return result if isinstance(result, int) else OK


if __name__ == "__main__":
    sys.exit(main())
