"""The forms of an answer, as its client accepts them: whole objects, tables for kubectl, or metadata alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from katib.server.columns import AGE, NAME, Column
from katib.server.kinds import Kind
from katib.server.objects import Object, Tree, encode
from katib.server.status import ApiError

META = "meta.k8s.io/v1"
_PARTIAL = "PartialObjectMetadata"


@dataclass(frozen=True, slots=True)
class Form:
    """Whole objects, unless ``kind`` is Table or PartialObjectMetadata. include: what rows of a table hold of their
    objects beside the cells: None, Metadata or Object."""

    kind: str = ""
    include: str = "Metadata"

    def object(self, kind: Kind, each: Object) -> bytes:
        """One object."""
        if not self.kind:
            return each.body
        if self.kind == _PARTIAL:
            return encode(_partial(each))
        metadata = {"resourceVersion": str(each.revision)}
        return encode(self._table(kind, metadata, [each]))

    def list(self, kind: Kind, metadata: Tree, objects: Sequence[Object]) -> bytes:
        """A list, whose own metadata is given."""
        if self.kind == "Table":
            return encode(self._table(kind, metadata, objects))
        if self.kind == _PARTIAL:
            items = [_partial(each) for each in objects]
            return encode({"kind": f"{_PARTIAL}List", "apiVersion": META, "metadata": metadata, "items": items})
        head = encode({"apiVersion": kind.api_version, "kind": kind.list_name, "metadata": metadata})
        return b'%s,"items":[%s]}' % (head[:-1], b",".join(each.body for each in objects))

    def bookmark(self, kind: Kind, metadata: Tree) -> Tree:
        """The object of a bookmark."""
        if self.kind == "Table":
            return self._table(kind, metadata, [])
        if self.kind == _PARTIAL:
            return {"kind": _PARTIAL, "apiVersion": META, "metadata": metadata}
        return {"kind": kind.name, "apiVersion": kind.api_version, "metadata": metadata}

    def _table(self, kind: Kind, metadata: Tree, objects: Sequence[Object]) -> Tree:
        columns = (NAME, *(kind.columns or (AGE,)))
        rows = [{"cells": [column.value(each.tree) for column in columns], **self._rest(each)} for each in objects]
        return {
            "kind": "Table",
            "apiVersion": META,
            "metadata": metadata,
            "columnDefinitions": [_definition(column) for column in columns],
            "rows": rows,
        }

    def _rest(self, each: Object) -> Tree:
        if self.include == "None":
            return {}
        return {"object": each.tree if self.include == "Object" else _partial(each)}


def _definition(column: Column) -> Tree:
    return {
        "name": column.name,
        "type": column.type,
        "format": column.format,
        "description": column.about,
        "priority": column.priority,
    }


def _partial(each: Object) -> Tree:
    return {"kind": _PARTIAL, "apiVersion": META, "metadata": each.tree["metadata"]}


WHOLE = Form()


def form_of(accept: str, include: str) -> Form:
    """The first form that a client accepts. accept: its header. include: the query's includeObject. Raises ApiError."""
    if include not in ("", "None", "Metadata", "Object"):
        raise ApiError(400, f"includeObject: got {include!r}, expected None, Metadata or Object")
    for type, parameters in accepted(accept):
        wanted = parameters.get("as", "").removesuffix("List")
        if type not in ("application/json", "application/*", "*/*"):
            continue
        if not wanted:
            return WHOLE
        if wanted in ("Table", _PARTIAL) and (parameters.get("g"), parameters.get("v")) == ("meta.k8s.io", "v1"):
            return Form(wanted, include or "Metadata")
    raise ApiError(406, f"Accept: got {accept!r}, expected application/json")


def accepted(accept: str) -> list[tuple[str, Mapping[str, str]]]:
    """The media types of an Accept header, each with its parameters; anything if there is none."""
    found: list[tuple[str, Mapping[str, str]]] = []
    for part in (accept or "*/*").split(","):
        type, *rest = (piece.strip() for piece in part.split(";"))
        found.append((type.lower(), {name: value for name, _, value in (each.partition("=") for each in rest)}))
    return found
