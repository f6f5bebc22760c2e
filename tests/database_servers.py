"""Database servers for the tests: started when first asked for, shared by all workers of a test run, and ended when the
last of them has ended, however it did: each holds the writing end of a pipe that the server's keeper reads."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from benchmarks.servers import Server

ROOT = Path(__file__).parents[1]
KINDS = ("postgres", "mariadb")
STORES = ("memory", "sqlite", *KINDS)
SERVERS = [pytest.param(kind, marks=pytest.mark.requires(kind), id=kind) for kind in KINDS]


class SharedServers:
    """The servers of one test run."""

    def __init__(self, folder: Path) -> None:
        """folder: one that all workers of the run know."""
        self._folder = folder
        self._servers: dict[str, Server] = {}
        self._held: list[int] = []

    def get(self, kind: str) -> Server:
        """The server of that kind."""
        if kind not in self._servers:
            with (self._folder / f"{kind}.lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                self._servers[kind] = self._join(kind) or self._start(kind)
        return self._servers[kind]

    def let_go(self) -> None:
        """This process needs them no more."""
        for pipe in self._held:
            os.close(pipe)
        self._servers.clear()

    def _join(self, kind: str) -> Server | None:
        try:
            self._held.append(os.open(self._folder / f"{kind}.pipe", os.O_WRONLY | os.O_NONBLOCK))
        except OSError:  # there is no pipe, or nobody reads it
            return None
        return read_server((self._folder / f"{kind}.json").read_text())

    def _start(self, kind: str) -> Server:
        pipe = self._folder / f"{kind}.pipe"
        pipe.unlink(missing_ok=True)
        os.mkfifo(pipe, 0o600)
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        self._held.append(os.open(pipe, os.O_WRONLY))
        os.set_blocking(reader, True)
        keeper = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.servers", kind],
            cwd=ROOT,
            stdin=reader,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # an interrupt of the tests is not for it: it ends with them
        )
        os.close(reader)
        line = keeper.stdout.readline()
        assert line, f"{kind} did not start"
        (self._folder / f"{kind}.json").write_text(line)
        return read_server(line)


def read_server(line: str) -> Server:
    from benchmarks.servers import Server  # needs the drivers

    tree = json.loads(line)
    return Server(**{field.name: tree[field.name] for field in fields(Server)})


@contextmanager
def new_store(kind: str, folder: Path, servers: SharedServers) -> Iterator[str]:
    """The URL of a new, empty store: ``memory``, ``sqlite`` or a kind of server."""
    if kind == "memory":
        yield "memory://"
    elif kind == "sqlite":
        yield f"sqlite:///{folder}/katib.db"
    else:
        server = servers.get(kind)
        url = server.new_database()
        yield url
        server.drop(url)
