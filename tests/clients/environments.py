"""The environments of Kubeflow's clients, which want other versions of packages than this project does.

``python -m tests.clients.environments`` makes those that are missing.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from benchmarks.search.environments import Environment, State, install, path_of, status_of

_PINS = Path(__file__).parent / "pins"

CLIENTS = {
    "katib-client": Environment("katib-client", ("kubeflow.katib",), folder=_PINS),
    "kubeflow-client": Environment("kubeflow-client", ("kubeflow.optimizer", "kubeflow.trainer"), folder=_PINS),
}


def root() -> Path:
    """Where they lie."""
    return Path(os.environ.get("KATIB_TEST_ENVIRONMENTS") or Path.home() / ".cache" / "katib-tests")


def is_installed(client: str) -> bool:
    """Whether the client's environment is there."""
    return status_of(CLIENTS[client], root()).state is State.INSTALLED


def folder_of(client: str) -> Path:
    """The client's environment."""
    return path_of(CLIENTS[client], root())


def main() -> None:
    """Make what is missing."""
    for environment in CLIENTS.values():
        status = install(environment, root())
        print(f"{environment.name}: {status.state} {status.detail}".rstrip(), flush=True)
        if status.state is not State.INSTALLED:
            sys.exit(1)


if __name__ == "__main__":
    main()
