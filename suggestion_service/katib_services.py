"""Katib's three services over one store, on the ports where Katib has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from katib.core.store_ports import LoggedStore
from suggestion_service.db_manager import DBManagerServicer
from suggestion_service.early_stopping import EarlyStoppingServicer
from suggestion_service.observations import Namespaces
from suggestion_service.remote_log import RemoteLog
from suggestion_service.security import ClientSecurity
from suggestion_service.server import Listener, Service, db_manager, early_stopping, suggestion


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the services listen. shared: Suggestion and DBManager. early_stopping: the same number for one server of
    all. 0 picks a free one."""

    host: str = "127.0.0.1"
    shared: int = 6789
    early_stopping: int = 6788


def katib_listeners(
    store: LoggedStore, namespaces: Namespaces, ports: Ports, elsewhere: Sequence[str] = ()
) -> list[Listener]:
    """What listens. namespaces: of the trials that Katib's messages mean, which name none. elsewhere: HOST:PORT of
    other DBManagers that EarlyStopping may read metrics from."""
    served = (suggestion(), db_manager(DBManagerServicer(store, namespaces), store))
    security = ClientSecurity.from_environment("KATIB_DB_MANAGER_")
    curves = {address: RemoteLog(address, security).curves for address in elsewhere}
    stopping = early_stopping(EarlyStoppingServicer(store, namespaces, curves))
    if ports.early_stopping == ports.shared and ports.shared:
        return [_listener(ports.host, ports.shared, (*served, stopping))]
    return [_listener(ports.host, ports.shared, served), _listener(ports.host, ports.early_stopping, (stopping,))]


def _listener(host: str, port: int, services: tuple[Service, ...]) -> Listener:
    return Listener(", ".join(service.name for service in services), host, port, services)
