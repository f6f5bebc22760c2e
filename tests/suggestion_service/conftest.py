"""A real service on a free port of the loopback, and a process that serves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import grpc
import pytest

from suggestion_service.server import serve, suggestion
from tests.suggestion_service.certificates import Authority

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    """An authority that the parties know."""
    return Authority(tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    """One that they do not."""
    return Authority(tmp_path_factory.mktemp("others"))


@pytest.fixture
def service():
    """Start Suggestion services by ``service(create=...)``; the address is the answer. All are stopped at the end."""
    servers = []

    def start(**options):
        server = serve("127.0.0.1:0", [suggestion(**options)])
        servers.append(server)
        return f"127.0.0.1:{server.port}"

    yield start
    for server in servers:
        server.stop(grace=0)


@pytest.fixture
def channel():
    """Channels to an address; closed at the end."""
    channels = []

    def connect(address):
        channels.append(grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]))
        return channels[-1]

    yield connect
    for opened in channels:
        opened.close()


@pytest.fixture
def process():
    """Start ``python -m suggestion_service`` by ``process(*arguments)``; killed at the end."""
    started = []

    def start(*arguments):
        command = [sys.executable, "-m", "suggestion_service", *arguments]
        found = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
        )
        started.append(found)
        return found

    yield start
    for found in started:
        found.kill()
        found.communicate()


def pytest_collection_modifyitems(items):
    """The contract over algorithms that fit a model at each call takes minutes; their equality is always tested."""
    for item in items:
        if "TestOverGrpc" in item.nodeid and "bayesianoptimization" in item.nodeid:
            item.add_marker(pytest.mark.slow)
