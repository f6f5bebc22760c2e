"""What a request asks for: the object or list, by its path; options, by its query; a document, by its body."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from katib.core.errors import SpecError
from katib.resources.yaml_loader import load_documents
from katib.server import protobuf
from katib.server.forms import Form, form_of
from katib.server.objects import Collection, Tree, WriteOptions, encode
from katib.server.registry import Registry
from katib.server.status import ApiError

MAX_BODY = 3 * 1024 * 1024  # bytes, as Kubernetes has it
BODY_SECONDS = 30.0
TRUE = ("1", "true", "True", "TRUE", "t", "T")
LONGEST_MANAGER = 128  # characters


@dataclass(frozen=True, slots=True)
class Target:
    """What a path leads to. namespace: None for all. name: empty for the list. subresource: empty for the object."""

    collection: Collection
    namespace: str | None
    name: str = ""
    subresource: str = ""


def target(registry: Registry, request: Request) -> Target:
    """What the request's path leads to. Raises ApiError."""
    parts = request.path_params
    collection = registry.find(parts.get("group", ""), parts["version"], parts["plural"])
    subresource, namespace = parts.get("subresource", ""), parts.get("namespace")
    if collection is None or (subresource and subresource not in collection.kind.subresources):
        raise ApiError(404, "the server could not find the requested resource")
    if namespace is not None and not collection.kind.namespaced:
        raise ApiError(404, "the server could not find the requested resource")
    name = parts.get("name", "")
    if name and namespace is None and collection.kind.namespaced:
        raise ApiError(404, f"{collection.kind.full_name} are found by namespace and name")
    return Target(collection, namespace, name, subresource)


def flag(request: Request, name: str) -> bool:
    """Whether a query parameter says yes."""
    return request.query_params.get(name, "") in TRUE


def number(request: Request, name: str) -> int | None:
    """A query parameter that is a whole number from 0 on, None if it is not given. Raises ApiError."""
    text = request.query_params.get(name, "")
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise ApiError(400, f"{name}: got {text!r}, expected a whole number")
    return int(text)


def form(request: Request) -> Form:
    """The form of the answer. Raises ApiError if the client accepts none that there is."""
    return form_of(",".join(request.headers.getlist("accept")), request.query_params.get("includeObject", ""))


def write_options(request: Request) -> WriteOptions:
    """How a write is to be done. Raises ApiError."""
    query = request.query_params
    validation, dry_run = query.get("fieldValidation", "Warn"), query.get("dryRun", "")
    if validation not in ("Ignore", "Warn", "Strict"):
        raise ApiError(422, f"fieldValidation: got {validation!r}, expected Ignore, Warn or Strict", "Invalid")
    if dry_run not in ("", "All"):
        raise ApiError(422, f"dryRun: got {dry_run!r}, expected All", "Invalid")
    named = query.get("fieldManager", "")
    if len(named) > LONGEST_MANAGER or not named.isprintable():
        raise ApiError(422, f"fieldManager: got {named!r}, expected at most {LONGEST_MANAGER} characters", "Invalid")
    agent = request.headers.get("user-agent", "").partition("/")[0][:LONGEST_MANAGER]
    return WriteOptions(
        dry_run=bool(dry_run),
        strict=validation == "Strict",
        quiet=validation == "Ignore",
        manager=named or agent or "unknown",
        applies=bool(named),
        force=flag(request, "force"),
    )


async def body(request: Request) -> bytes:
    """The request's body. Raises ApiError if it is too large or too slow."""
    chunks, size = [], 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                size += len(chunk)
                if size > MAX_BODY:
                    raise ApiError(413, f"the body is larger than {MAX_BODY} bytes")
                chunks.append(chunk)
    except TimeoutError:
        raise ApiError(408, f"the body was not here after {BODY_SECONDS:g} seconds") from None
    return b"".join(chunks)


def media_type(request: Request) -> str:
    """The media type of the body, without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def parse(data: bytes, media_type: str) -> Any:
    """What the body says, JSON or YAML. Raises ApiError."""
    if media_type.endswith("protobuf"):
        return protobuf.decoded(data)
    try:
        if media_type.endswith("yaml"):
            documents = load_documents(data.decode(), "")
            if len(documents) != 1:
                raise ApiError(400, f"got {len(documents)} documents, expected one")
            return _whole(documents[0].tree, data)
        return _whole(json.loads(data, parse_constant=_refuse), data)
    except (ValueError, RecursionError, SpecError) as error:
        raise ApiError(400, f"the body cannot be read: {error}") from None


def document(data: bytes, media_type: str, found: Target) -> Tree:
    """The object in the body, which must be of the kind, name and namespace of the path. Raises ApiError."""
    tree = parse(data, media_type)
    kind = found.collection.kind
    if not isinstance(tree, dict):
        raise ApiError(400, f"got a {type(tree).__name__}, expected an object of the kind {kind.name}")
    for field, expected in (("kind", kind.name), ("apiVersion", kind.api_version)):
        if tree.setdefault(field, expected) != expected:
            raise ApiError(400, f"{field}: got {tree[field]!r}, expected {expected!r}")
    metadata = tree.setdefault("metadata", {})
    if not isinstance(metadata, dict):
        raise ApiError(400, f"metadata: got a {type(metadata).__name__}, expected an object")
    expected_names = {"namespace": found.namespace} | ({"name": found.name} if found.name else {})
    for field, expected_name in expected_names.items():
        if expected_name is not None and (metadata.get(field) or expected_name) != expected_name:
            raise ApiError(400, f"metadata.{field}: got {metadata[field]!r}, but the path says {expected_name!r}")
    return tree


def _whole(tree: Any, data: bytes) -> Any:
    """The tree itself. Raises ValueError if an escape in it is half of a character, which no answer could hold."""
    if b"\\u" in data.lower():
        encode(tree)
    return tree


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no number of JSON")
