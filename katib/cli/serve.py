"""``katib serve``: a Kubernetes-shaped API without a cluster, and the experiments that it runs."""

from __future__ import annotations

from dataclasses import replace

import click

from katib.cli.exits import OK
from katib.cli.workshop import namespace_option, store_option
from katib.core.naming import load
from katib.options import Options
from katib.storage.home import default_home
from suggestion_service.katib_services import Ports
from suggestion_service.security import ServerSecurity

PORT = click.IntRange(0, 65535)

SERVE = "katib.server.serve:serve"


@click.command(short_help="Serve a Kubernetes-shaped API, and run its experiments")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on")
@click.option("--port", type=PORT, default=8080, show_default=True, help="Of the API; 0 picks a free one")
@click.option("--grpc-port", type=PORT, default=6789, show_default=True, help="Of Suggestion and DBManager")
@click.option("--early-stopping-port", type=PORT, default=6788, show_default=True, help="Of EarlyStopping")
@namespace_option
@store_option
def serve(host: str, port: int, grpc_port: int, early_stopping_port: int, namespace: str, store: str) -> int:
    """Serve experiments, trials and suggestions as a Kubernetes cluster would, and run the experiments here.

    Katib's gRPC services are served beside it. Their messages name no namespace: trials are taken for ones of -n.
    """
    options = replace(Options(default_home()), store=store, durable=True)
    ports = Ports(host, grpc_port, early_stopping_port)
    load("server", SERVE, {})(options, port, ports, namespace, ServerSecurity())
    return OK
