"""``katib suggestion-service``: the algorithms over gRPC."""

from __future__ import annotations

import click

from katib.cli.exits import OK
from suggestion_service import server


@click.command(short_help="Serve algorithms over gRPC, as Katib's images do")
@click.option("--port", type=click.IntRange(0, 65535), default=6789, show_default=True, help="0 picks a free one")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on")
@click.option("--insecure", is_flag=True, help="Allow an address beyond this machine, without TLS or token")
def suggestion_service(port: int, host: str, insecure: bool) -> int:
    """Serve every algorithm over Katib's api.v1.beta1 Suggestion protocol until interrupted."""
    server.run(host, port, insecure)
    return OK
