"""Where an attempt keeps its checkpoint, by the setting:

- ``claim:NAME`` or ``claim:NAME/folder``: a folder on that PersistentVolumeClaim, of which each attempt mounts its own
  part, ``<folder>/<experiment>/<trial>/<attempt>``. What continues another begins with a copy, made by a container that
  runs before.
- a URL: training code keeps its checkpoint there itself, below KATIB_CHECKPOINT_URL, and finds what it continues from
  below KATIB_CHECKPOINT_PARENT_URL.
- nothing: a volume that is lost with the pod.

KATIB_CHECKPOINT_DIR is a folder in any case: the experiment's ``suggestion_trial_dir``, if it names one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from katib.core.errors import RunnerError
from katib.core.trial import Attempt, AttemptId
from trial_runners.kubernetes import checkpoint_copy
from trial_runners.kubernetes.pods import Additions, Tree, escaped, mount_above, named, tree, variable
from trial_runners.settings import KubernetesSettings

COPY_SCRIPT = Path(checkpoint_copy.__file__).read_text(encoding="utf-8")

FOLDER = "/var/lib/katib/checkpoint"
VOLUME = "katib-checkpoints"
COPY = "katib-checkpoint-copy"
_ALL = "/var/lib/katib/checkpoints"

_CLAIM = re.compile(r"claim:([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)(?:/(.*))?")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://.+")


class Storage(NamedTuple):
    """Where checkpoints outlive their pods. claim: name of a PersistentVolumeClaim. folder: on it. url: instead."""

    claim: str = ""
    folder: str = ""
    url: str = ""


def storage_of(settings: KubernetesSettings) -> Storage:
    """What the setting says. Raises RunnerError if that is no place."""
    text = settings.checkpoints
    if not text:
        return Storage()
    claim = _CLAIM.fullmatch(text)
    if claim is not None and ".." not in (claim[2] or "").split("/"):
        return Storage(claim=claim[1], folder=(claim[2] or "").strip("/"))
    if _URL.fullmatch(text):
        return Storage(url=text.rstrip("/"))
    raise RunnerError(
        f"checkpoints: got {text!r}, expected claim:NAME, claim:NAME/folder or a URL (s3://bucket/folder)"
    )


def place_of(id: AttemptId) -> str:
    """Where an attempt's checkpoint lies below the folder of its experiment."""
    return f"{id.trial}/{id.attempt}"


def ancestors(attempt: Attempt) -> tuple[AttemptId, ...]:
    """Whose checkpoint it may begin with, the first that has left one: earlier attempts of the trial, the last first,
    then the parent."""
    earlier = [AttemptId(attempt.id.key, attempt.id.trial, n) for n in range(attempt.id.attempt - 1, 0, -1)]
    return (*earlier, *([attempt.parent] if attempt.parent else []))


def url_of(storage: Storage, id: AttemptId) -> str:
    """The URL of an attempt's checkpoint."""
    return f"{storage.url}/{id.key.namespace}/{id.key.name}/{place_of(id)}"


class Past(NamedTuple):
    """What is known of other attempts' checkpoints. inherited: URL of the one to begin with, empty for none. released:
    those on a claim that nothing will continue from."""

    inherited: str = ""
    released: Sequence[AttemptId] = ()


NO_PAST = Past()


def checkpoints(attempt: Attempt, pod: Mapping[str, Any], settings: KubernetesSettings, past: Past) -> Additions:
    """What a ``pod`` (a template) gets."""
    storage = storage_of(settings)
    path = attempt.checkpoint_path.rstrip("/") or FOLDER
    env = (variable("KATIB_CHECKPOINT_DIR", path), *url_variables(attempt, settings, past))
    training = named(pod, attempt.primary_container) or {}
    if mount_above(training, path) is not None and not storage.claim:
        return Additions(env=env)  # the user's own volume
    if not storage.claim:
        mount = {"name": VOLUME, "mountPath": path}
        return Additions(env=env, mounts=(mount,), volumes=({"name": VOLUME, "emptyDir": {}},))
    volume = {"name": VOLUME, "persistentVolumeClaim": {"claimName": storage.claim}}
    own = "/".join(filter(None, [storage.folder, attempt.id.key.name, place_of(attempt.id)]))
    mount = {"name": VOLUME, "mountPath": path, "subPath": own}
    copies = (_copy(attempt, training, settings, past),) if ancestors(attempt) else ()
    return Additions(env=env, mounts=(mount,), volumes=(volume,), init_containers=copies)


def url_variables(attempt: Attempt, settings: KubernetesSettings, past: Past) -> tuple[Tree, ...]:
    """What the training is told of URLs."""
    storage = storage_of(settings)
    if not storage.url:
        return ()
    own = variable("KATIB_CHECKPOINT_URL", url_of(storage, attempt.id))
    return (own, variable("KATIB_CHECKPOINT_PARENT_URL", past.inherited)) if past.inherited else (own,)


def lost(attempt: Attempt, settings: KubernetesSettings) -> str:
    """What is to be said to people of a checkpoint that is wanted but not kept; empty if there is nothing."""
    if settings.checkpoints or attempt.parent is None:
        return ""
    return (
        f"trial {attempt.parent.trial} has left no checkpoint to continue from: without --checkpoints it is lost with "
        "its pod"
    )


def _copy(attempt: Attempt, training: Tree, settings: KubernetesSettings, past: Past) -> Tree:
    """The container that copies, with the user and rights of the training, which is to write there."""
    storage = storage_of(settings)
    folders = [f"{_ALL}/{place_of(id)}" for id in (attempt.id, *ancestors(attempt))]
    folders += ["--", *(f"{_ALL}/{place_of(id)}" for id in past.released)]
    container: Tree = {
        "name": COPY,
        "image": settings.collector_image or training.get("image"),
        "command": ["python3", "-I", "-S", "-c", escaped(COPY_SCRIPT), *folders],
        "volumeMounts": [
            {
                "name": VOLUME,
                "mountPath": _ALL,
                "subPath": "/".join(filter(None, [storage.folder, attempt.id.key.name])),
            }
        ],
        "resources": tree(training.get("resources")),
    }
    copied = ("securityContext",) if settings.collector_image else ("securityContext", "imagePullPolicy")
    return {**container, **{field: training[field] for field in copied if training.get(field)}}
