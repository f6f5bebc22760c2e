"""Floor 5: what the user chose of where and how experiments run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from katib.core.ports import Runner
from suggestion_service.security import ClientSecurity
from trial_runners.settings import KubernetesSettings, RaySettings

Objective = Callable[[dict[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class Options:
    """Where and how experiments run.

    home: folder of everything kept on this machine. store: URL of the store, default a SQLite file in ``home``.
    durable: survive power loss, not only the death of the process. runner: an entry of ``trial_runners.RUNNERS``,
    ``package.module:Class``, or a runner itself, for one experiment. objective: the Python function that trials call;
    without it the experiment's template may name one. function_folder: where function trials on this machine keep
    output and checkpoints, None for nowhere. suggestion: ``HOST:PORT`` of a suggestion service; empty runs the
    algorithm in this process. suggestion_security: how that service is reached. ray, kubernetes: how these clusters
    are.
    """

    home: Path
    store: str = ""
    durable: bool = False
    runner: str | Runner = "local"
    objective: Objective | None = None
    function_folder: Path | None = None
    suggestion: str = ""
    suggestion_security: ClientSecurity = field(default_factory=ClientSecurity)
    ray: RaySettings = field(default_factory=RaySettings)
    kubernetes: KubernetesSettings = field(default_factory=KubernetesSettings)
