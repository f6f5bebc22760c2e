"""One process: the API, the experiments that it runs, and what both stand on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.applications import Starlette

from katib.compose import Workshop
from katib.core.experiment import Desired, Experiment
from katib.engine.supervisor import Supervisor
from katib.options import Options
from katib.server.access import access_of
from katib.server.app import make_app
from katib.server.experiment_writes import WritableExperiments
from katib.server.guard import Guard
from katib.server.katib_objects import Suggestions, Trials
from katib.server.listening import listening
from katib.server.mirror import Mirror
from katib.server.objects import Collection
from katib.server.registry import Registry
from katib.server.stored_objects import ConfigMaps, Namespaces
from katib.server.tls import tls_context
from suggestion_service.katib_services import Ports, katib_listeners
from suggestion_service.security import ServerSecurity
from suggestion_service.server import run


@contextmanager
def house(options: Options) -> Iterator[tuple[Workshop, Starlette]]:
    """The application, with the experiments of the store running beside it."""
    workshop = Workshop(options)
    mirror = Mirror(workshop.store)
    supervisor = Supervisor(workshop.store, workshop.employ, _accepts)
    try:
        config_maps = ConfigMaps(mirror, workshop.store.documents)
        experiments = WritableExperiments(mirror, workshop, config_maps)
        namespaces = Namespaces(mirror, workshop.store.documents, [experiments, config_maps])
        namespaces.make_default()
        mirror.start()
        supervisor.start()
        try:
            collections: list[Collection] = [
                experiments, Trials(mirror), Suggestions(mirror), config_maps, namespaces,
            ]  # fmt: skip
            yield workshop, make_app(Registry(collections), mirror)
        finally:
            supervisor.close()
            mirror.close()
    finally:
        workshop.close()


def serve(options: Options, port: int, ports: Ports, namespace: str, security: ServerSecurity) -> None:
    """Serve until SIGTERM or SIGINT; prints where, when all is ready. Must be called by the main thread. Raises
    PermanentError on an address that other machines can reach without certificate and token.

    port: of the API. ports: of the gRPC services. namespace: of the trials that their messages mean.
    """
    access, tls = access_of(ports.host, security), tls_context(security)
    with (
        house(options) as (workshop, app),
        listening(Guard(app, access), ports.host, port, tls) as address,
    ):
        sys.stdout.write(f"API listening on {address}\n")
        run(katib_listeners(workshop.store, namespace, ports), security)


def _accepts(experiment: Experiment) -> bool:
    """Experiments made in Python have no job to run; whoever made them goes on with them."""
    return bool(experiment.spec.template.document) or experiment.desired is Desired.DELETE
