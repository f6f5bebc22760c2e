"""Who set which field of an object: Kubernetes' ``metadata.managedFields``, read, written and kept up with writes.

A field is the path to a leaf of the tree, in the steps of Kubernetes' FieldsV1: ``f:NAME`` for a field, and
``k:{"name":"NAME"}`` for an item of a list whose items have names. Any other list is one leaf.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

Tree = dict[str, Any]
Path = tuple[str, ...]

APPLY, UPDATE = "Apply", "Update"
MANAGED = "managedFields"
_ITSELF = "."
_METADATA = ("labels", "annotations")  # what writers own of the metadata


@dataclass(frozen=True, slots=True)
class Owner:
    """A manager and what it does: who applies and updates is two owners."""

    manager: str
    operation: str = UPDATE


Owned = dict[Owner, frozenset[Path]]


def leaves(tree: Mapping[str, Any]) -> dict[Path, Any]:
    """All that writers own of an object, with its values; items that have names are in it too."""
    content = {
        field: value for field, value in tree.items() if field not in ("apiVersion", "kind", "metadata", "status")
    }
    metadata = {field: tree["metadata"][field] for field in _METADATA if tree["metadata"].get(field)}
    return dict(_leaves({**content, **({"metadata": metadata} if metadata else {})}, ()))


def _leaves(node: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(node, dict) and (node or not path):
        for name, value in node.items():
            yield from _leaves(value, (*path, f"f:{name}"))
    elif is_named(node):
        for item in node:
            inner = (*path, item_step(item))
            yield inner, None
            yield from _leaves(item, inner)
    else:
        yield path, node


def is_named(node: Any) -> bool:
    """Whether a list's items all have names, each another one."""
    if not isinstance(node, list) or not node:
        return False
    names = [item.get("name") if isinstance(item, dict) else None for item in node]
    return all(isinstance(name, str) for name in names) and len(set(names)) == len(names)


def item_step(item: Mapping[str, Any]) -> str:
    """The step that leads to an item of a list."""
    return f"k:{json.dumps({'name': item['name']}, separators=(',', ':'), ensure_ascii=False)}"


def is_same(one: Any, other: Any) -> bool:
    """Whether two values mean the same: numbers may be written as texts."""
    if one == other:
        return isinstance(one, bool) is isinstance(other, bool)
    numbers = (int, float, str)
    return isinstance(one, numbers) and isinstance(other, numbers) and str(one) == str(other)


def owned_by(tree: Mapping[str, Any]) -> Owned:
    """Who owns what of an object, as it says itself; what cannot be read is left out."""
    return {owner: paths for owner, paths, _ in _read(tree)}


def _read(tree: Mapping[str, Any]) -> Iterator[tuple[Owner, frozenset[Path], Tree]]:
    for entry in tree["metadata"].get(MANAGED) or []:
        with suppress(TypeError, KeyError, AttributeError):
            owner = Owner(str(entry["manager"]), str(entry["operation"]))
            yield owner, frozenset(_paths(entry["fieldsV1"], ())), entry


def _paths(node: Mapping[str, Any], path: Path) -> Iterator[Path]:
    if path and (not node or _ITSELF in node):
        yield path
    for step, inner in node.items():
        if step != _ITSELF:
            yield from _paths(inner, (*path, step))


def _fields(paths: Iterable[Path]) -> Tree:
    root: Tree = {}
    for path in sorted(paths):
        node = root
        for step in path:
            node = node.setdefault(step, {})
        if path[-1].startswith("k:"):
            node[_ITSELF] = {}
    return root


def entries(owned: Owned, before: Mapping[str, Any], api_version: str, now: str) -> list[Tree]:
    """``managedFields`` of these owners. before: the object so far, whose entries stay as they are where they say the
    same. now: the time of the others."""
    kept = {(owner, paths): entry for owner, paths, entry in _read(before)}
    return [
        kept[owner, paths]
        if (owner, paths) in kept
        else {
            "manager": owner.manager,
            "operation": owner.operation,
            "apiVersion": api_version,
            "time": now,
            "fieldsType": "FieldsV1",
            "fieldsV1": _fields(paths),
        }
        for owner, paths in owned.items()
        if paths
    ]


def updated(before: Mapping[str, Any], after: Mapping[str, Any], manager: str) -> Owned:
    """Who owns what once ``manager`` has made ``after`` of ``before``: what it changed is its own alone. A writer may
    say himself who owns what; that is where this goes on from."""
    says = after["metadata"].get(MANAGED)
    owned = owned_by(before if says is None else after)
    old, new = leaves(before), leaves(after)
    changed = {path for path, value in new.items() if path not in old or not is_same(old[path], value)}
    gone = old.keys() - new.keys()
    writer = Owner(manager)
    mine = (owned.get(writer, frozenset()) | changed) - gone
    others = {owner: paths - changed - gone for owner, paths in owned.items() if owner != writer}
    return {**others, writer: mine}
