"""Server-side apply: what becomes of an object when one of its managers says all that he wants of it."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

from katib.server.managed_fields import (
    APPLY,
    MANAGED,
    Owned,
    Owner,
    Path,
    is_named,
    is_same,
    item_step,
    leaves,
    owned_by,
)
from katib.server.status import ApiError

Tree = dict[str, Any]

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def applied(live: Tree, config: Tree, manager: str, force: bool) -> tuple[Tree, Owned]:
    """The object after ``manager`` applied ``config``, and who owns what of it then. What he applied before and does
    not any more is removed, unless others own it too.

    Raises ApiError with the managers of the fields that he would change; with ``force`` he takes them over.
    """
    if config["metadata"].get(MANAGED):
        raise ApiError(400, "metadata.managedFields must be nil")
    owned, me = owned_by(live), Owner(manager, APPLY)
    others = {owner: paths for owner, paths in owned.items() if owner != me}
    config = _without_nulls({field: value for field, value in config.items() if field != "status"})
    old, wanted = leaves(live), leaves(config)
    changed = {path for path, value in wanted.items() if path not in old or not is_same(old[path], value)}
    contested = {owner: {path for path in paths if _is_hit(path, changed)} for owner, paths in others.items()}
    contested = {owner: paths for owner, paths in contested.items() if paths}
    if contested and not force and not _is_handed_over(live, manager, old, contested):
        raise _conflict(contested, str(config.get("apiVersion", "")))
    others = {owner: paths - contested.get(owner, set()) for owner, paths in others.items()}
    tree: Tree = _merged(live, config)
    kept = {path[:end] for paths in (*others.values(), wanted) for path in paths for end in range(1, len(path) + 1)}
    dropped = {path for path in owned.get(me, frozenset()) - kept if not _is_key(path)}
    for path in dropped:
        if not any(path[:end] in dropped for end in range(1, len(path))):  # it goes with what it is in
            _remove(tree, path)
    return tree, {**others, me: frozenset(wanted)}


def _is_handed_over(live: Tree, manager: str, old: Mapping[Path, Any], contested: Mapping[Owner, set[Path]]) -> bool:
    """Whether kubectl only takes over what it applied itself before, without the server, and nobody changed since."""
    text = (live["metadata"].get("annotations") or {}).get(LAST_APPLIED)
    if manager != "kubectl" or not text:
        return False
    try:
        last = leaves({"metadata": {}, **json.loads(text)})
    except (ValueError, TypeError, KeyError, AttributeError):
        return False
    fields = {path for paths in contested.values() for path in paths}
    return all(path in last and path in old and is_same(last[path], old[path]) for path in fields)


def _is_hit(path: Path, changed: set[Path]) -> bool:
    """Whether a change is of that field, or of what it is in as a whole."""
    return any(path[:end] in changed for end in range(1, len(path) + 1))


def _is_key(path: Path) -> bool:
    """Whether it is the name that tells an item from the others, which stays as long as the item does."""
    return path[-1] == "f:name" and path[-2].startswith("k:")


def _without_nulls(node: Any) -> Any:
    if isinstance(node, dict):
        return {name: _without_nulls(value) for name, value in node.items() if value is not None}
    return node


def _merged(live: Any, config: Any) -> Any:
    """``config`` put over ``live``: field by field, and item by item where items have names."""
    if isinstance(live, dict) and isinstance(config, dict):
        return {**live, **{name: _merged(live.get(name), value) for name, value in config.items()}}
    if is_named(live) and is_named(config):
        new = {item["name"]: item for item in config}
        items = [_merged(item, new.pop(item["name"], {})) for item in live]
        return [*items, *new.values()]
    return copy.deepcopy(config)


def _remove(node: Any, path: Path) -> None:
    """Take a field out, and what is empty without it. Shared parts are copied on the way."""
    step, *rest = path
    if isinstance(node, list):
        for index, item in enumerate(node):
            if isinstance(item, dict) and isinstance(item.get("name"), str) and item_step(item) == step:
                if rest:
                    node[index] = copy.copy(item)
                    _remove(node[index], tuple(rest))
                else:
                    del node[index]
                return
    name = step.removeprefix("f:")
    if not isinstance(node, dict) or name not in node:
        return
    if rest:
        node[name] = copy.copy(node[name])
        _remove(node[name], tuple(rest))
    if not rest or node[name] in ({}, []):
        del node[name]


def _conflict(contested: Mapping[Owner, set[Path]], api_version: str) -> ApiError:
    causes, texts = [], []
    for owner, paths in sorted(contested.items(), key=lambda each: each[0].manager):
        who = f'"{owner.manager}" using {api_version}'
        fields = sorted(map(_text, paths))
        texts.append(
            f"conflict with {who}: {fields[0]}"
            if len(fields) == 1
            else f"conflicts with {who}:" + "".join(f"\n- {field}" for field in fields)
        )
        causes += [
            {"reason": "FieldManagerConflict", "message": f"conflict with {who}", "field": field} for field in fields
        ]
    count = f"{len(causes)} conflict{'' if len(causes) == 1 else 's'}"
    return ApiError(409, f"Apply failed with {count}: {chr(10).join(texts)}", "Conflict", {"causes": causes})


def _text(path: Path) -> str:
    """A path as people write it: ``.spec.parameters[name="x"].feasibleSpace.min``."""
    return "".join(
        f'[name="{json.loads(step[2:])["name"]}"]' if step.startswith("k:") else f".{step.removeprefix('f:')}"
        for step in path
    )
