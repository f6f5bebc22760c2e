"""The Kubernetes API as JSON over HTTP: plain trees in and out.

The official client loads the configuration, signs requests and speaks TLS. Its models are not used: to build them
costs more than all else that is done with an object. No limit of requests is kept here, the server has one of its own.
"""

from __future__ import annotations

import json
import os
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from copy import copy
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import urllib3
from kubernetes import client, config
from kubernetes.client.rest import RESTClientObject

from katib.core.errors import RunnerError, UnavailableError

Tree = dict[str, Any]

# Seconds to connect, and to wait for the next byte of an answer that does not stream.
_CONNECT, _READ = 5.0, 20.0

# Connections that are kept open between requests; more are opened when they are needed.
_KEPT_CONNECTIONS = 64

# Seconds that the repetition of one request may take altogether.
PATIENCE = 2.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_TOO_MANY_REQUESTS = 429
_BUSY = "exceeded quota"


class RefusedError(RunnerError):
    """The server refuses the request. status: HTTP's."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class UnansweredError(UnavailableError):
    """No answer for now. status: HTTP's, 0 if the server itself could not be reached."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Resource(NamedTuple):
    """A kind as the server knows it. base: path of its API group and version."""

    base: str
    plural: str
    namespaced: bool = True

    def path(self, namespace: str, name: str = "", part: str = "") -> str:
        """Of all objects in a namespace, of one, or of a part of one (``log``)."""
        place = f"/namespaces/{namespace}" if self.namespaced else ""
        return "/".join(filter(None, [f"{self.base}{place}/{self.plural}", name, part]))


PODS = Resource("/api/v1", "pods")
EVENTS = Resource("/api/v1", "events")


class Request(NamedTuple):
    """verb: Kubernetes' word for what is asked, by which requests are counted."""

    verb: str
    resource: Resource
    namespace: str
    name: str = ""
    query: Mapping[str, Any] = {}
    body: Mapping[str, Any] | None = None
    part: str = ""
    headers: Mapping[str, str] = {}

    @property
    def method(self) -> str:
        """HTTP's."""
        return {"create": "POST", "update": "PUT", "delete": "DELETE", "patch": "PATCH"}.get(self.verb, "GET")

    @property
    def url(self) -> str:
        """Path and query."""
        query = f"?{urlencode(self.query)}" if self.query else ""
        return self.resource.path(self.namespace, self.name, self.part) + query


