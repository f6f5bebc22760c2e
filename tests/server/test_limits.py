"""What one client may take of the server: sizes, time, watches."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import ExitStack

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route

from katib.server import protocol
from katib.server.access import Access
from katib.server.guard import Guard
from katib.server.listening import GRACE_SECONDS, listening
from katib.server.requests import MAX_BODY
from tests.server.documents import path


def exchange(url: str, *pieces: bytes) -> bytes:
    """What the server says to these bytes until it closes the connection."""
    address = httpx.URL(url)
    with socket.create_connection((address.host, address.port), timeout=20) as connection:
        said = b""
        try:
            for piece in pieces:
                connection.sendall(piece)
            while chunk := connection.recv(65536):
                said += chunk
        except (ConnectionResetError, BrokenPipeError):
            pass
        return said


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([b"GET /version HTTP/1.1\r\nhost: localhost\r\nx: " + b"a" * 200_000], id="value-without-end"),
        pytest.param([b"GET /version HTTP/1.1\r\nhost: localhost\r\n", *[b"x: y\r\n" * 1000] * 20], id="many"),
        pytest.param([b"GET /", b"a" * 200_000], id="path-without-end"),
        pytest.param([b"GET /version HTTP/1.1\r\nx: " + b"a" * 70_000 + b"\r\n\r\n"], id="whole"),
    ],
)
def test_headers(served, pieces):
    said = exchange(served.url, *pieces)
    assert not said or said.startswith(b"HTTP/1.1 400")


def test_bodies(client):
    headers = {"content-type": "application/json"}
    answer = client.post(path(), content=b" " * (MAX_BODY + 1), headers=headers)
    assert (answer.status_code, answer.json()["reason"]) == (413, "RequestEntityTooLarge")


async def endless(request):
    async def lines():
        while True:
            yield b"x" * 1000
            await asyncio.sleep(float(request.query_params.get("pause", 0)))

    return StreamingResponse(lines())


@pytest.fixture
def small(monkeypatch):
    """A server with short limits, which streams without end."""
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.3)
    monkeypatch.setattr(protocol, "STALL_SECONDS", 0.3)
    guard = Guard(Starlette(routes=[Route("/endless", endless)]), Access(), watches=2)
    with listening(guard, "127.0.0.1", 0, None) as url:
        yield url, guard


@pytest.mark.parametrize(
    "sent", [pytest.param(b"", id="silent"), pytest.param(b"GET /endless HTTP/1.1\r\nhost: l", id="half")]
)
def test_clients_that_send_nothing(small, sent):
    assert exchange(small[0], sent) == b""


def test_clients_that_do_not_read(small):
    url, guard = small
    address = httpx.URL(url)
    with socket.create_connection((address.host, address.port), timeout=20) as connection:
        connection.sendall(b"GET /endless?watch=1 HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert connection.recv(100)
        deadline = time.monotonic() + 20
        while guard.open_watches:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_watches(small):
    url, guard = small
    with httpx.Client(base_url=url, timeout=20) as client:
        query = {"watch": "true", "pause": "0.1"}
        with client.stream("GET", "/endless", params=query), client.stream("GET", "/endless?follow=1&pause=0.1"):
            refused = client.get("/endless", params=query)
            assert (refused.status_code, refused.json()["reason"]) == (429, "TooManyRequests")
            assert refused.headers["retry-after"] == "1"
            assert client.head("/endless", params=query).status_code == 429
            assert guard.open_watches == 2


def test_watches_end_with_the_server():
    guard = Guard(Starlette(routes=[Route("/endless", endless)]), Access())
    with httpx.Client(timeout=20) as client, ExitStack() as server:
        url = server.enter_context(listening(guard, "127.0.0.1", 0, None))
        with client.stream("GET", f"{url}/endless?watch=1&pause=0.1") as answer:
            lines = answer.iter_raw()
            assert next(lines)
            began = time.monotonic()
            server.close()
            assert time.monotonic() - began < GRACE_SECONDS - 1
            assert sum(map(len, lines)) < 10_000_000  # the answer has an end that its client knows for one
