"""The API's own server: a thread with an event loop, on one socket."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import uvicorn

from katib.core.errors import PermanentError
from katib.server.guard import Guard
from katib.server.protocol import Protocol

GRACE_SECONDS = 5
IDLE_SECONDS = 60  # that a connection may wait for its next request
MAX_CONNECTIONS = 1000


class _Server(uvicorn.Server):
    """Ends watches first when it is told to end; all else is waited for."""

    guard: Guard

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.guard.end_watches()
        await super().shutdown(sockets)


@contextmanager
def listening(guard: Guard, host: str, port: int, tls: ssl.SSLContext | None) -> Iterator[str]:
    """Serve in a thread until the block ends; yields the URL. Raises PermanentError."""
    server = _Server(_config(guard, tls))
    server.guard = guard
    with closing(_bound(host, port)) as bound:
        thread = threading.Thread(target=server.run, args=([bound],), name="api")
        thread.start()
        try:
            found, number = bound.getsockname()[:2]
            yield f"{'https' if tls else 'http'}://{f'[{found}]' if ':' in found else found}:{number}"
        finally:
            server.should_exit = True
            thread.join()


def _config(guard: Guard, tls: ssl.SSLContext | None) -> uvicorn.Config:
    """Headers that proxies add are not believed: whoever calls could write them."""
    config = uvicorn.Config(guard, http=Protocol, ws="none", lifespan="off", log_level="warning", access_log=False)
    config.server_header = config.proxy_headers = False
    config.timeout_graceful_shutdown, config.timeout_keep_alive = GRACE_SECONDS, IDLE_SECONDS
    config.limit_concurrency = MAX_CONNECTIONS
    config.load()
    config.ssl = tls
    return config


def _bound(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises PermanentError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise PermanentError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
