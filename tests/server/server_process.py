"""``katib serve`` as a process of its own, on a free port and with a home of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx

_FREE_PORTS = ("--port", "0", "--grpc-port", "0", "--early-stopping-port", "0")


class Served(NamedTuple):
    """A server that runs. url: of its API. grpc: HOST:PORT of Suggestion and DBManager."""

    url: str
    grpc: str
    process: subprocess.Popen[str]

    def client(self, **options) -> httpx.Client:
        """A client of it."""
        return httpx.Client(base_url=self.url, timeout=30, **options)


@contextmanager
def serving(
    home: Path, *arguments: str, env: Mapping[str, str] | None = None, end: signal.Signals = signal.SIGTERM
) -> Iterator[Served]:
    """Start it; ends it with a signal, and checks that it ends well, or as SIGKILL has it."""
    command = [sys.executable, "-m", "katib.cli.main", "serve", *_FREE_PORTS, *arguments]
    environment = {**os.environ, "KATIB_HOME": str(home), **(env or {})}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            lines = [process.stdout.readline() for _ in range(3)]
            assert all("listening on" in line for line in lines), lines
            yield Served(*(line.split()[-1] for line in lines[:2]), process)
            process.send_signal(end)
            assert process.wait(30) == (0 if end == signal.SIGTERM else -end)
        finally:
            process.kill()
