"""Which place a client works with, by what it was given and what is set around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from katib.client.backend import DB_MANAGER, Backend
from katib.client.http_connection import HttpConnection
from katib.client.local import LocalBackend
from katib.client.rest import RestBackend
from katib.core.naming import load
from katib.options import Options
from katib.storage.home import default_home
from suggestion_service.security import ClientSecurity

GRPC_PORT = 6789  # where `katib serve` has its DBManager unless told otherwise
POD_FOLDER = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_KUBECONFIG = Path("~/.kube/config")


@dataclass(frozen=True, slots=True)
class Given:
    """What a client was given: None where nothing. file, context, configuration: of a cluster. server: URL of ``katib
    serve``. store: URL of a store, empty for this user's own."""

    file: str | None = None
    context: str | None = None
    configuration: Any = None
    server: str | None = None
    store: str | None = None
    security: ClientSecurity = field(default_factory=ClientSecurity)

    def chosen(self, environment: Mapping[str, str]) -> Given:
        """The same with one place only: the one given, else the first that the environment names.

        Raises ValueError if several are given, or a token or a CA without a server.
        """
        cluster = any(value is not None for value in (self.file, self.context, self.configuration))
        names = ["server"] * (self.server is not None) + ["store"] * (self.store is not None)
        names += ["config_file, context or client_configuration"] * cluster
        if len(names) > 1:
            raise ValueError(f"got {' and '.join(names)}, expected one of them: each names another place")
        found = self if names else self._found(environment)
        if found.server is not None:
            token = self.security.token or environment.get("KATIB_TOKEN", "")
            return replace(found, security=replace(self.security, token=token))
        if self.security.token or self.security.ca:
            raise ValueError("token and ca are for katib serve: they need server, or $KATIB_SERVER")
        return found

    def _found(self, environment: Mapping[str, str]) -> Given:
        if server := environment.get("KATIB_SERVER"):
            return Given(server=server)
        if store := environment.get("KATIB_STORE"):
            return Given(store=store)
        if environment.get("KUBECONFIG") or POD_FOLDER.is_dir() or _KUBECONFIG.expanduser().exists():
            return Given(context="")
        return Given(store="")


def open_backend(given: Given) -> Backend:
    """The place that is given. Raises SpecError, UnavailableError, PermanentError, MissingExtraError."""
    if given.server is not None:
        connection = HttpConnection(given.server, given.security)
        return RestBackend(connection, connection.at(GRPC_PORT), given.security)
    if given.store is not None:
        return LocalBackend(Options(default_home(), store=given.store, durable=True))
    connect = load("cluster", "katib.client.cluster:ClusterConnection", {})
    cluster = connect(given.file or "", given.context or "", given.configuration)
    return RestBackend(cluster, DB_MANAGER, ClientSecurity())


def default_namespace() -> str:
    """The one of the pod that this process is in, else ``default``."""
    try:
        return (POD_FOLDER / "namespace").read_text().strip() or "default"
    except OSError:
        return "default"
