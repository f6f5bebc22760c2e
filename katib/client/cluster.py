"""Requests to a cluster, by the official client's configuration: loaded when a cluster is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from katib.client.backend import Place, Tree
from katib.core.errors import AlreadyExistsError, NotFoundError
from trial_runners.kubernetes.api import Api, RefusedError, Request, Resource

_MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}


class ClusterConnection:
    """One cluster."""

    def __init__(self, file: str, context: str, configuration: Any) -> None:
        """As ``Api`` has it. Raises RunnerError if there is no such cluster."""
        self._api = Api(context, file=file, configuration=configuration)

    def call(self, verb: str, place: Place, query: Mapping[str, str], body: Tree | None, timeout: float) -> Tree:
        """The answer."""
        headers = _MERGE_PATCH if verb == "patch" else {}
        request = Request(verb, _resource(place), place.namespace, place.name, query, body, place.part, headers)
        with _told_as_ours(verb):
            return self._api.call(request, read_timeout=timeout)

    def lines(self, place: Place, query: Mapping[str, str], timeout: float | None) -> Iterator[bytes]:
        """The lines of the answer as they arrive."""
        request = Request("get", _resource(place), place.namespace, place.name, query, None, place.part)
        with _told_as_ours("get"):
            stream = self._api.stream(request, timeout)
            try:
                yield from stream.lines()
            finally:
                stream.cut()

    def close(self) -> None:
        """Close idle connections."""
        self._api.close()


def _resource(place: Place) -> Resource:
    kind = place.kind
    return Resource(f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}", kind.plural)


@contextmanager
def _told_as_ours(verb: str) -> Iterator[None]:
    try:
        yield
    except RefusedError as error:
        if error.status == 404:
            raise NotFoundError(str(error)) from error
        if error.status == 409 and verb == "create":
            raise AlreadyExistsError(str(error)) from error
        raise
