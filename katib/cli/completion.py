"""What a shell completes: click's own machinery, and the names of experiments and trials out of the store.

Runs at every press of the tab key, so a command's module is loaded only to complete its options.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
    get_completion_class,
)

from katib.cli.exits import OK
from katib.storage.home import default_home, default_url
from katib.storage.names import names_like

COMPLETE = "_KATIB_COMPLETE"  # set by the script in the shell when it asks
SHELLS = ("bash", "zsh", "fish")
KINDS = {"experiment": ("experiments",), "trial": ("trials",), "both": ("experiments", "trials")}

# What the words of a command name. ``get`` begins with a kind.
WORDS: Mapping[str, str] = {
    **dict.fromkeys(("resume", "best", "stop", "delete", "edit", "export", "publish"), "experiment"),
    **dict.fromkeys(("logs", "retry", "diff"), "trial"),
    **dict.fromkeys(("describe", "wait", "get"), "both"),
}
OBJECTS = ("experiments", "trials", "suggestions")
FLAGS = frozenset(
    ("-f", "--follow", "-w", "--watch", "-A", "--all-namespaces", "--all", "--curves", "--raw", "--ignore-not-found")
)

HOW = {
    "bash": 'eval "$(katib completion bash)"      # in ~/.bashrc',
    "zsh": 'eval "$(katib completion zsh)"       # in ~/.zshrc, after compinit',
    "fish": "katib completion fish | source      # in ~/.config/fish/config.fish",
}


@click.command(short_help="Print the script by which a shell completes katib's words")
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> int:
    """Print a script for SHELL; with it the tab key completes commands, options, and names of experiments and trials.

    \b
    Examples:
      eval "$(katib completion bash)"     # in ~/.bashrc
      eval "$(katib completion zsh)"      # in ~/.zshrc, after compinit
      katib completion fish | source      # in ~/.config/fish/config.fish
    """
    kind = get_completion_class(shell)
    if kind is not None:
        click.echo(kind(click.get_current_context().find_root().command, {}, "katib", COMPLETE).source())
    return OK


class _WithNames(ShellComplete):
    """Completes names without loading the command that they are for."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        """As click does it, but for the names."""
        found = name_completions(args, incomplete)
        return super().get_completions(args, incomplete) if found is None else found


class _Bash(_WithNames, BashComplete):
    pass


class _Zsh(_WithNames, ZshComplete):
    pass


class _Fish(_WithNames, FishComplete):
    pass


def install() -> None:
    """Have click complete names too."""
    for name, kind in zip(SHELLS, (_Bash, _Zsh, _Fish), strict=True):
        add_completion_class(kind, name)


def name_completions(args: list[str], incomplete: str) -> list[CompletionItem] | None:
    """The names that a word may become; None where no name of an experiment or trial is asked for."""
    command, *before = args or [""]
    if command not in WORDS or incomplete.startswith("-"):
        return None
    if before and before[-1].startswith("-") and "=" not in before[-1] and before[-1] not in FLAGS:
        return None  # the value of an option
    kinds = KINDS[WORDS[command]]
    kind, slash, prefix = incomplete.rpartition("/")
    if command == "get" and not slash and not _positional(before):
        return [CompletionItem(each) for each in OBJECTS if each.startswith(incomplete)]
    if slash:
        kinds = KINDS["trial" if kind.startswith("trial") else "experiment"]
    url = _value(before, "--store") or os.environ.get("KATIB_STORE") or default_url(default_home())
    names = names_like(url, _value(before, "-n", "--namespace") or "default", prefix)._asdict()
    return [CompletionItem(f"{kind}{slash}{name}", help=which[:-1]) for which in kinds for name in names[which]]


def _positional(words: list[str]) -> list[str]:
    """The words that are neither options nor values of options."""
    found, skip = [], False
    for word in words:
        if not skip and not word.startswith("-"):
            found.append(word)
        skip = word.startswith("-") and word not in FLAGS and "=" not in word and not skip
    return found


def _value(words: list[str], *options: str) -> str:
    """The value that an option has among ``words``, empty if it is not there."""
    for index, word in enumerate(words):
        if word in options and index + 1 < len(words):
            return words[index + 1]
        name, _, value = word.partition("=")
        if name in options and value:
            return value
    return ""
