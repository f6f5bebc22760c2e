"""What the objects of an attempt are called, and the labels that they are found by."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from katib.core.trial import Attempt, AttemptId
from katib.resources.projection import EXPERIMENT_LABEL

TRIAL_LABEL = "katib.kubeflow.org/trial"
ATTEMPT_LABEL = "katib.dev/attempt"
"""Katib knows no attempts, so this one is ours: their number, from 1."""

COLLECTOR = "metrics-logger-and-collector"
"""Name of the container that echoes metric files: Katib's, which its clients ask for logs."""

# Names of jobs become labels and host names of their pods; both are limited to this.
LIMIT = 63
_DIGEST_LENGTH = 8

_NOT_IN_NAMES = re.compile(r"[^a-z0-9-]+")
_NOT_IN_VALUES = re.compile(r"[^A-Za-z0-9._-]+")
_PART = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_KEY = re.compile(rf"(?:([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)/)?({_PART})")
_PREFIX_LIMIT = 253


def job_name(id: AttemptId) -> str:
    """The name of an attempt's job: of the first one the trial's, as Katib has it, then ``<trial>-<attempt>``. A name
    that Kubernetes does not take is made one that it does."""
    name = id.trial if id.attempt == 1 else f"{id.trial}-{id.attempt}"
    return _fitting(name, _NOT_IN_NAMES.sub("-", name.lower()).strip("-"))


def label_value(text: str) -> str:
    """``text`` as the value of a label: itself wherever that is one."""
    return _fitting(text, _NOT_IN_VALUES.sub("-", text).strip("._-"))


def identity(id: AttemptId) -> dict[str, str]:
    """The labels that tell an attempt's objects from all others of its namespace."""
    return {
        EXPERIMENT_LABEL: label_value(id.key.name),
        TRIAL_LABEL: label_value(id.trial),
        ATTEMPT_LABEL: str(id.attempt),
    }


def labels_of(attempt: Attempt) -> dict[str, str]:
    """All labels of the attempt's job and pods: the trial's own, and those of its identity. A label whose key
    Kubernetes does not take is left out."""
    own: Mapping[str, str] = {key: label_value(value) for key, value in attempt.labels.items() if _is_key(key)}
    return {**own, **identity(attempt.id)}


def _fitting(text: str, usable: str) -> str:
    """``usable`` if it is no longer than the limit and not the same for other texts; else it ends in a digest."""
    if usable == text and len(text) <= LIMIT:
        return text
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_LENGTH // 2).hexdigest()
    start = usable[: LIMIT - _DIGEST_LENGTH - 1].rstrip("._-")
    return f"{start}-{digest}" if start else f"x{digest}"


def _is_key(key: str) -> bool:
    found = _KEY.fullmatch(key)
    return found is not None and len(found[2]) <= LIMIT and len(found[1] or "") <= _PREFIX_LIMIT
