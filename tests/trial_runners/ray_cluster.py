"""Small Rays for the tests, as processes of their own on this machine, joined by address."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.shared_programs import SharedPrograms
from trial_runners.settings import RaySettings

# On loopback alone, and so without tokens, which would have to be known to whoever joins by address.
_ENVIRONMENT = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_raylet_start_wait_time_s": "120",
}

# Ends when its standard input does, however this process ends.
_SERVE = """
import json
import sys
import ray
context = ray.init(
    "local", num_cpus=int(sys.argv[1]), include_dashboard=False, object_store_memory=80_000_000, log_to_driver=False
)
print(json.dumps({"address": context.address_info["gcs_address"]}), flush=True)
sys.stdin.read()
ray.shutdown()
"""


@contextmanager
def running_ray(cpus: int) -> Iterator[str]:
    """Address of a Ray with so many CPUs."""
    pipe = subprocess.PIPE
    environment = {**os.environ, **_ENVIRONMENT, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVE, str(cpus)], stdin=pipe, stdout=pipe, text=True, env=environment
    )
    try:
        yield json.loads(process.stdout.readline())["address"]
    finally:
        process.stdin.close()
        process.wait(30)
        process.stdout.close()


def shared_ray(shared: SharedPrograms, cpus: int) -> str:
    """Address of the Ray that all workers of the run share; what one test left in it others would see."""
    return str(shared.get("ray", "-c", _SERVE, str(cpus), environment=_ENVIRONMENT)["address"])


@contextmanager
def joined(address: str) -> Iterator[None]:
    """This process connected to a Ray, so that runners that come and go need not be."""
    import ray

    from trial_runners.ray.cluster import Cluster

    with TemporaryDirectory() as root:
        cluster = Cluster(Path(root), RaySettings(address=address))
        try:
            yield
        finally:
            cluster.close()
            ray.shutdown()  # a test that failed has not closed its runner


def open_runner(root: Path, address: str, *, objective=None, parallel=2, document=None, **places):
    """A Ray runner, as an experiment gets it."""
    from trial_runners.ray import RayRunner

    settings = RaySettings(address=address, **places)
    options = {"objective": objective, "metric": "loss", "parallel": parallel, "document": document or {}}
    return RayRunner(root, settings=settings, **options)


@contextmanager
def several_nodes(cpus: Sequence[int]):
    """A Ray of several nodes on this machine; a ``ray.cluster_utils.Cluster``."""
    from ray.cluster_utils import Cluster

    from trial_runners.ray.connection import loopback

    with pytest.MonkeyPatch.context() as patch, loopback():
        for name, value in _ENVIRONMENT.items():
            patch.setenv(name, value)
        sizes = [{"num_cpus": count, "object_store_memory": 80_000_000} for count in cpus]
        cluster = Cluster(initialize_head=True, head_node_args={**sizes[0], "include_dashboard": False})
        try:
            for size in sizes[1:]:
                cluster.add_node(**size)
            yield cluster
        finally:
            cluster.shutdown()
