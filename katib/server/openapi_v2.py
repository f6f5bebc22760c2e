"""OpenAPI 2 of all kinds: their definitions alone. kubectl checks the items of Lists by it, as the protocol buffers of
``openapi.v2.Document``; others get JSON."""

from __future__ import annotations

import json
from typing import Any

from katib.server.openapi_schemas import INFO, kind_schemas, shared_schemas
from katib.server.registry import Registry
from katib.server.wire import field

Tree = dict[str, Any]

PROTOBUF = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"  # as clients ask for it
PROTOBUF_TYPE = PROTOBUF.replace("@", ".")  # as they read it: the other is no media type
_KEPT = ("description", "format", "required", "enum", "minimum", "maximum", "x-kubernetes-preserve-unknown-fields")


def describe_v2(registry: Registry) -> Tree:
    """The document."""
    schemas = shared_schemas()
    for collection in registry:
        schemas |= kind_schemas(collection.kind)
    return {
        "swagger": "2.0",
        "info": INFO,
        "paths": {},
        "definitions": {name: _as_v2(schema) for name, schema in schemas.items()},
    }


def _as_v2(schema: Tree) -> Tree:
    """A schema of OpenAPI 3 as that of OpenAPI 2."""
    reference = schema.get("$ref") or next((each["$ref"] for each in schema.get("allOf", ())), None)
    if reference:
        about = {"description": schema["description"]} if "description" in schema else {}
        return {"$ref": reference.replace("#/components/schemas/", "#/definitions/"), **about}
    kept = {name: value for name, value in schema.items() if name in _KEPT or name.startswith("x-") or name == "type"}
    if "properties" in schema:
        kept["properties"] = {name: _as_v2(inner) for name, inner in schema["properties"].items()}
    for name in ("items", "additionalProperties"):
        if name in schema:
            kept[name] = _as_v2(schema[name])
    return kept


def as_protobuf(document: Tree) -> bytes:
    """The document as ``openapi.v2.Document``, with what its readers use of it."""
    info = field(1, document["info"]["title"]) + field(2, document["info"]["version"])
    definitions = b"".join(_named(name, schema) for name, schema in document["definitions"].items())
    return field(1, document["swagger"]) + field(2, info) + field(8, b"") + field(9, definitions)


def _named(name: str, schema: Tree) -> bytes:
    return field(1, field(1, name) + field(2, _schema(schema)))


def _schema(schema: Tree) -> bytes:
    """``openapi.v2.Schema``."""
    texts = {1: "$ref", 2: "format", 4: "description"}
    out = b"".join(field(number, schema[name]) for number, name in texts.items() if name in schema)
    out += b"".join(field(19, name) for name in schema.get("required", ()))
    if "additionalProperties" in schema:
        out += field(21, field(1, _schema(schema["additionalProperties"])))
    if "type" in schema:
        out += field(22, field(1, schema["type"]))
    if "items" in schema:
        out += field(23, field(1, _schema(schema["items"])))
    if "properties" in schema:
        out += field(25, b"".join(_named(name, inner) for name, inner in schema["properties"].items()))
    extensions = {name: value for name, value in schema.items() if name.startswith("x-")}
    return out + b"".join(
        field(31, field(1, name) + field(2, field(2, json.dumps(value)))) for name, value in extensions.items()
    )
