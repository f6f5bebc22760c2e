"""Database servers for the tests, shared by all workers of a test run, and new stores on them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.shared_programs import SharedPrograms

if TYPE_CHECKING:
    from benchmarks.servers import Server

KINDS = ("postgres", "mariadb")
STORES = ("memory", "sqlite", *KINDS)
SERVERS = [pytest.param(kind, marks=pytest.mark.requires(kind), id=kind) for kind in KINDS]


class SharedServers:
    """The servers of one test run."""

    def __init__(self, programs: SharedPrograms) -> None:
        self._programs = programs

    def get(self, kind: str) -> Server:
        """The server of that kind."""
        return read_server(self._programs.get(kind, "-m", "benchmarks.servers", kind))


def read_server(tree: dict[str, Any]) -> Server:
    from benchmarks.servers import Server  # needs the drivers

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
