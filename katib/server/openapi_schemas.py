"""The schemas of the API's OpenAPI documents: those of a kind, from its model, and those that all kinds share."""

from __future__ import annotations

from typing import Any

from katib import __version__
from katib.server.kinds import Kind

Tree = dict[str, Any]

INFO = {"title": "Katib", "version": __version__}
META = "io.k8s.apimachinery.pkg.apis.meta.v1"
PRESERVE = {"x-kubernetes-preserve-unknown-fields": True}
_REF = "#/components/schemas/"


def ref(name: str) -> Tree:
    """A reference to the schema ``name``."""
    return {"$ref": f"{_REF}{name}"}


def schema_name(kind: Kind, name: str = "") -> str:
    """The schema of a kind, or of ``name`` that belongs to it: ``org.kubeflow.v1beta1.Experiment``."""
    group = ".".join(reversed(kind.group.split("."))) if kind.group else "io.k8s.api.core"
    return f"{group}.{kind.version}.{name or kind.name}"


def group_version_kind(kind: Kind) -> Tree:
    """What tells clients which kind a schema or an operation is of."""
    return {"group": kind.group, "version": kind.version, "kind": kind.name}


def kind_schemas(kind: Kind) -> dict[str, Tree]:
    """The schemas of a kind by name: the kind, its list, and what it is made of."""
    schemas = _of_model(kind) if kind.model else {schema_name(kind): _any_content()}
    top = schemas[schema_name(kind)]
    for field, value in (("apiVersion", kind.api_version), ("kind", kind.name)):
        top["properties"][field] = {**top["properties"].get(field, {}), "type": "string", "enum": [value]}
    top["x-kubernetes-group-version-kind"] = [group_version_kind(kind)]
    listed = {
        "description": f"A list of {kind.plural}",
        "type": "object",
        "required": ["items"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"allOf": [ref(f"{META}.ListMeta")], "description": "Revision, and how to go on"},
            "items": {"type": "array", "items": ref(schema_name(kind)), "description": f"The {kind.plural}"},
        },
        "x-kubernetes-group-version-kind": [{**group_version_kind(kind), "kind": kind.list_name}],
    }
    return {**schemas, schema_name(kind, kind.list_name): listed}


def _of_model(kind: Kind) -> dict[str, Tree]:
    assert kind.model is not None
    top = kind.model.model_json_schema(by_alias=True, ref_template=f"{_REF}{schema_name(kind, '{model}')}")
    parts = {**top.pop("$defs", {}), kind.name: top}
    return {schema_name(kind, name): _tidy({**part, "additionalProperties": None}) for name, part in parts.items()}


def _any_content() -> Tree:
    metadata = {"type": "object", "description": "Name, namespace and labels of the object", **PRESERVE}
    return {"type": "object", "properties": {"metadata": metadata}, **PRESERVE}


def _tidy(node: Tree) -> Tree:
    """JSON Schema as OpenAPI 3.0 has it: null has a flag, a reference no neighbours, a type one name."""
    kept = {key: value for key, value in node.items() if key != "title" and value is not None}
    if "anyOf" in kept:
        choices = [each for each in kept.pop("anyOf") if each.get("type") != "null"]
        kept = {**kept, **choices[0], "nullable": True}
    if isinstance(kept.get("type"), list):
        kept["type"] = kept["type"][0]
    if kept.get("maximum") == 2**31 - 1:
        kept["format"] = "int32"
    if "description" in kept:
        kept["description"] = " ".join(kept["description"].replace("``", "`").split())
    if "properties" in kept:
        kept["properties"] = {name: _tidy(field) for name, field in kept["properties"].items()}
    if "items" in kept:
        kept["items"] = _tidy(kept["items"])
    extra = kept.get("additionalProperties")
    if isinstance(extra, dict):
        kept["additionalProperties"] = _tidy(extra)
    elif extra is not None:
        kept = {**kept, **PRESERVE}
        kept.pop("additionalProperties")
    if "$ref" in kept and len(kept) > 1:
        kept["allOf"] = [{"$ref": kept.pop("$ref")}]
    return kept


def _object(about: str, **properties: Tree) -> Tree:
    return {"type": "object", "description": about, "properties": properties}


def _text(about: str, *allowed: str) -> Tree:
    return {"type": "string", "description": about, **({"enum": list(allowed)} if allowed else {})}


def _number(about: str) -> Tree:
    return {"type": "integer", "description": about, "format": "int64"}


def shared_schemas() -> dict[str, Tree]:
    """What every kind uses."""
    shared = {
        "ListMeta": _object(
            "Metadata of a list",
            resourceVersion=_text("Revision that a watch goes on from"),
            **{"continue": _text("Asks for the next page; absent on the last"), "selfLink": _text("Not used")},
            remainingItemCount=_number("How many objects are behind this page"),
        ),
        "Status": _status(),
        "DeleteOptions": _delete_options(),
        "Patch": {"type": "object", "description": "A change of an object", **PRESERVE},
        "JSONPatch": {"type": "array", "description": "RFC 6902", "items": _operation()},
    }
    return {f"{META}.{name}": schema for name, schema in shared.items()}


def _status() -> Tree:
    cause = _object("One thing that is wrong", field=_text("Its path"), message=_text("What"), reason=_text("Kind"))
    details = _object(
        "What an answer is about",
        name=_text("Name of the object"),
        group=_text("Its group"),
        kind=_text("Its kind, in the plural"),
        uid=_text("Its uid"),
        causes={"type": "array", "items": cause, "description": "All that is wrong"},
    )
    return _object(
        "How a request ended",
        apiVersion=_text("v1"),
        kind=_text("Status"),
        metadata={"type": "object", **PRESERVE},
        status=_text("Whether it succeeded", "Success", "Failure"),
        message=_text("What was wrong, for people"),
        reason=_text("What was wrong, in one word"),
        details=details,
        code=_number("Status code of HTTP"),
    )


def _delete_options() -> Tree:
    conditions = _object("Refuse if the object has others", uid=_text("uid"), resourceVersion=_text("Revision"))
    return _object(
        "How to delete",
        apiVersion=_text("v1"),
        kind=_text("DeleteOptions"),
        preconditions=conditions,
        dryRun={"type": "array", "items": _text("All: check, delete nothing", "All")},
        propagationPolicy=_text("What belongs to the object goes with it in any case"),
        gracePeriodSeconds=_number("Not used"),
    )


def _operation() -> Tree:
    names = ("add", "remove", "replace", "move", "copy", "test")
    fields = {"op": _text("What to do", *names), "path": _text("Where"), "from": _text("From where"), "value": {}}
    return {**_object("One step of a patch", **fields), "required": ["op", "path"]}
