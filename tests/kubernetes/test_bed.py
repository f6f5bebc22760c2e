"""The test bed itself: pods run, and nothing of it can be reached from outside."""

from __future__ import annotations

import contextlib
import ipaddress
import time
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.requires("k8s")


def test_a_pod_runs_to_its_end_and_its_output_is_kept(kubernetes_cluster: Path, kubernetes_namespace: str) -> None:
    from kubernetes import client, config

    container = {
        "name": "main",
        "image": "localhost/trial:1",
        "command": ["python", "-c", "import numpy; print(40 + 2)"],
    }
    with config.new_client_from_config(str(kubernetes_cluster)) as connection:
        core = client.CoreV1Api(connection)
        pod = {"metadata": {"name": "one"}, "spec": {"restartPolicy": "Never", "containers": [container]}}
        core.create_namespaced_pod(kubernetes_namespace, pod)
        deadline = time.monotonic() + 60
        while (phase := core.read_namespaced_pod("one", kubernetes_namespace).status.phase) in ("Pending", "Running"):
            assert time.monotonic() < deadline, phase
            time.sleep(0.1)
        assert (phase, core.read_namespaced_pod_log("one", kubernetes_namespace)) == ("Succeeded", "42\n")


def test_it_listens_on_loopback_and_its_own_link_alone(kubernetes_cluster: Path) -> None:
    pids = [int(file.read_text().split()[0]) for file in kubernetes_cluster.with_name("pids").glob("*")]
    if not pids:
        pytest.skip("KUBECONFIG names another cluster")
    for process in (child for pid in pids for child in (psutil.Process(pid), *psutil.Process(pid).children(True))):
        with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError):  # one of a container that has just ended
            listening = [c for c in process.net_connections() if c.status == psutil.CONN_LISTEN]
            for address in (ipaddress.ip_address(c.laddr.ip) for c in listening if _in_our_network(process)):
                assert address.is_loopback or str(address).endswith(".128.1"), (process, listening)


def _in_our_network(process: psutil.Process) -> bool:
    """The node's processes are in one that ends at its link to this machine."""
    return Path(f"/proc/{process.pid}/ns/net").readlink() == Path("/proc/self/ns/net").readlink()
