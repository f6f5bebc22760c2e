"""The kinds of patches: what a tree becomes by each."""

from __future__ import annotations

import copy
from typing import Any

import jsonpatch

from katib.server.objects import Tree
from katib.server.status import ApiError
from katib.server.writing import merge

JSON = "application/json-patch+json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"


def patched(tree: Tree, patch: Any, kind: str) -> Tree:
    """The tree after ``patch`` of the media type ``kind``; the tree itself is left as it is. Raises ApiError.

    An object where a JSON patch should be is a merge patch: a client of Python sends it so.
    """
    if kind == JSON and isinstance(patch, list):
        return _json_patched(tree, patch)
    if kind in (JSON, MERGE):
        if not isinstance(patch, dict):
            raise ApiError(400, f"got a patch that is a {type(patch).__name__}, expected an object")
        merged: Tree = merge(tree, patch)
        return merged
    raise ApiError(415, f"got a patch of the type {kind!r}, expected {MERGE}, {JSON} or {APPLY}")


def as_merge(patch: Any) -> str:
    """The type of a strategic patch of an object without lists to merge: that of a merge patch. Raises ApiError."""
    if _has_directive(patch):
        raise ApiError(415, f"got a strategic patch with directives, expected a patch of the type {MERGE}")
    return MERGE


def _has_directive(node: Any) -> bool:
    if isinstance(node, list):
        return any(map(_has_directive, node))
    return isinstance(node, dict) and any(key.startswith("$") or _has_directive(value) for key, value in node.items())


def _json_patched(tree: Tree, operations: list[Any]) -> Tree:
    """RFC 6902."""
    try:
        changed: Tree = jsonpatch.JsonPatch(operations).apply(copy.deepcopy(tree))
    except jsonpatch.JsonPatchTestFailed as error:
        raise ApiError(422, f"the patch's test failed: {error}", "Invalid") from None
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, TypeError, KeyError, ValueError) as error:
        raise ApiError(422, f"the patch cannot be applied: {error}", "Invalid") from None
    if not isinstance(changed, dict):
        raise ApiError(422, "the patch leaves no object", "Invalid")
    return changed
