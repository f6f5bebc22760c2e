"""The entry point. Knows every command's name and one line about it; a command's module is imported only to run it, so
that ``katib --help`` is quick. No error leaves here as a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

import click
from click.shell_completion import CompletionItem

from katib import __version__
from katib.cli.exits import INTERRUPTED, OK, USAGE, error_lines, exit_status, leave_pipe
from katib.core.errors import UnknownNameError
from katib.core.naming import load

# Name -> (where the command is, one line about it), in the order of the help page.
COMMANDS = {
    "init": ("katib.cli.init:init", "Write a first experiment and its training, ready to run"),
    "run": ("katib.cli.run:run", "Run an Experiment YAML in the foreground, or go on with it"),
    "resume": ("katib.cli.run:resume", "Go on with an experiment that was stopped or interrupted"),
    "validate": ("katib.cli.validate:validate", "Check an Experiment YAML without running it"),
    "get": ("katib.cli.get:get", "List experiments, trials or suggestions"),
    "describe": ("katib.cli.describe:describe", "Show an experiment or a trial in detail"),
    "best": ("katib.cli.describe:best", "Show the best trial, and the command that runs it again"),
    "diff": ("katib.cli.diff:diff", "Compare two trials: parameters, settings, metrics"),
    "export": ("katib.cli.export:export", "Write all trials of an experiment to CSV, JSON or YAML"),
    "publish": ("katib.cli.publish:publish", "Show an experiment in MLflow or TensorBoard"),
    "logs": ("katib.cli.logs:logs", "Print what a trial printed"),
    "edit": ("katib.cli.edit:edit", "Change the budget of an experiment, while it runs or after its end"),
    "wait": ("katib.cli.wait:wait", "Wait until experiments or trials are in a condition"),
    "stop": ("katib.cli.wishes:stop", "Stop experiments; they can be resumed"),
    "retry": ("katib.cli.retry:retry", "Run failed trials again, each as its next attempt"),
    "delete": ("katib.cli.wishes:delete", "Delete experiments with their trials, metrics and files"),
    "nas": ("katib.cli.nas:nas", "Train, judge, export and draw the architectures that a search found"),
    "explain": ("katib.cli.explain:explain", "Explain a field of Experiment, Trial or Suggestion"),
    "algorithms": ("katib.cli.algorithms:algorithms", "List algorithms, or the settings of one"),
    "suggestion-service": ("katib.cli.service:suggestion_service", "Serve algorithms over gRPC, as Katib's images do"),
    "services": ("katib.cli.service:services", "Serve Suggestion, DBManager and EarlyStopping over gRPC"),
    "store": ("katib.cli.store:store", "Migrate or check the database that experiments are kept in"),
    "serve": ("katib.cli.serve:serve", "Serve a Kubernetes-shaped API, and run its experiments"),
    "mcp": ("katib.cli.mcp:mcp", "Serve experiments to assistants over MCP"),
    "bench": ("katib.cli.bench:bench", "Compare search algorithms with each other and with other systems"),
    "completion": ("katib.cli.completion:completion", "Print the script by which a shell completes katib's words"),
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

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. That the reader of its output (head, less) has left is no error."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            leave_pipe()
            return OK

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        """Names of commands out of the table, without loading anything."""
        found = [(name, text) for name, (_, text) in COMMANDS.items() if name.startswith(incomplete)]
        options = click.Command.shell_complete(self, ctx, incomplete) if incomplete.startswith("-") else []
        return [*(CompletionItem(name, help=text) for name, text in found), *options]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table, without loading anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)
@click.version_option(__version__, prog_name="katib", message="%(prog)s %(version)s")
@click.pass_context
def katib(ctx: click.Context) -> None:
    """Hyperparameter tuning and architecture search that speaks Katib, from a laptop on."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status. Prints errors to standard error, one line each."""
    if "_KATIB_COMPLETE" in os.environ:  # a shell asks, by the script that ``katib completion`` prints
        load("completion", "katib.cli.completion:install", {})()
    try:
        result = katib.main(args=arguments, prog_name="katib", standalone_mode=False)
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        _say(_usage_lines(error))
        return USAGE
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except Exception as error:
        if os.environ.get("KATIB_TRACEBACK"):
            raise
        _say(error_lines(error))
        return exit_status(error)
    return result if isinstance(result, int) else OK


def _usage_lines(error: click.ClickException) -> list[str]:
    context = error.ctx if isinstance(error, click.UsageError) else None
    hint = [f"see: {context.command_path} --help"] if context is not None else []
    return [f"error: {error.format_message()}", *hint]


def _say(lines: Sequence[str]) -> None:
    for line in lines:
        click.echo(line, err=True)


if __name__ == "__main__":
    sys.exit(main())
