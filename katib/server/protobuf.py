"""Kubernetes' protocol buffers, as far as kubectl sends them although it would take any other answer: a namespace or a
ConfigMap that it makes itself (``kubectl create``), and the question what its user may do (``kubectl auth can-i``)."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

from katib.server.status import ApiError
from katib.server.wire import fields

Tree = dict[str, Any]
Read = Callable[[Any], Any]
Shape = Mapping[int, tuple[str, Read]]  # number of a field -> its name, and what reads its value

_MAGIC = b"k8s\x00"
_TYPE, _RAW = 1, 2  # fields of the envelope


def _text(value: bytes) -> str:
    return value.decode()


def _binary(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _message(shape: Shape) -> Read:
    def read(data: bytes) -> Tree:
        tree: Tree = {}
        for number, value in fields(data):
            name, inner = shape.get(number, ("", None))
            if inner is None:
                continue
            found = inner(value)
            tree[name] = {**tree.get(name, {}), **found} if isinstance(found, dict) else found
        return tree

    return read


def _map(inner: Read) -> Read:
    entry = _message({1: ("key", _text), 2: ("value", inner)})

    def read(data: bytes) -> Tree:
        found = entry(data)
        return {found.get("key", ""): found.get("value", "")}

    return read


_METADATA = _message({
    1: ("name", _text), 2: ("generateName", _text), 3: ("namespace", _text), 11: ("labels", _map(_text)),
    12: ("annotations", _map(_text)),
})  # fmt: skip
_RESOURCE = _message(
    dict(enumerate(((name, _text) for name in ("namespace", "verb", "group", "version", "resource")), start=1))
)
_PATH = _message({1: ("path", _text), 2: ("verb", _text)})
_KINDS: Mapping[str, Shape] = {
    "Namespace": {1: ("metadata", _METADATA)},
    "ConfigMap": {
        1: ("metadata", _METADATA), 2: ("data", _map(_text)), 3: ("binaryData", _map(_binary)), 4: ("immutable", bool),
    },
    "SelfSubjectAccessReview": {
        1: ("metadata", _METADATA),
        2: ("spec", _message({1: ("resourceAttributes", _RESOURCE), 2: ("nonResourceAttributes", _PATH)})),
    },
}  # fmt: skip


def decoded(body: bytes) -> Tree:
    """The object in a body. Raises ApiError."""
    try:
        if not body.startswith(_MAGIC):
            raise ValueError("it does not begin as it should")
        envelope = _message(
            {_TYPE: ("type", _message({1: ("apiVersion", _text), 2: ("kind", _text)})), _RAW: ("raw", bytes)}
        )
        found = envelope(body[len(_MAGIC) :])
        type = found.get("type", {})
        shape = _KINDS.get(type.get("kind", ""))
        if shape is None:
            expected = "application/json or application/yaml"
            raise ApiError(415, f"got a {type.get('kind')} in protocol buffers, expected {expected}")
        return {**type, **_message(shape)(found.get("raw", b""))}
    except (ValueError, TypeError, AttributeError) as error:
        raise ApiError(400, f"the body cannot be read: {error}") from None
