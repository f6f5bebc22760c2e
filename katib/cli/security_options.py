"""The options of commands that serve: the address, and who may call there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from suggestion_service.security import ServerSecurity

_FILE = click.Path(path_type=Path)

host_option = click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on")

insecure_option = click.option(
    "--insecure", is_flag=True, help="Allow an address beyond this machine without certificate and token"
)


def security_options(command: Any) -> Any:
    """Certificate, client certificates and token."""
    for option in reversed(
        (
            click.option("--tls-cert", type=_FILE, metavar="FILE", envvar="KATIB_TLS_CERT", help="Certificate, PEM"),
            click.option("--tls-key", type=_FILE, metavar="FILE", envvar="KATIB_TLS_KEY", help="Its key, PEM"),
            click.option(
                "--tls-client-ca",
                type=_FILE,
                metavar="FILE",
                envvar="KATIB_TLS_CLIENT_CA",
                help="Callers must show a certificate of one of these authorities, PEM",
            ),
            click.option(
                "--token-file",
                type=_FILE,
                metavar="FILE",
                envvar="KATIB_TOKEN_FILE",
                help="Callers must know a token of this file; $KATIB_TOKEN may hold one instead",
            ),
        )
    ):
        command = option(command)
    return command


def security_of(options: dict[str, Any]) -> ServerSecurity:
    """What the options say. The token leaves the environment: trials that are started here inherit that."""
    return ServerSecurity(
        cert=options["tls_cert"],
        key=options["tls_key"],
        client_ca=options["tls_client_ca"],
        token=os.environ.pop("KATIB_TOKEN", ""),
        token_file=options["token_file"],
        insecure=options.get("insecure", False),
    )
