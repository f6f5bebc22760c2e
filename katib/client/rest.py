"""A Kubernetes-shaped API as a place for experiments: ``katib serve``, or a cluster with Katib."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Protocol

from katib.client.backend import DB_MANAGER, Place, Tree
from katib.core.errors import NotFoundError, UnavailableError
from katib.core.objective import Measurement
from katib.server.kinds import POD
from katib.server.pods import COLLECTOR
from suggestion_service.remote_log import RemoteLog
from suggestion_service.security import ClientSecurity

TRIAL_LABEL = "katib.kubeflow.org/trial"

_MARGIN = 5.0  # seconds that a watch may be silent beyond its own end


class Connection(Protocol):
    """How requests get to an API server."""

    def call(self, verb: str, place: Place, query: Mapping[str, str], body: Tree | None, timeout: float) -> Tree:
        """The answer. verb: get, list, create, patch (a merge patch) or delete. Raises as ``Backend`` does."""
        ...

    def lines(self, place: Place, query: Mapping[str, str], timeout: float | None) -> Iterator[bytes]:
        """The lines of an answer as they arrive. timeout: seconds of silence that are an error."""
        ...

    def close(self) -> None:
        """Close it."""
        ...


class RestBackend:
    """The place behind a connection."""

    def __init__(self, connection: Connection, db_manager: str, security: ClientSecurity) -> None:
        """db_manager: asked where a caller names the default address. security: how DBManagers are reached."""
        self._connection = connection
        self._db_manager = db_manager
        self._security = security

    def get(self, place: Place, timeout: float) -> Tree:
        """The object."""
        return self._connection.call("get", place, {}, None, timeout)

    def list(self, place: Place, labels: str, timeout: float) -> Sequence[Tree]:
        """The objects with these labels."""
        query = {"labelSelector": labels} if labels else {}
        items: list[Tree] = self._connection.call("list", place, query, None, timeout).get("items") or []
        return items

    def create(self, place: Place, tree: Tree, timeout: float) -> Tree:
        """Make the object; fields that the server does not know are an error."""
        return self._connection.call("create", place, {"fieldValidation": "Strict"}, tree, timeout)

    def patch(self, place: Place, change: Tree, timeout: float) -> Tree:
        """Merge ``change`` into the object."""
        return self._connection.call("patch", place, {"fieldValidation": "Strict"}, change, timeout)

    def delete(self, place: Place, options: Tree, timeout: float) -> None:
        """Ask for the object's end."""
        self._connection.call("delete", place, {}, options or None, timeout)

    def await_change(self, place: Place, seen: str, timeout: float) -> None:
        """Watch the object until its first change."""
        began, seconds = time.monotonic(), max(1, int(timeout))
        query = {
            "watch": "true",
            "fieldSelector": f"metadata.name={place.name}",
            "resourceVersion": seen,
            "timeoutSeconds": str(seconds),
        }
        with suppress(UnavailableError):
            for line in self._connection.lines(place._replace(name=""), query, seconds + _MARGIN):
                if json.loads(line).get("type") != "BOOKMARK":
                    return
        time.sleep(max(0.0, min(1.0, timeout - (time.monotonic() - began))))  # a watch that broke must not be a storm

    def metrics(self, place: Place, address: str, timeout: float) -> Sequence[Measurement]:
        """What DBManager has of the trial."""
        asked = self._db_manager if address == DB_MANAGER else address
        log = RemoteLog(asked, self._security, timeout=timeout, namespace=place.namespace)
        return log.curves([place.name], "")[place.name]

    def logs(self, place: Place, follow: bool) -> Iterator[str]:
        """The output of the trial's primary pod."""
        trial = self.get(place, _LOG_TIMEOUT)["spec"]
        labels = {TRIAL_LABEL: place.name, **(trial.get("primaryPodLabels") or {})}
        selector = ",".join(f"{name}={value}" for name, value in labels.items())
        pods = self.list(Place(POD, place.namespace), selector, _LOG_TIMEOUT)
        if not pods:
            raise NotFoundError(f"there are no pods with the labels {selector}")
        collector = (trial.get("metricsCollector") or {}).get("collector") or {}
        container = COLLECTOR if collector.get("kind") == "StdOut" else trial.get("primaryContainerName")
        query = {"container": container} if container else {}
        log = Place(POD, place.namespace, _best(pods)["metadata"]["name"], "log")
        silence = None if follow else _LOG_TIMEOUT
        for line in self._connection.lines(log, {**query, **({"follow": "true"} if follow else {})}, silence):
            yield line.decode(errors="replace")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


_LOG_TIMEOUT = 120.0


def _best(pods: Sequence[Tree]) -> Tree:
    """The pod that runs or ran well, else any."""
    good = [pod for pod in pods if (pod.get("status") or {}).get("phase") in ("Running", "Succeeded")]
    return (good or pods)[0]
