"""What writes have in common, whichever way they come: names that are made up, and patches that are merged."""

from __future__ import annotations

import copy
import secrets
from dataclasses import replace
from typing import Any

from katib.core.errors import ConflictError
from katib.server.objects import Tree, WritableCollection, WriteOptions, Written
from katib.server.status import ApiError, not_found

TRIES = 10

_LETTERS, _GENERATED = "bcdfghjklmnpqrstvwxz2456789", 5  # what Kubernetes makes endings of names from
_LONGEST_NAME = 63


def named(tree: Tree) -> Tree:
    """The tree with a name, which is made from generateName if need be. Raises ApiError without either."""
    metadata = tree["metadata"]
    if isinstance(metadata.get("name"), str) and metadata["name"]:
        return tree
    prefix = metadata.get("generateName")
    if not isinstance(prefix, str) or not prefix:
        raise ApiError(422, "metadata.name: name or generateName is required", "Invalid")
    ending = "".join(secrets.choice(_LETTERS) for _ in range(_GENERATED))
    return {**tree, "metadata": {**metadata, "name": prefix[: _LONGEST_NAME - _GENERATED] + ending}}


def modified(kind: str, name: str) -> ConflictError:
    """Somebody else has changed the object since it was seen, in Kubernetes' words. kind: plural.group."""
    return ConflictError(
        f'Operation cannot be fulfilled on {kind} "{name}": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )


def merge(target: Any, patch: Any) -> Any:
    """RFC 7386: what ``target`` becomes by a merge patch."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


def merge_into(
    collection: WritableCollection, namespace: str, name: str, patch: Tree, options: WriteOptions
) -> Written:
    """Merge a patch into the newest state of an object; once more if somebody else wrote in between."""
    for remaining in reversed(range(TRIES)):
        each = collection.get(namespace, name)
        if each is None:
            raise not_found(collection.kind.full_name, name)
        try:
            seen = replace(options, revision=str(each.revision))
            return collection.replace(namespace, name, merge(each.tree, patch), seen)
        except ConflictError:
            if not remaining:
                raise
    raise AssertionError("unreachable")
