"""The options that say which suggestion service a run uses, and how it is reached."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from suggestion_service.security import ClientSecurity

_PREFIX = "KATIB_SUGGESTION_"
_FILES = {
    "suggestion_ca": ("CA", "Reach it by TLS; authorities of its certificate, PEM"),
    "suggestion_cert": ("CERT", "Certificate to show to it, PEM"),
    "suggestion_key": ("KEY", "Key of that certificate, PEM"),
    "suggestion_token_file": ("TOKEN_FILE", f"Token to send; ${_PREFIX}TOKEN may hold it instead"),
}


def suggestion_options(command: Any) -> Any:
    """``--suggestion`` and what belongs to it."""
    options = [
        click.option(
            "--suggestion",
            default="",
            metavar="HOST:PORT|process",
            help="Use a suggestion service; 'process' starts one  [default: none, algorithms run here]",
        )
    ]
    for name, (variable, help_text) in _FILES.items():
        flag = f"--{name.replace('_', '-')}"
        kind = click.Path(path_type=Path)
        options.append(click.option(flag, type=kind, metavar="FILE", envvar=_PREFIX + variable, help=help_text))
    for option in reversed(options):
        command = option(command)
    return command


def take_security(flags: dict[str, Any]) -> ClientSecurity:
    """Take the values of these options, but ``suggestion``, out of ``flags``. Raises SpecError on a half of a pair."""
    ca, cert, key, token_file = (flags.pop(name) for name in _FILES)
    return ClientSecurity(ca, cert, key, os.environ.get(f"{_PREFIX}TOKEN", ""), token_file)
