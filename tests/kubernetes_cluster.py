"""A Kubernetes cluster for the tests: the one that ``KUBECONFIG`` names, else a test bed (tests/k8s) that all workers
of a test run share."""

from __future__ import annotations

import importlib.util
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from benchmarks import kubernetes_bed
from tests.shared_programs import SharedPrograms

SERVICE_ACCOUNT_PATIENCE = 60.0  # seconds; without it no pod can be created


def is_here() -> bool:
    """Whether there is one, or what is needed to start one."""
    has_client = importlib.util.find_spec("kubernetes") is not None
    return has_client and (bool(os.environ.get("KUBECONFIG")) or kubernetes_bed.is_installed())


def kubeconfig_of(programs: SharedPrograms) -> Path:
    """The cluster's, as its administrator."""
    if own := os.environ.get("KUBECONFIG"):
        return Path(own)
    if not kubernetes_bed.is_installed():
        pytest.fail("no KUBECONFIG, and no test bed: run .ci/install-kubernetes as root")
    return Path(programs.get("k8s", "-m", "benchmarks.kubernetes_bed")["state"]) / "admin.kubeconfig"


@contextmanager
def new_namespace(kubeconfig: Path) -> Iterator[str]:
    """The name of a new namespace, ready for pods; it goes with all that is in it, which is not waited for."""
    from kubernetes import client, config

    name = f"test-{uuid.uuid4().hex[:10]}"
    with config.new_client_from_config(str(kubeconfig)) as connection:
        core = client.CoreV1Api(connection)
        core.create_namespace({"metadata": {"name": name}})
        try:
            _await_service_account(core, name)
            yield name
        finally:
            core.delete_namespace(name)


def _await_service_account(core: Any, namespace: str) -> None:
    deadline = time.monotonic() + SERVICE_ACCOUNT_PATIENCE
    while not any(
        account.metadata.name == "default" for account in core.list_namespaced_service_account(namespace).items
    ):
        assert time.monotonic() < deadline, f"namespace {namespace} has no default service account"
        time.sleep(0.05)
