"""A small HTTP client that costs little beside the server it measures: one connection, one request at a time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

_LIMIT = 64 * 1024 * 1024  # bytes of one line


class Connection:
    """A connection that is kept. Any error leaves it unusable."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> None:
        self._reader = reader
        self._writer = writer
        self._host = host

    @classmethod
    async def open(cls, address: str) -> Connection:
        """A connection to HOST:PORT."""
        host, _, port = address.rpartition(":")
        return cls(*await asyncio.open_connection(host, int(port), limit=_LIMIT), address)

    def close(self) -> None:
        """Give it back."""
        self._writer.close()

    async def call(self, method: str, path: str, tree: Any = None, type: str = "application/json") -> tuple[int, bytes]:
        """Status and body of the answer."""
        code, length = await self._send(method, path, tree, type)
        if length is not None:
            return code, await self._reader.readexactly(length)
        return code, b"".join([chunk async for chunk in self._chunks()])

    async def lines(self, path: str) -> AsyncIterator[bytes]:
        """The lines of an answer that goes on."""
        code, _ = await self._send("GET", path, None, "")
        if code != 200:
            raise OSError(f"GET {path}: got the status {code}")
        rest = b""
        async for chunk in self._chunks():
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                yield line

    async def _send(self, method: str, path: str, tree: Any, type: str) -> tuple[int, int | None]:
        """Status, and the length of the body; None if it comes in chunks."""
        body = b"" if tree is None else json.dumps(tree).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: {self._host}\r\nContent-Length: {len(body)}\r\n"
        head += f"Content-Type: {type}\r\n\r\n" if body else "\r\n"
        self._writer.write(head.encode() + body)
        said = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in said[1:])}
        length = headers.get("content-length")
        return int(said[0].split()[1]), None if length is None else int(length)

    async def _chunks(self) -> AsyncIterator[bytes]:
        while size := int(await self._reader.readline(), 16):
            yield (await self._reader.readexactly(size + 2))[:-2]
        await self._reader.readline()
