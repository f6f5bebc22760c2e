"""What stands before the application: every request passes it, whatever route it takes."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from urllib.parse import parse_qsl

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from katib.server.access import Access
from katib.server.handlers import failed
from katib.server.requests import TRUE
from katib.server.status import ApiError
from katib.server.traffic import Traffic

MAX_WATCHES = 500  # at a time: watches and followed logs

_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)
_POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")


class Guard:
    """Refuses what may not come in, bounds what stays long, and ends that when the server does."""

    def __init__(
        self, app: ASGIApp, access: Access, traffic: Traffic | None = None, watches: int = MAX_WATCHES
    ) -> None:
        """traffic: is told of all answers. watches: that may be open at a time."""
        self._app = app
        self._traffic = traffic or Traffic(())
        self._access = access
        self._watches = watches
        self._open: set[asyncio.Task[Any]] = set()
        self._closing = False

    @property
    def open_watches(self) -> int:
        """Watches and followed logs that run now."""
        return len(self._open)

    def end_watches(self) -> None:
        """End all that would go on; called in the event loop."""
        self._closing = True
        for task in self._open:
            task.cancel()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An application of ASGI."""
        if scope["type"] != "http":
            return

        began, code, stays = time.perf_counter(), 500, _stays(scope)

        async def headed(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = message["status"]
                headers = message["headers"] = [*message["headers"], *_HEADERS]
                if all(name != _POLICY[0] for name, _ in headers):
                    headers.append(_POLICY)
            await send(message)

        try:
            self._access.check(scope["method"], scope["path"], scope["scheme"], scope["headers"])
            if stays:
                await self._stay(scope, receive, headed)
            else:
                await self._app(scope, receive, headed)
        except ApiError as error:
            await failed(error)(scope, receive, headed)
        finally:
            seconds = None if stays else time.perf_counter() - began
            self._traffic.add(scope["method"], scope["path"], code, seconds)

    async def _stay(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A watch, until it or the server ends: its client is told that nothing more comes. Raises ApiError if there
        are too many."""
        if self._closing or len(self._open) >= self._watches:
            raise ApiError(429, f"{len(self._open)} watches are open, which is all that there can be; try later")
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            if not self._closing:
                raise
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._open.discard(task)


def _stays(scope: Scope) -> bool:
    """Whether the answer goes on as long as its client wants."""
    query = scope["query_string"]
    if not query or scope["method"] not in ("GET", "HEAD"):
        return False
    return any(name in ("watch", "follow") and value in TRUE for name, value in parse_qsl(query.decode("latin-1")))
