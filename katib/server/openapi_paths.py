"""The paths of the API's OpenAPI documents: what may be asked of a kind, how, and what is answered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from katib.server import patches
from katib.server.kinds import Kind
from katib.server.openapi_schemas import META, group_version_kind, ref, schema_name

Tree = dict[str, Any]


class Verb(NamedTuple):
    """A verb as OpenAPI sees it. name: Kubernetes' own. query: its parameters. success: codes."""

    method: str
    name: str
    action: str
    query: tuple[str, ...] = ()
    success: tuple[int, ...] = (200,)


_WRITES = ("dryRun", "fieldManager", "fieldValidation")
_SELECTS = ("labelSelector", "fieldSelector")
_LISTS = (
    *_SELECTS, "limit", "continue", "resourceVersion", "resourceVersionMatch", "watch", "allowWatchBookmarks",
    "sendInitialEvents", "timeoutSeconds",
)  # fmt: skip
_DELETES = ("dryRun", "gracePeriodSeconds", "propagationPolicy")
_ON_LIST = (
    Verb("get", "list", "list", _LISTS),
    Verb("post", "create", "post", _WRITES, (201,)),
    Verb("delete", "deletecollection", "deletecollection", (*_SELECTS, *_DELETES)),
)
_ON_OBJECT = (
    Verb("get", "get", "get"),
    Verb("put", "update", "put", _WRITES),
    Verb("patch", "patch", "patch", (*_WRITES, "force"), (200, 201)),
    Verb("delete", "delete", "delete", _DELETES),
)
LOG = "log"
_ON_LOG = (
    Verb("get", "get", "get", (
        "container", "previous", "follow", "timestamps", "tailLines", "limitBytes", "sinceSeconds", "sinceTime",
    )),
)  # fmt: skip
_ALL_NAMESPACES = (_ON_LIST[0],)

