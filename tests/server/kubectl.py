"""The real kubectl, pointed at a server of ours: unmodified, with a home and a cache of its own."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import yaml

PATIENCE = 60.0  # seconds for one command


def program() -> str:
    """Where kubectl is, empty if it is not here: the system's own, else what ``.ci/install-kubectl`` put here."""
    cache = Path(os.environ.get("K8S_CACHE", Path.home() / ".cache" / "katib-k8s")) / "bin" / "kubectl"
    return shutil.which("kubectl") or (str(cache) if cache.exists() else "")


class Said(NamedTuple):
    """How a command ended and what it printed."""

    status: int
    out: str
    err: str


class Kubectl:
    """kubectl for one server."""

    def __init__(self, url: str, home: Path) -> None:
        self._command = [program(), f"--server={url}"]
        self._environment = {**os.environ, "HOME": str(home), "KUBECONFIG": os.devnull}

    def try_to(self, command: str, tree: Any = None, **env: str) -> Said:
        """Run a command; ``tree`` is its standard input."""
        text = "" if tree is None else yaml.safe_dump(tree)
        done = subprocess.run(
            [*self._command, *shlex.split(command)],
            input=text,
            capture_output=True,
            text=True,
            env={**self._environment, **env},
            timeout=PATIENCE,
            check=False,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def __call__(self, command: str, tree: Any = None, **env: str) -> str:
        """Run a command that must succeed; what it printed."""
        said = self.try_to(command, tree, **env)
        assert said.status == 0, said
        return said.out

    def start(self, command: str) -> subprocess.Popen[str]:
        """Begin a command that goes on."""
        return subprocess.Popen(
            [*self._command, *shlex.split(command)], stdout=subprocess.PIPE, text=True, env=self._environment
        )
