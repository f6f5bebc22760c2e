"""A program in a client's environment, that runs its cases one by one."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from tests.clients.environments import folder_of
from tests.server.server_process import Served

_HERE = Path(__file__).parent


class ClientProcess:
    """The running program."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, case: str) -> None:
        """Run one case. Raises AssertionError with what went wrong in it."""
        self._process.stdin.write(f"{case}\n")
        self._process.stdin.flush()
        failure = json.loads(self._process.stdout.readline() or '"the program ended"')
        assert not failure, failure


@contextmanager
def client_process(client: str, program: str, served: Served, folder: Path, namespace: str) -> Iterator[ClientProcess]:
    """Start ``program`` in the environment of ``client``, with a kubeconfig that leads to a namespace of the server."""
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(_kubeconfig(served.url, namespace)))
    python = str(folder_of(client) / "bin" / "python")
    command = [python, str(_HERE / program), str(kubeconfig), served.url, served.grpc]
    pipe, environment = subprocess.PIPE, {**os.environ, "KUBECONFIG": str(kubeconfig)}
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment) as process:
        try:
            yield ClientProcess(process)
        finally:
            process.stdin.close()
            process.kill()


def _kubeconfig(url: str, namespace: str) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "katib", "cluster": {"server": url}}],
        "users": [{"name": "me", "user": {}}],
        "contexts": [{"name": "katib", "context": {"cluster": "katib", "user": "me", "namespace": namespace}}],
        "current-context": "katib",
    }
