"""``katib mcp``: experiments for assistants that speak the Model Context Protocol."""

from __future__ import annotations

from dataclasses import replace

import click

from katib.cli.exits import OK
from katib.cli.workshop import store_option
from katib.core.naming import load
from katib.options import Options
from katib.storage.home import default_home

SERVE = "katib.mcp.server:serve"


@click.command(short_help="Serve experiments to assistants over MCP")
@click.option("--read-only", is_flag=True, help="Without the tools that create, stop, edit and delete")
@store_option
def mcp(read_only: bool, store: str) -> int:
    """Serve the store's experiments over the Model Context Protocol, on standard input and output.

    An assistant's program starts this command by itself: docs/mcp.md says how to tell it. Nothing is run here.
    """
    load("server", SERVE, {})(replace(Options(default_home()), store=store), read_only=read_only)
    return OK
