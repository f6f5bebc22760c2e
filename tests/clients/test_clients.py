"""Kubeflow's ``KatibClient`` and ``OptimizerClient``, unmodified, on ``katib serve``: their trials run on this machine.

The cases are in the programs, which run in an environment of each client.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clients.client_process import ClientProcess, client_process
from tests.server.server_process import Served, serving


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture(scope="module")
def katib_client(served, tmp_path_factory) -> Iterator[ClientProcess]:
    folder = tmp_path_factory.mktemp("katib")
    with client_process("katib-client", "katib_client_program.py", served, folder, "default") as running:
        yield running


@pytest.fixture(scope="module")
def optimizer_client(served, tmp_path_factory) -> Iterator[ClientProcess]:
    folder = tmp_path_factory.mktemp("optimizer")
    namespace = "optimizing"  # this client fails where there are trials that are no TrainJobs
    with served.client() as client:
        assert client.post("/api/v1/namespaces", json={"metadata": {"name": namespace}}).status_code == 201
    with client_process("kubeflow-client", "optimizer_client_program.py", served, folder, namespace) as running:
        yield running


@pytest.mark.requires("katib-client")
@pytest.mark.parametrize(
    "case",
    [
        "create_and_read",
        "tune_a_function",
        "tune_with_pushed_metrics",
        "edit_the_budget",
        "errors",
        "delete",
        "by_configuration_in_another_namespace",
    ],
)
def test_katib_client(katib_client, case):
    katib_client.run(case)


@pytest.mark.requires("kubeflow-client")
@pytest.mark.parametrize(
    "case",
    ["by_configuration_in_a_namespace", "optimize_a_function", "search_a_grid", "failures", "delete"],
)
def test_optimizer_client(optimizer_client, case):
    optimizer_client.run(case)
