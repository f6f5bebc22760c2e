"""Shared by all tests: parts that may be absent are skipped, unless ``KATIB_TEST_REQUIRE`` names them."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from benchmarks.search.environments import Environment, State, status_of
from benchmarks.search.rivals import RIVALS
from tests import kubernetes_cluster as cluster
from tests.clients import environments as clients
from tests.database_servers import KINDS, STORES, SharedServers, new_store
from tests.server import kubectl
from tests.shared_programs import SharedPrograms

# Machines differ, and tests run beside each other: how long an example takes says nothing about the code.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def _has_server(kind: str, driver: str) -> bool:
    if importlib.util.find_spec(driver) is None:
        return False
    from benchmarks.servers import is_installed

    return is_installed(kind)


def _is_installed(environment: Environment) -> bool:
    return status_of(environment).state is State.INSTALLED


# Part -> whether it is here. A package is looked for by name, a server by its program.
PARTS = {
    "skopt": lambda: importlib.util.find_spec("skopt") is not None,
    "jsonschema": lambda: importlib.util.find_spec("jsonschema") is not None,
    "ipykernel": lambda: importlib.util.find_spec("ipykernel") is not None,
    "pandas": lambda: importlib.util.find_spec("pandas") is not None,
    "matplotlib": lambda: importlib.util.find_spec("matplotlib") is not None,
    "torch": lambda: importlib.util.find_spec("torch") is not None,
    "onnx": lambda: all(map(importlib.util.find_spec, ("onnx", "onnxscript", "onnxruntime"))),
    "tensorboard": lambda: importlib.util.find_spec("tensorboard") is not None,
    "tensorboardX": lambda: importlib.util.find_spec("tensorboardX") is not None,
    "ray": lambda: importlib.util.find_spec("ray") is not None,
    "bench": lambda: all(map(importlib.util.find_spec, ("sklearn", "onnxruntime", "matplotlib", "jinja2"))),
    **{f"rival-{name}": partial(_is_installed, kind.environment) for name, kind in RIVALS.items()},
    "bench-data": lambda: os.path.isdir(os.environ.get("KATIB_BENCH_DATA", "")),
    "postgres": lambda: _has_server("postgres", "psycopg"),
    "mariadb": lambda: _has_server("mariadb", "pymysql"),
    **{client: partial(clients.is_installed, client) for client in clients.CLIENTS},
    "schemathesis": lambda: importlib.util.find_spec("schemathesis") is not None,
    "chromium": lambda: shutil.which("chromium") is not None,
    "k8s": cluster.is_here,
    "kubectl": lambda: bool(kubectl.program()),
}


def pytest_configure() -> None:
    """Tests interrupt programs; a shell that runs the tests in the background would have them ignore that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)  # before -m looks at the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    required = set(filter(None, os.environ.get("KATIB_TEST_REQUIRE", "").split(",")))
    for item in items:
        for mark in list(item.iter_markers("requires")):
            (part,) = mark.args
            if part in KINDS or part in clients.CLIENTS:
                item.add_marker(pytest.mark.servers)
            if part == "k8s":
                item.add_marker(pytest.mark.kubernetes)
            if part not in required and not PARTS[part]():
                item.add_marker(pytest.mark.skip(reason=f"{part} is not installed"))


def pytest_collection_finish() -> None:
    """Two workers share two cores, and threads of PyTorch that wait for each other make its small steps ten times
    slower."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How many tests of each suite that runs over every kind of store passed on which."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.stats.get(outcome, ()):
            if "every_store" in getattr(report, "keywords", ()):  # what could not be collected has none
                kind = next(word for word in STORES if word in re.split(r"[\[\]-]", report.nodeid))
                counts.setdefault((report.nodeid.split("::")[1], kind), Counter())[outcome] += 1
    if counts:
        terminalreporter.section("every kind of store")
        for (suite, kind), outcomes in sorted(counts.items(), key=lambda item: (item[0][0], STORES.index(item[0][1]))):
            terminalreporter.write_line(f"{suite:<20} {kind:<10} {', '.join(f'{n} {o}' for o, n in outcomes.items())}")


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the test run itself is told is not for the code under test, which looks at every ``KATIB_`` variable."""
    monkeypatch.delenv("KATIB_TEST_REQUIRE", raising=False)


@pytest.fixture(scope="session")
def shared_programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedPrograms]:
    """What all workers of the run share: started when a test asks for the first of a kind."""
    own = tmp_path_factory.getbasetemp()
    shared = SharedPrograms(own.parent if "PYTEST_XDIST_WORKER" in os.environ else own)
    yield shared
    shared.let_go()


@pytest.fixture(scope="session")
def servers(shared_programs: SharedPrograms) -> SharedServers:
    """Database servers."""
    return SharedServers(shared_programs)


@pytest.fixture
def store_url(request: pytest.FixtureRequest, tmp_path: Path, servers: SharedServers) -> Iterator[str]:
    """A new, empty store of the kind that the parameter names."""
    with new_store(request.param, tmp_path, servers) as url:
        yield url


@pytest.fixture(scope="session")
def kubernetes_cluster(shared_programs: SharedPrograms) -> Path:
    """The kubeconfig of a Kubernetes cluster with a node."""
    return cluster.kubeconfig_of(shared_programs)


@pytest.fixture
def kubernetes_namespace(kubernetes_cluster: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A new namespace of the cluster, which ``$KUBECONFIG`` leads to meanwhile."""
    monkeypatch.setenv("KUBECONFIG", str(kubernetes_cluster))
    with cluster.new_namespace(kubernetes_cluster) as name:
        yield name