_TEXT: Tree = {"type": "string"}
_NUMBER: Tree = {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
_FLAG: Tree = {"type": "boolean"}
_QUERY: dict[str, tuple[str, Tree]] = {
    "labelSelector": ("Only objects with these labels: key=value, key!=value, key in (a,b), key, !key", _TEXT),
    "fieldSelector": ("Only objects with these fields: metadata.name=value", _TEXT),
    "limit": ("Most objects of an answer; `continue` then asks for more", _NUMBER),
    "continue": ("Where to go on: what the answer before said", _TEXT),
    "resourceVersion": ("Of a watch: the revision after which to begin", _TEXT),
    "resourceVersionMatch": ("Taken, not needed: answers are always of the newest revision", _TEXT),
    "watch": ("Whether to stream what happens instead of listing what there is", _FLAG),
    "allowWatchBookmarks": ("Whether to tell the revision from time to time", _FLAG),
    "sendInitialEvents": ("Whether a watch begins with what there is, and then says so", _FLAG),
    "timeoutSeconds": ("After how many seconds a watch ends", _NUMBER),
    "dryRun": ("All: check everything, store nothing", {**_TEXT, "enum": ["All"]}),
    "fieldManager": ("Who writes: is noted with each field", {**_TEXT, "maxLength": 128}),
    "fieldValidation": (
        "Whether unknown fields are ignored, warned of or refused",
        {**_TEXT, "enum": ["Ignore", "Warn", "Strict"]},
    ),
    "force": ("Of an apply: take fields over that others manage", _FLAG),
    "container": ("Whose output", _TEXT),
    "previous": ("Whether that of the attempt before", _FLAG),
    "follow": ("Whether to go on as long as there is more", _FLAG),
    "timestamps": ("Refused if true: output is kept without times", _FLAG),
    "tailLines": ("Only so many lines of the end", _NUMBER),
    "limitBytes": ("Most bytes of an answer", _NUMBER),
    "sinceSeconds": ("Nothing of a trial that ended longer ago", _NUMBER),
    "sinceTime": ("Nothing of a trial that ended before (RFC 3339)", _TEXT),
    "gracePeriodSeconds": ("Taken, not needed", _NUMBER),
    "propagationPolicy": ("Taken, not needed: what belongs to an object always goes with it", _TEXT),
}
_ERRORS = {
    400: "The request cannot be read", 401: "Who asks is not known", 403: "Who asks may not do that",
    404: "There is no such object", 405: "The kind does not have this verb", 406: "No form of answer is accepted",
    409: "The object exists already, was changed in between, or others manage the fields",
    410: "The revision is too old", 413: "The body is too large", 415: "The body is of another type",
    422: "What is asked for breaks a rule; `causes` names the fields", 503: "The store does not answer",
}  # fmt: skip
_BODIES = {"post", "put", "patch", "delete"}


def kind_paths(kind: Kind) -> Iterator[tuple[str, Tree]]:
    """Each path of a kind, and its operations."""
    base = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
    place = f"{base}/namespaces/{{namespace}}/{kind.plural}" if kind.namespaced else f"{base}/{kind.plural}"
    if kind.namespaced:
        yield f"{base}/{kind.plural}", _item(kind, _ALL_NAMESPACES, (), "ForAllNamespaces")
    names = ("namespace",) if kind.namespaced else ()
    yield place, _item(kind, _ON_LIST, names)
    yield f"{place}/{{name}}", _item(kind, _ON_OBJECT, (*names, "name"))
    for subresource in kind.subresources:
        verbs = _ON_LOG if subresource == LOG else _ON_OBJECT[:1]
        yield f"{place}/{{name}}/{subresource}", _item(kind, verbs, (*names, "name"), subresource.capitalize())


def _item(kind: Kind, verbs: tuple[Verb, ...], names: tuple[str, ...], ending: str = "") -> Tree:
    operations = {verb.method: _operation(kind, verb, ending) for verb in verbs if verb.name in kind.verbs}
    about = {"namespace": "Namespace of the objects", "name": f"Name of the {kind.singular}"}
    parameters = [
        {"name": name, "in": "path", "required": True, "description": about[name], "schema": _TEXT} for name in names
    ]
    return {**operations, "parameters": parameters} if parameters else operations


def _operation(kind: Kind, verb: Verb, ending: str) -> Tree:
    answer = {"list": kind.list_name, "deletecollection": kind.list_name}.get(verb.name, kind.name)
    body = ref(f"{META}.Status") if verb.name == "delete" else ref(schema_name(kind, answer))
    type = "application/json"
    if ending.lower() == LOG:
        body, type = _TEXT, "text/plain"
    place = "".join(part.capitalize() for part in (*(kind.group or "core").split("."), kind.version))
    scope = "Namespaced" if kind.namespaced and ending != "ForAllNamespaces" else ""
    operation: Tree = {
        "tags": [f"{kind.group or 'core'}_{kind.version}"],
        "description": f"{verb.name} {kind.plural}",
        "operationId": f"{verb.name}{place}{scope}{kind.name}{ending}",
        "x-kubernetes-action": verb.action,
        "x-kubernetes-group-version-kind": group_version_kind(kind),
        "parameters": [
            {"name": name, "in": "query", "description": _QUERY[name][0], "schema": _QUERY[name][1]}
            for name in verb.query
        ],
        "responses": {
            **{str(code): _answer("OK" if code == 200 else "Created", body, type) for code in verb.success},
            **{str(code): _answer(text, ref(f"{META}.Status")) for code, text in _ERRORS.items()},
        },
    }
    if verb.method in _BODIES:
        operation["requestBody"] = _request_body(kind, verb)
    return operation


def _answer(about: str, schema: Tree, type: str = "application/json") -> Tree:
    return {"description": about, "content": {type: {"schema": schema}}}


def _request_body(kind: Kind, verb: Verb) -> Tree:
    if verb.method == "delete":
        return {"content": {"application/json": {"schema": ref(f"{META}.DeleteOptions")}}}
    if verb.method == "patch":
        types = {patches.JSON: "JSONPatch", patches.MERGE: "Patch", patches.APPLY: "Patch"}
        content = {type: {"schema": ref(f"{META}.{name}")} for type, name in types.items()}
        return {"required": True, "content": content}
    content = {type: {"schema": ref(schema_name(kind))} for type in ("application/json", "application/yaml")}
    return {"required": True, "content": content}
