"""The three places: this machine's store, ``katib serve`` by its URL, and the same server by a kubeconfig."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from katib.client.katib_client import KatibClient
from tests.server.server_process import Served, serving
from tests.suggestion_service.certificates import Authority

PLACES = ("local", "server", "cluster")


@pytest.fixture(scope="session")
def served(tmp_path_factory) -> Iterator[Served]:
    """A server with an empty store."""
    with serving(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture(scope="session", params=PLACES)
def client(request, tmp_path_factory) -> Iterator[KatibClient]:
    """A client of each place, in a namespace of its own. ``address`` is the one of its DBManager."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KATIB_HOME", str(tmp_path_factory.mktemp("local")))
        options = {"store": ""}
        if request.param != "local":
            running = request.getfixturevalue("served")
            options = {"server": running.url}
            if request.param == "cluster":
                options = {"config_file": kubeconfig(running.url, tmp_path_factory.mktemp("kube"))}
        with KatibClient(namespace=f"at-{request.param}", **options) as made:
            yield made


def kubeconfig(url: str, folder: Path) -> str:
    """A kubeconfig whose only cluster is at ``url``."""
    named = {"cluster": {"server": url}, "user": {}, "context": {"cluster": "it", "user": "it"}}
    tree = {f"{part}s": [{"name": "it", part: content}] for part, content in named.items()}
    path = folder / "config"
    path.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Config", "current-context": "it", **tree}))
    return str(path)


@pytest.fixture(scope="module")
def ours(tmp_path_factory) -> Authority:
    """An authority that the parties know."""
    return Authority(tmp_path_factory.mktemp("ours"))
