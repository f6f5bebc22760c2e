"""Requests to ``katib serve``, by what the standard library has."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from katib.client.backend import Place, Tree
from katib.core.errors import (
    AlreadyExistsError,
    ConflictError,
    NotFoundError,
    PermanentError,
    SpecError,
    UnavailableError,
)
from suggestion_service.security import ClientSecurity

_METHODS = {"create": "POST", "patch": "PATCH", "delete": "DELETE"}
_MERGE_PATCH = "application/merge-patch+json"


class HttpConnection:
    """One server by its URL. Each request has a connection of its own."""

    def __init__(self, url: str, security: ClientSecurity) -> None:
        """url: ``http://HOST:PORT`` or ``https://HOST:PORT``. Raises SpecError on what is no such URL or no CA file,
        PermanentError if a token would go to another machine unencrypted."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise SpecError(f"server: got {url!r}, expected http://HOST:PORT or https://HOST:PORT")
        self._secure = parts.scheme == "https"
        self._host, self._base = parts.hostname, parts.path.rstrip("/")
        self._port = parts.port or (443 if self._secure else 80)
        self._token = security.token
        if not self._secure:
            ClientSecurity(token=security.token).check(self.at(self._port))
        try:
            self._context = ssl.create_default_context(cafile=security.ca) if self._secure else None
        except OSError as error:
            raise SpecError(f"ca: {security.ca} cannot be used: {error}") from error

    def at(self, port: int) -> str:
        """HOST:PORT of another port of that machine."""
        return f"[{self._host}]:{port}" if ":" in self._host else f"{self._host}:{port}"

    def call(self, verb: str, place: Place, query: Mapping[str, str], body: Tree | None, timeout: float) -> Tree:
        """The answer."""
        method = _METHODS.get(verb, "GET")
        with self._asked(method, _path(place, query), body, timeout) as answer:
            tree: Tree = json.loads(answer.read() or b"{}")
            return tree

    def lines(self, place: Place, query: Mapping[str, str], timeout: float | None) -> Iterator[bytes]:
        """The lines of the answer as they arrive, without their ends."""
        with self._asked("GET", _path(place, query), None, timeout) as answer:
            while line := answer.readline():
                yield line.rstrip(b"\n")

    def close(self) -> None:
        """Nothing is kept open."""

    @contextmanager
    def _asked(
        self, method: str, path: str, body: Tree | None, timeout: float | None
    ) -> Iterator[http.client.HTTPResponse]:
        connection = self._connection(timeout)
        try:
            data = None if body is None else json.dumps(body).encode()
            connection.request(method, self._base + path, data, self._headers(method))
            answer = connection.getresponse()
            if answer.status >= 300:
                raise _refusal(answer.status, answer.read())
            yield answer
        except TimeoutError as error:
            raise UnavailableError(f"{self.at(self._port)} did not answer within {timeout:g} seconds") from error
        except (OSError, http.client.HTTPException) as error:
            raise UnavailableError(f"{self.at(self._port)} does not answer: {error}") from error
        finally:
            connection.close()

    def _connection(self, timeout: float | None) -> http.client.HTTPConnection:
        if self._context is not None:
            return http.client.HTTPSConnection(self._host, self._port, timeout=timeout, context=self._context)
        return http.client.HTTPConnection(self._host, self._port, timeout=timeout)

    def _headers(self, method: str) -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": "katib-engine"}
        if method != "GET":
            headers["Content-Type"] = _MERGE_PATCH if method == "PATCH" else "application/json"
        return headers | ({"Authorization": f"Bearer {self._token}"} if self._token else {})


def _path(place: Place, query: Mapping[str, str]) -> str:
    kind = place.kind
    base = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
    steps = ["namespaces", place.namespace, kind.plural, place.name, place.part]
    path = "/".join([base, *(quote(step, safe="") for step in steps if step)])
    return f"{path}?{urlencode(query)}" if query else path


def _refusal(status: int, body: bytes) -> Exception:
    """What an answer that is an error means."""
    try:
        told: dict[str, Any] = json.loads(body)
        message, reason = str(told["message"]), str(told.get("reason", ""))
    except (ValueError, KeyError, TypeError):
        message, reason = f"HTTP status {status}: {body[:500].decode(errors='replace').strip()}", ""
    if status == 409:
        return (AlreadyExistsError if reason == "AlreadyExists" else ConflictError)(message)
    if status == 404:
        return NotFoundError(message)
    return UnavailableError(message) if status in (429, 502, 503, 504) else PermanentError(message)
