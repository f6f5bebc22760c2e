"""Label and field selectors, as kubectl sends them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from katib.server.objects import Object
from katib.server.status import ApiError

Matches = Callable[[Object], bool]

_IN_SET = re.compile(r"(?P<key>\S+)\s+(?P<verb>in|notin)\s+\((?P<values>[^()]*)\)")
_EQUAL = re.compile(r"(?P<key>[^=!\s]+)\s*(?P<verb>==|=|!=)\s*(?P<value>[^=!\s]*)")
_EXISTS = re.compile(r"(?P<verb>!?)\s*(?P<key>[^=!\s()]+)")
_COMMA = re.compile(r",(?![^(]*\))")  # one that is not inside of a list of values

#: Fields that may be selected by, beside name and namespace: path in the object.
FIELDS = frozenset({
    "involvedObject.kind", "involvedObject.name", "involvedObject.namespace", "involvedObject.uid", "reason", "type",
    "status.phase", "spec.nodeName",
})  # fmt: skip


def selector(labels: str, fields: str) -> Matches | None:
    """Whether an object has these labels and fields; None if any has. Raises ApiError on what is no selector."""
    tests = [_label_test(part.strip()) for part in _COMMA.split(labels) if part.strip()]
    tests += [_field_test(part.strip()) for part in fields.split(",") if part.strip()]
    if not tests:
        return None
    return lambda each: all(test(each) for test in tests)


def _label_test(text: str) -> Matches:
    if found := _IN_SET.fullmatch(text):
        key, values = found["key"], {value.strip() for value in found["values"].split(",")}
        if found["verb"] == "in":
            return lambda each: each.labels.get(key) in values
        return lambda each: each.labels.get(key) not in values
    if found := _EQUAL.fullmatch(text):
        key, value = found["key"], found["value"]
        if found["verb"] == "!=":
            return lambda each: each.labels.get(key) != value
        return lambda each: each.labels.get(key) == value
    if found := _EXISTS.fullmatch(text):
        key, wanted = found["key"], not found["verb"]
        return lambda each: (key in each.labels) is wanted
    raise ApiError(400, f"labelSelector: got {text!r}, expected key=value, key!=value, key in (a,b), key or !key")


def _field_test(text: str) -> Matches:
    found = _EQUAL.fullmatch(text)
    if found is None:
        raise ApiError(400, f"fieldSelector: got {text!r}, expected field=value or field!=value")
    field, value, wanted = found["key"], found["value"], found["verb"] != "!="
    if field not in ("metadata.name", "metadata.namespace", *FIELDS):
        raise ApiError(400, f'field label not supported: "{field}"')
    return lambda each: (_value_at(each.tree, field) == value) is wanted


def _value_at(tree: Mapping[str, Any], path: str) -> str:
    node: Any = tree
    for step in path.split("."):
        node = node.get(step) if isinstance(node, Mapping) else None
    return "" if node is None else str(node)
