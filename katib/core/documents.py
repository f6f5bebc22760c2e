"""Documents beside the experiments: small trees of JSON that clients keep in the store (ConfigMaps, namespaces)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class DocumentKey(NamedTuple):
    """What a document is found by. kind: whatever its writer calls the kind, such as ``configmaps``. namespace: empty
    for kinds that have none."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return "/".join(part for part in self if part)


@dataclass(frozen=True, slots=True)
class Document:
    """One stored document. content: its tree. uid: its writer's name for this one, which no later document of the same
    key has. created: seconds since the epoch. generation: grows with every change of it. revision: the commit that
    wrote it last."""

    key: DocumentKey
    content: Mapping[str, Any] = field(default_factory=dict)
    uid: str = ""
    created: float = 0.0
    generation: int = 1
    revision: int = 0
