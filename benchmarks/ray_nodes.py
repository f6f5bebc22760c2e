"""A Ray cluster of several nodes on this machine, that nobody joins by chance and nothing in the network reaches."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from unittest import mock

os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # loopback alone
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_AUTH_MODE", "disabled")

import ray
from ray.cluster_utils import Cluster

_STORE_BYTES = 80_000_000


@contextlib.contextmanager
def cluster_of(cpus: Sequence[int]) -> Iterator[Cluster]:
    """A cluster with a node of so many CPUs each; the first is its head. Whatever is connected to it here is not
    afterwards."""
    with (
        tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder,
        mock.patch.dict(os.environ, {"RAY_TMPDIR": folder}),  # where Ray notes the address for everybody
    ):
        cluster = Cluster()
        try:
            for count in cpus:
                head = {} if cluster.head_node else {"include_dashboard": False}
                cluster.add_node(num_cpus=count, object_store_memory=_STORE_BYTES, **head)
            yield cluster
        finally:
            ray.shutdown()
            cluster.shutdown()  # type: ignore[no-untyped-call]


def node_folder(root: Path, node: str) -> Path | None:
    """The folder below ``root`` (``RaySettings.folder``) in which a node keeps its attempts, None if it has none."""
    return next((path for path in root.glob("*/*") if node.startswith(path.name)), None)
