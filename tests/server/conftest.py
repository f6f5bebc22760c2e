"""One server for the tests of a module, and a client of it."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.server.server_process import Served, serving
from tests.suggestion_service.certificates import Authority


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[Served]:
    """A server with an empty store."""
    with serving(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture(scope="module")
def client(served) -> Iterator[httpx.Client]:
    """A client of it."""
    with served.client() as made:
        yield made


@pytest.fixture(scope="module")
def ours(tmp_path_factory) -> Authority:
    """An authority that the parties know."""
    return Authority(tmp_path_factory.mktemp("ours"))
