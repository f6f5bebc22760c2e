"""gRPC servers: which services listen where, their health and reflection, and a process that serves until it is told
to end."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from katib.core.errors import KatibError, PermanentError
from katib.core.store_ports import LoggedStore
from suggestion_service.db_manager import DBManagerServicer
from suggestion_service.early_stopping import EarlyStoppingServicer
from suggestion_service.protection import credentials_of, interceptors_of
from suggestion_service.security import ServerSecurity
from suggestion_service.suggestions import Create, SuggestionServicer, create_listed
from suggestion_service.trial_volume import TrialVolume

_OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.so_reuseport", 0),  # a taken port is an error, not a share of the other's calls
)
_LOOK_SECONDS = 0.5
_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class Service(NamedTuple):
    """One of Katib's services. health: names under which clients ask after it: Katib's controller, gRPC's own custom,
    anyone. check: raises a KatibError while it cannot answer."""

    name: str
    servicer: Any
    methods: tuple[str, ...]
    health: tuple[str, ...]
    check: Callable[[], None] = lambda: None

    @property
    def full_name(self) -> str:
        """As in the path of a call."""
        return f"api.v1.beta1.{self.name}"


def suggestion(create: Create = create_listed, volume: TrialVolume | None = None) -> Service:
    """The Suggestion service. create: builds an algorithm, raises SpecError where that cannot be. volume: where trials
    of Katib controllers have their checkpoints."""
    methods = ("GetSuggestions", "ValidateAlgorithmSettings")
    health_names = ("manager.v1beta1.Suggestion", "api.v1.beta1.Suggestion", "")
    return Service("Suggestion", SuggestionServicer(create, volume), methods, health_names)


def early_stopping(servicer: EarlyStoppingServicer) -> Service:
    """The EarlyStopping service."""
    methods = ("GetEarlyStoppingRules", "SetTrialStatus", "ValidateEarlyStoppingSettings")
    health_names = ("manager.v1beta1.EarlyStopping", "api.v1.beta1.EarlyStopping", "")
    return Service("EarlyStopping", servicer, methods, health_names)


def db_manager(servicer: DBManagerServicer, store: LoggedStore) -> Service:
    """The DBManager service; it is healthy while the store answers."""
    methods = ("ReportObservationLog", "GetObservationLog", "DeleteObservationLog")
    health_names = ("grpc.health.v1.Health", "manager.v1beta1.DBManager", "api.v1.beta1.DBManager", "")
    return Service("DBManager", servicer, methods, health_names, store.log.check)


class Server:
    """A running server. port: the one it listens on."""

    def __init__(self, server: Any, port: int, servicer: health.HealthServicer) -> None:
        self.port = port
        self._server = server
        self._health = servicer

    def stop(self, grace: float = 5.0) -> None:
        """Take no more calls, let running ones end within ``grace`` seconds, and return when all is closed."""
        self._health.enter_graceful_shutdown()
        self._server.stop(grace).wait()


def serve(
    address: str = "127.0.0.1:6789",
    services: Sequence[Service] = (),
    security: ServerSecurity = ServerSecurity(),
    *,
    max_workers: int = 10,
) -> Server:
    """Start a server of ``services`` (none given: Suggestion) on HOST:PORT and return while it runs. Port 0 picks a
    free one.

    Raises PermanentError for an address beyond this machine that ``security`` does not protect, and for one that
    cannot be listened on; SpecError on certificates or a token that cannot be used.
    """
    services = services or (suggestion(),)
    security.check(address)
    server = grpc.server(
        ThreadPoolExecutor(max_workers, thread_name_prefix="grpc"),
        options=_OPTIONS,
        interceptors=interceptors_of(security),
    )
    for service in services:
        server.add_generic_rpc_handlers((_handlers(service),))
    health_servicer = _Health(services)
    health_pb2_grpc.add_HealthServicer_to_server(health_servicer, server)
    names = [*(service.full_name for service in services), health.SERVICE_NAME, reflection.SERVICE_NAME]
    reflection.enable_server_reflection(names, server)
    credentials = credentials_of(security)
    try:
        if credentials is None:
            port = server.add_insecure_port(address)
        else:
            port = server.add_secure_port(address, credentials)
    except RuntimeError as error:
        raise PermanentError(f"cannot listen on {address}: the port may be taken by another process") from error
    server.start()
    return Server(server, port, health_servicer)


def _handlers(service: Service) -> Any:
    methods = {
        name: grpc.unary_unary_rpc_method_handler(
            getattr(service.servicer, name), response_serializer=lambda reply: reply.SerializeToString()
        )
        for name in service.methods
    }
    return grpc.method_handlers_generic_handler(service.full_name, methods)


class _Health(health.HealthServicer):  # type: ignore[misc]
    """Serving, as long as the services that are asked after can answer."""

    def __init__(self, services: Sequence[Service]) -> None:
        super().__init__()
        self._checks: dict[str, list[Callable[[], None]]] = {}
        for service in services:
            for name in service.health:
                self.set(name, _SERVING)
                self._checks.setdefault(name, []).append(service.check)

    def Check(self, request: Any, context: Any) -> Any:
        """As the base, but NOT_SERVING while a check fails."""
        try:
            for check in self._checks.get(request.service, ()):
                check()
        except KatibError:
            return health_pb2.HealthCheckResponse(status=_NOT_SERVING)
        return super().Check(request, context)


class Listener(NamedTuple):
    """Where services listen, and what the line that says so begins with."""

    title: str
    host: str
    port: int
    services: tuple[Service, ...]


def run(listeners: Sequence[Listener], security: ServerSecurity, lifeline: int | None = None) -> None:
    """Serve until SIGTERM or SIGINT; prints one line for each listener when all are ready. Must be called by the main
    thread.

    lifeline: file descriptor at whose end the service ends too. The other end of a pipe closes with the process that
    holds it, however that dies, so a service that another process started for itself does not outlive it.
    """
    ended = threading.Event()
    servers: list[Server] = []
    with _signals_set(ended):
        try:
            lines = [_start(listener, security, servers) for listener in listeners]
            sys.stdout.write("".join(lines))
            sys.stdout.flush()
            if lifeline is not None:
                threading.Thread(target=_watch, args=(lifeline, ended), name="lifeline", daemon=True).start()
            while not ended.wait(_LOOK_SECONDS):  # a signal in the moment before a wait does not end that wait
                pass
        finally:
            for server in servers:
                server.stop()


def _start(listener: Listener, security: ServerSecurity, servers: list[Server]) -> str:
    """Start one server; the line that says where it listens."""
    host = f"[{listener.host}]" if ":" in listener.host else listener.host
    servers.append(serve(f"{host}:{listener.port}", listener.services, security))
    return f"{listener.title} listening on {host}:{servers[-1].port}\n"


@contextmanager
def _signals_set(ended: threading.Event) -> Iterator[None]:
    """SIGTERM and SIGINT set ``ended`` for the time of the block."""
    before = {number: signal.signal(number, lambda *_: ended.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)


def _watch(lifeline: int, ended: threading.Event) -> None:
    while os.read(lifeline, 4096):
        pass
    ended.set()
