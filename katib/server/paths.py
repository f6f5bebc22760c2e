"""What the path of a request means, as far as that can be told without knowing the kinds."""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """Where an object or a list is. namespace: None for a list over all of them and for kinds without one."""

    namespace: str | None
    plural: str
    name: str = ""
    subresource: str = ""


def place_of(path: str) -> Place | None:
    """The place that a path leads to, None if that is none of objects (discovery, metrics, health)."""
    steps = path.split("/")
    rest = steps[4:] if steps[1:2] == ["apis"] else steps[3:] if steps[1:2] == ["api"] else []
    if not any(rest):
        return None
    namespace = rest[1] if rest[0] == "namespaces" and len(rest) > 1 else None
    return Place(namespace, *(rest[2:5] if namespace is not None and len(rest) > 2 else rest[:3]))
