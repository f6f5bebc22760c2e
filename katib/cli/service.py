"""``katib services`` and ``katib suggestion-service``: what this project serves over gRPC, in Katib's protocol."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from katib.cli.exits import OK
from katib.cli.security_options import host_option, insecure_option, security_of, security_options
from katib.cli.workshop import namespace_option, open_workshop, store_option
from suggestion_service.katib_services import Ports, katib_listeners
from suggestion_service.server import Listener, run, suggestion
from suggestion_service.trial_volume import TrialVolume

_PORT = click.IntRange(0, 65535)
_FILE = click.Path(path_type=Path)


@click.command(short_help="Serve algorithms over gRPC, as Katib's images do")
@click.option("--port", type=_PORT, default=6789, show_default=True, help="0 picks a free one")
@click.option(
    "--trial-volume",
    type=_FILE,
    metavar="DIR",
    help="Where the volume of a Katib suggestion is mounted, on which trials of pbt hand their checkpoints down",
)
@host_option
@security_options
@insecure_option
def suggestion_service(port: int, host: str, trial_volume: Path | None, **options: Any) -> int:
    """Serve every algorithm over Katib's api.v1.beta1 Suggestion protocol until interrupted."""
    served = suggestion(volume=TrialVolume(trial_volume) if trial_volume else None)
    run([Listener("suggestion service", host, port, (served,))], security_of(options))
    return OK


@click.command(short_help="Serve Suggestion, DBManager and EarlyStopping over gRPC")
@click.option("--port", type=_PORT, default=6789, show_default=True, help="Of Suggestion and DBManager; 0: a free one")
@click.option(
    "--early-stopping-port",
    type=_PORT,
    default=6788,
    show_default=True,
    help="Of EarlyStopping; the same number as --port: one server for all",
)
@click.option(
    "--db-manager",
    multiple=True,
    metavar="HOST:PORT",
    help="Another DBManager that EarlyStopping may read metrics from, when a request names it; may be repeated",
)
@namespace_option
@store_option
@host_option
@security_options
@insecure_option
def services(port: int, early_stopping_port: int, db_manager: tuple[str, ...], **options: Any) -> int:
    """Serve Katib's three gRPC services over the store until interrupted.

    Katib's messages name no namespace: trials are taken for ones of -n. Metrics that are reported for a running trial
    of this store reach its experiment.
    """
    ports = Ports(options["host"], port, early_stopping_port)
    with open_workshop(options["store"]) as workshop:
        run(katib_listeners(workshop.store, options["namespace"], ports, db_manager), security_of(options))
    return OK
