"""One process: the API, the experiments that it runs, and what both stand on."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import uvicorn
from starlette.applications import Starlette

from katib.compose import Workshop
from katib.core.errors import PermanentError
from katib.core.experiment import Desired, Experiment
from katib.engine.supervisor import Supervisor
from katib.options import Options
from katib.server.app import make_app
from katib.server.experiment_writes import WritableExperiments
from katib.server.katib_objects import Suggestions, Trials
from katib.server.mirror import Mirror
from katib.server.objects import Collection
from katib.server.registry import Registry
from katib.server.stored_objects import ConfigMaps, Namespaces
from suggestion_service.katib_services import Ports, katib_listeners
from suggestion_service.security import ServerSecurity
from suggestion_service.server import run

GRACE_SECONDS = 5


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
    """Serve until SIGTERM or SIGINT; prints where, when all is ready. Must be called by the main thread.

    port: of the API. ports: of the gRPC services. namespace: of the trials that their messages mean.
    """
    with house(options) as (workshop, app), _listening(app, ports.host, port) as address:
        sys.stdout.write(f"API listening on {address}\n")
        run(katib_listeners(workshop.store, namespace, ports), security)


@contextmanager
def _listening(app: Starlette, host: str, port: int) -> Iterator[str]:
    """The API in a thread of its own; yields its URL."""
    config = uvicorn.Config(app, host, port, log_level="warning", server_header=False)
    config.timeout_graceful_shutdown = GRACE_SECONDS
    server = uvicorn.Server(config)
    with closing(_bound(host, port)) as bound:
        thread = threading.Thread(target=server.run, args=([bound],), name="api")
        thread.start()
        try:
            found, number = bound.getsockname()[:2]
            yield f"http://{f'[{found}]' if ':' in found else found}:{number}"
        finally:
            server.should_exit = True
            thread.join()


def _bound(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises PermanentError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise PermanentError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error


def _accepts(experiment: Experiment) -> bool:
    """Experiments made in Python have no job to run; whoever made them goes on with them."""
    return bool(experiment.spec.template.document) or experiment.desired is Desired.DELETE
