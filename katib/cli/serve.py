"""``katib serve``: a Kubernetes-shaped API without a cluster, and the experiments that it runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from katib.cli.exits import OK
from katib.cli.security_options import host_option, security_of, security_options
from katib.cli.workshop import namespace_option, store_option
from katib.core.naming import load
from katib.options import Options
from katib.storage.home import default_home
from suggestion_service.katib_services import Ports

PORT = click.IntRange(0, 65535)

SERVE = "katib.server.serve:serve"


@click.command(short_help="Serve a Kubernetes-shaped API, and run its experiments")
@host_option
@click.option("--port", type=PORT, default=8080, show_default=True, help="Of the API; 0 picks a free one")
@click.option("--grpc-port", type=PORT, default=6789, show_default=True, help="Of Suggestion and DBManager")
@click.option("--early-stopping-port", type=PORT, default=6788, show_default=True, help="Of EarlyStopping")
@namespace_option
@store_option
@security_options
def serve(host: str, port: int, grpc_port: int, early_stopping_port: int, **options: Any) -> int:
    """Serve experiments, trials and suggestions as a Kubernetes cluster would, and run the experiments here.

    Katib's gRPC services are served beside it. Their messages name no namespace: a trial is looked for in all, and is
    taken for one of -n where that finds none, or several.

    An address that other machines can reach needs a certificate and a token.
    """
    where = replace(Options(default_home()), store=options["store"], durable=True)
    ports = Ports(host, grpc_port, early_stopping_port)
    load("server", SERVE, {})(where, port, ports, options["namespace"], security_of(options))
    return OK
