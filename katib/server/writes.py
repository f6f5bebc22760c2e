"""Writes of all kinds: the newest state is read, changed and put in its place, and noted who set which field."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from katib.core.errors import ConflictError, KatibError
from katib.resources.status_conditions import rfc3339
from katib.server import patches
from katib.server.apply import applied
from katib.server.managed_fields import MANAGED, Owned, entries, updated
from katib.server.objects import Object, Tree, WritableCollection, WriteOptions, Written, encode
from katib.server.requests import Target, document, parse
from katib.server.status import ApiError, as_api_error, not_found
from katib.server.writing import TRIES, named

_NOTHING: Tree = {"metadata": {}}

Change = Callable[[Object], tuple[Tree, Owned]]


def create(collection: WritableCollection, found: Target, tree: Tree, options: WriteOptions) -> Written:
    """Store a new object. Raises ApiError."""
    tree = named(tree)
    tree["metadata"].pop(MANAGED, None)
    tree = _noted(collection, _NOTHING, tree, updated(_NOTHING, tree, options.manager))
    return _create(collection, found, tree, options)


def _create(collection: WritableCollection, found: Target, tree: Tree, options: WriteOptions) -> Written:
    try:
        return collection.create(found.namespace or "", tree, options)
    except KatibError as error:
        raise as_api_error(error, collection.kind.full_name, tree["metadata"]["name"]) from None


def update(collection: WritableCollection, found: Target, tree: Tree, options: WriteOptions) -> Written:
    """Put another content in an object's place."""
    return _write(collection, found, options, lambda live: (tree, updated(live.tree, tree, options.manager)))


def patch(
    collection: WritableCollection, found: Target, options: WriteOptions, data: bytes, media_type: str
) -> tuple[Written, int]:
    """Patch or apply; what was written, and the answer's code: an object that is applied may be new."""
    given = parse(data, media_type)
    if media_type == patches.APPLY:
        return _apply(collection, found, options, document(data, media_type, found))
    kind = patches.as_merge(given) if media_type == patches.STRATEGIC and not collection.kind.group else media_type

    def change(live: Object) -> tuple[Tree, Owned]:
        tree = patches.patched(live.tree, given, kind)
        tree = document(encode(tree), "application/json", found)
        return tree, updated(live.tree, tree, options.manager)

    return _write(collection, found, options, change), 200


def _apply(collection: WritableCollection, found: Target, options: WriteOptions, config: Tree) -> tuple[Written, int]:
    if not options.applies:
        raise ApiError(400, "fieldManager is required for apply patch")
    config["metadata"].setdefault("name", found.name)

    def change(live: Object) -> tuple[Tree, Owned]:
        tree, owned = applied(live.tree, config, options.manager, options.force)
        return document(encode(tree), "application/json", found), owned

    for remaining in reversed(range(TRIES)):
        if collection.get(found.namespace or "", found.name) is not None:
            return _write(collection, found, options, change), 200
        tree, owned = applied(_NOTHING, config, options.manager, options.force)
        try:
            return _create(collection, found, _noted(collection, _NOTHING, tree, owned), options), 201
        except ApiError as error:  # somebody else may have made it in between
            if error.reason != "AlreadyExists" or not remaining:
                raise
    raise AssertionError("unreachable")


def _write(collection: WritableCollection, found: Target, options: WriteOptions, change: Change) -> Written:
    """Change the newest state; once more if somebody else wrote in between, unless the writer names the state that he
    means."""
    for remaining in reversed(range(TRIES)):
        live = collection.get(found.namespace or "", found.name)
        if live is None:
            raise not_found(collection.kind.full_name, found.name)
        tree, owned = change(live)
        metadata = tree["metadata"]
        revision = str(metadata.get("resourceVersion") or live.revision)
        given = replace(options, uid=str(metadata.get("uid") or ""), revision=revision)
        tree = _noted(collection, live.tree, tree, owned)
        try:
            return collection.replace(found.namespace or "", found.name, tree, given)
        except ConflictError:
            if revision != str(live.revision) or not remaining:
                raise
    raise AssertionError("unreachable")


def _noted(collection: WritableCollection, before: Tree, tree: Tree, owned: Owned) -> Tree:
    """The tree with its owners."""
    noted = entries(owned, before, collection.kind.api_version, rfc3339(time.time()))
    metadata: dict[str, Any] = {name: value for name, value in tree["metadata"].items() if name != MANAGED}
    return {**tree, "metadata": {**metadata, **({MANAGED: noted} if noted else {})}}