class Api:
    """One cluster. For any number of threads. counts: requests sent, by verb and plural. inside: this process
    is a pod of it."""

    def __init__(self, context: str = "", *, file: str = "", configuration: Any = None) -> None:
        """context: of the kubeconfig, empty for its current one. file: the kubeconfig, empty for the usual ones.
        configuration: the official client's, instead of all that. Raises RunnerError if there is no such cluster."""
        found, self.inside = (configuration, False) if configuration is not None else _configuration(context, file)
        self._configuration = copy(found)
        self._configuration.connection_pool_maxsize = _KEPT_CONNECTIONS
        self._configuration.keep_alive = True
        self._rest = RESTClientObject(self._configuration)
        self._host = self._configuration.host.rstrip("/")
        self._lock = threading.Lock()
        self._resources: dict[tuple[str, str], Resource] = {}
        self.counts: Counter[tuple[str, str]] = Counter()

    def close(self) -> None:
        """Close idle connections."""
        self._rest.pool_manager.clear()

    def call(self, request: Request, patience: float = PATIENCE, read_timeout: float = _READ) -> Tree:
        """The answer. Too many requests, errors of the server and of the connection are tried again for ``patience``
        seconds. read_timeout: seconds of silence that are an error. Raises RefusedError, UnansweredError."""
        deadline = time.monotonic() + patience
        pause = _FIRST_PAUSE
        while True:
            try:
                response = self._send(request, urllib3.Timeout(connect=_CONNECT, read=read_timeout), stream=False)
                answer: Tree = json.loads(response.data or b"{}")
                return answer
            except _AgainError as error:
                wait = max(error.after, pause * random.uniform(0.5, 1.0))  # noqa: S311
                if time.monotonic() + wait > deadline:
                    raise UnansweredError(str(error), error.status) from error
                time.sleep(wait)
                pause = min(2 * pause, _LONGEST_PAUSE)

    def stream(self, request: Request, read_timeout: float | None) -> Stream:
        """The answer as it arrives; not tried again. read_timeout: seconds of silence that end it with an error.
        Raises RefusedError, UnansweredError."""
        try:
            return Stream(self._send(request, urllib3.Timeout(connect=_CONNECT, read=read_timeout), stream=True))
        except _AgainError as error:
            raise UnansweredError(str(error), error.status) from error

    def resource(self, api_version: str, kind: str) -> Resource:
        """The resource of a kind, asked of the server once. Raises RefusedError (no such kind), UnansweredError."""
        known = self._resources.get((api_version, kind))
        if known is not None:
            return known
        base = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        unknown = f"the cluster knows no kind {kind!r} of apiVersion {api_version!r}; is its definition installed?"
        try:
            answer = self.call(Request("discover", Resource(base, "", namespaced=False), ""))
        except RefusedError as error:
            raise RefusedError(unknown if error.status == 404 else str(error), error.status) from error
        for entry in answer.get("resources", ()):
            if entry["kind"] == kind and "/" not in entry["name"]:
                resource = Resource(base, entry["name"], bool(entry["namespaced"]))
                self._resources[api_version, kind] = resource
                return resource
        raise RefusedError(unknown, 404)

    def _send(self, request: Request, timeout: urllib3.Timeout, *, stream: bool) -> urllib3.BaseHTTPResponse:
        with self._lock:
            self.counts[request.verb, request.resource.plural] += 1
        try:
            response: urllib3.BaseHTTPResponse = self._rest.pool_manager.request(
                request.method,
                self._host + request.url,
                body=json.dumps(request.body).encode() if request.body is not None else None,
                headers={**self._headers(), **request.headers},
                timeout=timeout,
                retries=False,
                preload_content=not stream,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _AgainError(f"the API server at {self._host} does not answer: {_cause(error)}") from error
        if response.status >= 400:
            raise _error(response)
        return response

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json", "Content-Type": "application/json", "User-Agent": "katib-engine"}
        with self._lock:  # a token may be renewed here
            try:
                settings = self._configuration.auth_settings().values()
            except Exception as error:  # whatever a plugin for credentials raises
                raise UnansweredError(f"no credentials for {self._host}: {error}") from error
        return {**headers, **{setting["key"]: setting["value"] for setting in settings if setting["in"] == "header"}}


class Stream:
    """An answer that arrives bit by bit. One thread reads, any may cut it off."""

    def __init__(self, response: urllib3.BaseHTTPResponse) -> None:
        self._response = response

    def chunks(self) -> Iterator[bytes]:
        """Bytes as they come, until the server has ended it properly. Raises UnansweredError if it breaks before."""
        try:
            yield from self._response.stream(1 << 16)
            self._response.release_conn()
        except (urllib3.exceptions.HTTPError, OSError, ValueError, AttributeError) as error:  # the latter: it was cut
            self._response.close()
            raise UnansweredError(f"the connection broke: {_cause(error)}") from error

    def lines(self) -> Iterator[bytes]:
        """The same by lines, each without its end."""
        rest = b""
        for chunk in self.chunks():
            *whole, rest = (rest + chunk).split(b"\n")
            yield from whole

    def cut(self) -> None:
        """End it at once: its reader gets an error."""
        sock = getattr(getattr(self._response, "connection", None), "sock", None)
        if sock is not None:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                return


class _AgainError(Exception):
    """May succeed later, ``after`` seconds if the server says so."""

    def __init__(self, message: str, status: int = 0, after: float = 0.0) -> None:
        super().__init__(message)
        self.status, self.after = status, after


def _error(response: urllib3.BaseHTTPResponse) -> Exception:
    """What an answer that is an error means."""
    status = response.status
    text = response.data.decode("utf-8", errors="replace")
    try:
        message = json.loads(text)["message"] or text
    except (ValueError, KeyError, TypeError):
        message = text.strip() or response.reason or "no message"
    message = f"{message} (HTTP status {status})"
    if status == _TOO_MANY_REQUESTS or status >= 500:
        after = response.headers.get("Retry-After", "")
        return _AgainError(message, status, float(after) if after.isdigit() else 0.0)
    if status == 401 or (status == 403 and _BUSY in message):  # credentials may be renewed, a quota may become free
        return UnansweredError(message, status)
    return RefusedError(message, status)


def _cause(error: BaseException) -> str:
    """The innermost words of an error of the connection."""
    reason = getattr(error, "reason", None) or error
    return str(reason) or type(reason).__name__


def _configuration(context: str, file: str) -> tuple[Any, bool]:
    """The client's, and whether this process is a pod of the cluster."""
    configuration = client.Configuration()
    path = file or os.environ.get("KUBECONFIG") or "~/.kube/config"
    files = [file for file in path.split(os.pathsep) if file and Path(file).expanduser().exists()]
    try:
        if files or context or file:
            config.load_kube_config(  # type: ignore[no-untyped-call]
                os.pathsep.join(files) or path, context=context or None, client_configuration=configuration
            )
        else:
            config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    except (config.ConfigException, OSError) as error:
        raise RunnerError(f"no Kubernetes cluster is configured: {error} (looked for {path})") from error
    return configuration, not (files or context or file)
