"""One process: the API, the experiments that it runs, and what both stand on."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from starlette.applications import Starlette
from starlette.routing import Route

from katib.compose import Workshop
from katib.engine.supervisor import Supervisor, has_job
from katib.options import Options
from katib.server.access import access_of
from katib.server.app import make_app
from katib.server.constants import runtimes
from katib.server.event_objects import Events
from katib.server.experiment_writes import WritableExperiments
from katib.server.guard import Guard
from katib.server.katib_objects import Suggestions, Trials
from katib.server.listening import listening
from katib.server.metrics import Metrics
from katib.server.mirror import Mirror
from katib.server.objects import Collection
from katib.server.pods import Pods
from katib.server.registry import Registry
from katib.server.stored_objects import ConfigMaps, Namespaces
from katib.server.tally import Tally
from katib.server.tls import tls_context
from katib.server.traffic import Traffic
from katib.server.trial_jobs import Jobs, TrainJobs
from katib.server.trial_namespaces import TrialNamespaces
from suggestion_service.katib_services import Ports, katib_listeners
from suggestion_service.security import ServerSecurity
from suggestion_service.server import run


class House(NamedTuple):
    """What is served over a store, and what it stands on."""

    workshop: Workshop
    mirror: Mirror
    app: Starlette
    metrics: Metrics
    traffic: Traffic


@contextmanager
def house(options: Options) -> Iterator[House]:
    """The application, with the experiments of the store running beside it."""
    workshop = Workshop(options)
    mirror = Mirror(workshop.store)
    supervisor = Supervisor(workshop.store, workshop.employ, has_job)
    try:
        registry = _registry(workshop, mirror)
        mirror.start()
        traffic = Traffic(collection.kind.plural for collection in registry)
        metrics = Metrics(workshop.store, mirror, Tally(mirror), traffic)
        metrics.watch("katib_running_experiments", "Experiments that this process runs", lambda: supervisor.running)
        supervisor.start()
        try:
            app = make_app(registry, mirror, [Route("/metrics", metrics.answer)])
            yield House(workshop, mirror, app, metrics, traffic)
        finally:
            supervisor.close()
            mirror.close()
    finally:
        workshop.close()


def _registry(workshop: Workshop, mirror: Mirror) -> Registry:
    """All collections."""
    config_maps = ConfigMaps(mirror, workshop.store.documents)
    experiments = WritableExperiments(mirror, workshop, config_maps)
    namespaces = Namespaces(mirror, workshop.store.documents, [experiments, config_maps])
    namespaces.make_default()
    katib: list[Collection] = [experiments, Trials(mirror), Suggestions(mirror)]
    pods, events = Pods(mirror, workshop.log_reader()), Events(mirror, workshop.store)
    beside: list[Collection] = [pods, Jobs(mirror), TrainJobs(mirror), events, *runtimes()]
    return Registry([*katib, config_maps, namespaces, *beside])


def serve(options: Options, port: int, ports: Ports, namespace: str, security: ServerSecurity) -> None:
    """Serve until SIGTERM or SIGINT; prints where, when all is ready. Must be called by the main thread. Raises
    PermanentError on an address that other machines can reach without certificate and token.

    port: of the API. ports: of the gRPC services. namespace: of a trial that is in several, or in none, where a message
    of theirs names none.
    """
    access, tls = access_of(ports.host, security), tls_context(security)
    with house(options) as here:
        guard = Guard(here.app, access, here.traffic)
        here.metrics.watch("katib_open_watches", "Watches and followed logs now", lambda: guard.open_watches)
        _tune()
        with listening(guard, ports.host, port, tls) as address:
            sys.stdout.write(f"API listening on {address}\n")
            namespaces = TrialNamespaces(here.mirror, here.workshop.store, namespace)
            run(katib_listeners(here.workshop.store, namespaces, ports), security)


def _tune() -> None:
    """Have the interpreter answer soon: threads that run experiments hand over after half a millisecond when the API
    has something to do, and what was read at the start is not looked through for garbage again and again."""
    sys.setswitchinterval(0.0005)
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
