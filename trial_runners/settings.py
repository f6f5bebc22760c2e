"""How clusters are reached, as the user says it: nothing of it stands in the YAML. Loads nothing heavy."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class RaySettings:
    """address: of a Ray cluster to join (``auto``, ``HOST:PORT``, ``ray://HOST:PORT``), empty to start one on this
    machine. runtime_env: Ray's runtime environment of every trial. checkpoints: folder that all nodes share, or an
    fsspec URL, empty for a folder on each node. folder: where each node keeps the attempts that it runs, empty for the
    controller's own folder where a node sees it, and else one for temporary files."""

    address: str = ""
    runtime_env: Mapping[str, Any] = field(default_factory=dict)
    checkpoints: str = ""
    folder: str = ""


@dataclass(frozen=True, slots=True)
class KubernetesSettings:
    """context: of the kubeconfig, empty for its current one (or the cluster that this process is a pod of).
    checkpoints: ``claim:NAME`` of a PersistentVolumeClaim, or an fsspec URL, empty for none that outlives its pod.
    collector_image: what runs beside a trial whose metrics stand in a file, empty for the trial's own image.
    image: what runs Python functions, empty to refuse them. db_manager: ``HOST:PORT`` of a DBManager that pods reach,
    for the collector Push; empty for a file beside the trial."""

    context: str = ""
    checkpoints: str = ""
    collector_image: str = ""
    image: str = ""
    db_manager: str = field(default_factory=lambda: os.environ.get("KATIB_DB_MANAGER_ADDRESS", ""))
