"""How an attempt's metrics are collected in a pod: what the container that trains is told, and what stands beside it.

``StdOut`` needs nothing: the container's log is read. Where a file is read (``File``, ``TensorFlowEvent``, ``Push``) a
container beside the training echoes it into its own log; of ``Custom`` it is the user's. ``PrometheusMetric`` is
scraped by the controller. All of it concerns the primary pod only.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from katib.core.collector import CollectorSpec
from katib.core.errors import RunnerError
from katib.core.trial import Attempt
from katib.resources.defaults import METRICS_FILE
from trial_runners.kubernetes import collector
from trial_runners.kubernetes.names import COLLECTOR
from trial_runners.kubernetes.pods import (
    Additions,
    Tree,
    escaped,
    mount_above,
    named,
    sequence,
    tree,
    variable,
    with_env,
    with_mounts,
)
from trial_runners.kubernetes.variables import trial_variables
from trial_runners.settings import KubernetesSettings

SCRIPT = Path(collector.__file__).read_text(encoding="utf-8")

VOLUME = "metrics-volume"
"""Katib's name of the volume that metric files stand in."""

DEFAULT_PORT = 8080

# What the echo asks for, of what the container that trains asks for itself: a pod keeps its class of service.
_RESOURCES = {"cpu": "100m", "memory": "64Mi"}

_MESSAGE = "/dev/termination-log"  # Kubernetes' default

_PYTHON = ("python3", "-I", "-S", "-u", "-c")


class Place(NamedTuple):
    """Where metrics are written. path: the file, or the folder itself if it is ``directory``."""

    path: str
    directory: bool

    @property
    def folder(self) -> str:
        """The folder that is shared."""
        return self.path.rstrip("/") if self.directory else str(PurePosixPath(self.path).parent)


def echoes(attempt: Attempt, settings: KubernetesSettings) -> bool:
    """Whether our container stands beside the training: a file is read."""
    kind = attempt.collector.kind
    return kind in ("File", "TensorFlowEvent") or (kind == "Push" and not settings.db_manager)


def collector_container(attempt: Attempt, settings: KubernetesSettings) -> str:
    """The container beside the training whose log holds the metrics; empty if there is none."""
    if attempt.collector.kind == "Custom":
        return str(tree(attempt.collector.options.get("customCollector")).get("name") or COLLECTOR)
    return COLLECTOR if echoes(attempt, settings) else ""


def plain_variables(attempt: Attempt, settings: KubernetesSettings) -> tuple[Tree, ...]:
    """What the training is told where nothing stands beside it."""
    if attempt.collector.kind == "PrometheusMetric":
        return (variable("KATIB_METRICS_PORT", str(port_of(attempt.collector))),)
    if attempt.collector.kind == "Push" and settings.db_manager:
        return (variable("KATIB_DB_MANAGER_ADDRESS", settings.db_manager),)
    return ()


def port_of(spec: CollectorSpec) -> int:
    """The port that metrics are scraped at."""
    return int(tree(spec.options.get("httpGet")).get("port") or DEFAULT_PORT)


def collecting(attempt: Attempt, pod: Mapping[str, Any], settings: KubernetesSettings, restarts: bool) -> Additions:
    """What the primary ``pod`` (a template) gets. restarts: failed containers of it are started again. Raises
    RunnerError on what a pod cannot have."""
    if not collector_container(attempt, settings):
        return Additions(env=plain_variables(attempt, settings))
    spec = tree(pod.get("spec"))
    if spec.get("hostPID"):
        raise RunnerError(
            f"hostPID: a collector of kind {attempt.collector.kind} has to see the processes of its pod alone"
        )
    training = named(pod, attempt.primary_container) or {}
    shared = _shared(attempt.collector, training)
    if attempt.collector.kind == "Custom":
        beside = _custom_container(attempt, training, settings, shared.env)
    else:
        alone = len(sequence(spec.get("containers"))) == 1
        words = {"fresh": alone and bool(shared.volumes), "alone": alone, "restarts": restarts}
        beside = _echo(attempt, training, settings, [word for word, holds in words.items() if holds])
    return shared + Additions(containers=(with_mounts(beside, shared.mounts),), shared_processes=True)


def place_of(spec: CollectorSpec) -> Place | None:
    """Where metrics are written by the trial's own view, None if the YAML names no place."""
    if spec.kind == "Push":
        return Place(METRICS_FILE, False)
    return Place(spec.path, spec.directory) if spec.path else None


def _shared(spec: CollectorSpec, training: Tree) -> Additions:
    """The folder that the training shares with what stands beside it: its own volume where it has mounted one there or
    above, else an empty one."""
    place = place_of(spec)
    if place is None:
        return Additions()
    if place.folder in ("", "/"):
        raise RunnerError(f"the collector's path {place.path!r}: expected a place in a folder that can be shared")
    env = [variable("KATIB_METRICS_DIR", place.folder)]
    if not place.directory:
        as_json = spec.kind == "Push" or (spec.kind == "File" and spec.format == "JSON")
        env.append(variable("KATIB_METRICS_FILE", place.path))
        env.append(variable("KATIB_METRICS_FORMAT", "JSON" if as_json else "TEXT"))
    own = mount_above(training, place.folder)
    if own is not None:
        return Additions(env=tuple(env), mounts=(own,))
    mount = {"name": VOLUME, "mountPath": place.folder}
    return Additions(env=tuple(env), mounts=(mount,), volumes=({"name": VOLUME, "emptyDir": {}},))


def _echo(attempt: Attempt, training: Tree, settings: KubernetesSettings, words: list[str]) -> Tree:
    """Our container: with the image, user and rights of the training, so that it can read what that writes."""
    place = place_of(attempt.collector) or Place(METRICS_FILE, False)
    kind = "events" if place.directory else "file"
    container: Tree = {
        "name": COLLECTOR,
        "image": settings.collector_image or training.get("image"),
        "command": [*_PYTHON, escaped(SCRIPT), kind, escaped(place.path), _MESSAGE, *words],
        "resources": _resources(tree(training.get("resources"))),
    }
    copied = ("securityContext",) if settings.collector_image else ("securityContext", "imagePullPolicy")
    return {**container, **{field: training[field] for field in copied if training.get(field)}}


def _custom_container(attempt: Attempt, training: Tree, settings: KubernetesSettings, env: tuple[Tree, ...]) -> Tree:
    """The user's, as it is given; what it leaves out is filled in."""
    given = tree(attempt.collector.options.get("customCollector"))
    image = settings.collector_image or training.get("image")
    return with_env({"name": COLLECTOR, "image": image, **given}, (*trial_variables(attempt), *env))


def _resources(training: Tree) -> Tree:
    """As much as an echo needs, of each resource that the training limits or requests."""
    limits = {name: amount for name, amount in _RESOURCES.items() if name in tree(training.get("limits"))}
    requests = {name: amount for name, amount in _RESOURCES.items() if name in tree(training.get("requests"))}
    return {"limits": limits, "requests": {**limits, **requests}}
