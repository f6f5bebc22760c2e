"""The verbs on objects: get, list, watch, create, replace, patch, delete."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import cast

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from katib.server import pod_logs, watch, writes
from katib.server.mirror import Mirror
from katib.server.objects import Object, Tree, WritableCollection, WriteOptions, encode
from katib.server.pods import Pods
from katib.server.registry import Registry
from katib.server.requests import Target, body, document, flag, form, media_type, number, parse, target, write_options
from katib.server.selectors import Matches, selector
from katib.server.status import ApiError, as_api_error, not_found, success
from katib.server.wakeups import Wakeups

SMALL = 500  # experiments and trials
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch"}


def respond(content: bytes, code: int = 200, warnings: tuple[str, ...] = ()) -> Response:
    """An answer in JSON; warnings go into headers, which kubectl prints."""
    response = Response(content, code, media_type="application/json")
    for warning in warnings:
        text = warning.replace("\\", "\\\\").replace('"', '\\"').encode("ascii", "replace").decode()
        response.headers.append("Warning", f'299 - "{" ".join(text.split())}"')
    return response


def failed(error: ApiError) -> Response:
    """The answer that tells of an error."""
    response = respond(encode(error.status), error.code)
    if error.code in (429, 503):
        response.headers["Retry-After"] = "1"
    if error.code == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


class Handlers:
    """The endpoints for objects of all kinds."""

    def __init__(self, registry: Registry, mirror: Mirror) -> None:
        self._registry = registry
        self._mirror = mirror
        self._wakeups = Wakeups(mirror)

    async def __call__(self, request: Request) -> Response:
        """Answer a request for a list or an object."""
        found = target(self._registry, request)
        kind = found.collection.kind
        try:
            if request.method in ("GET", "HEAD"):
                return await self._read(request, found)
            verb = _VERBS.get(request.method) or ("delete" if found.name else "deletecollection")
            if found.subresource == "status":
                raise ApiError(405, f"the status of {kind.full_name} is written by the engine; it can only be read")
            if verb not in kind.verbs or found.subresource or (found.name == "") is not (verb in _ON_LISTS):
                raise ApiError(405, f"{verb} is not supported on {kind.full_name}")
            return await self._write(request, found, verb)
        except Exception as error:
            raise as_api_error(error, kind.full_name, found.name) from error

    async def _read(self, request: Request, found: Target) -> Response:
        collection, namespace = found.collection, found.namespace or ""
        if found.subresource == "log":
            return pod_logs.respond(self._mirror, cast(Pods, collection), request, namespace, found.name)
        if found.name:
            if collection.kind.stored:
                each = await run_in_threadpool(collection.get, namespace, found.name)
            else:
                each = collection.get(namespace, found.name)
            if each is None:
                raise not_found(found.collection.kind.full_name, found.name)
            return respond(form(request).object(found.collection.kind, each))
        matches = _matches(request)
        if flag(request, "watch"):
            return self._watch(request, found, matches)
        if self._is_small(found):
            return respond(self._list(request, found, matches))
        return respond(await run_in_threadpool(self._list, request, found, matches))

    def _is_small(self, found: Target) -> bool:
        """Whether a list takes less time than another thread's turn."""
        snapshots = self._mirror.snapshots(found.namespace)
        return not found.collection.kind.stored and sum(1 + len(each.trials) for each in snapshots) <= SMALL

    def _watch(self, request: Request, found: Target, matches: Matches | None) -> Response:
        since = number(request, "resourceVersion") or None
        initial = flag(request, "sendInitialEvents")
        asked = watch.Request(
            found.collection,
            found.namespace,
            None if initial else since,
            matches,
            flag(request, "allowWatchBookmarks"),
            initial,
            number(request, "timeoutSeconds"),
            form(request),
        )
        return StreamingResponse(watch.stream(self._mirror, self._wakeups, asked), media_type="application/json")

    def _list(self, request: Request, found: Target, matches: Matches | None) -> bytes:
        revision, after = _continued(request.query_params.get("continue", ""))
        revision = revision or self._mirror.revision
        objects = found.collection.list(found.namespace)
        if matches is not None:
            objects = [each for each in objects if matches(each)]
        if after:
            objects = [each for each in objects if (each.namespace, each.name) > after]
        metadata: Tree = {"resourceVersion": str(revision)}
        limit = number(request, "limit")
        if limit and len(objects) > limit:
            metadata |= {"continue": _token(revision, objects[limit - 1]), "remainingItemCount": len(objects) - limit}
            objects = objects[:limit]
        return form(request).list(found.collection.kind, metadata, objects)

    async def _write(self, request: Request, found: Target, verb: str) -> Response:
        data, options = await body(request), write_options(request)
        collection = cast(WritableCollection, found.collection)
        if verb == "create":
            tree = document(data, media_type(request), found)
            written = await run_in_threadpool(writes.create, collection, found, tree, options)
            return respond(written.object.body, 201, written.warnings)
        if verb == "update":
            tree = document(data, media_type(request), found)
            written = await run_in_threadpool(writes.update, collection, found, tree, options)
            return respond(written.object.body, 200, written.warnings)
        if verb == "patch":
            written, code = await run_in_threadpool(writes.patch, collection, found, options, data, media_type(request))
            return respond(written.object.body, code, written.warnings)
        if data.strip():
            given = parse(data, media_type(request))
            options = _preconditions(given if isinstance(given, dict) else {}, options)
        if verb == "delete":
            gone = await run_in_threadpool(collection.delete, found.namespace or "", found.name, options)
            return respond(encode(success(_details(found, gone))))
        return await self._delete_all(request, found, options)

    async def _delete_all(self, request: Request, found: Target, options: WriteOptions) -> Response:
        matches = _matches(request)
        collection = cast(WritableCollection, found.collection)
        meant = [each for each in collection.list(found.namespace) if matches is None or matches(each)]
        gone = [await run_in_threadpool(collection.delete, each.namespace, each.name, options) for each in meant]
        metadata = {"resourceVersion": str(self._mirror.revision)}
        return respond(form(request).list(collection.kind, metadata, gone))


_ON_LISTS = ("create", "deletecollection")


def _matches(request: Request) -> Matches | None:
    """The objects that the request's selectors mean, None for all. Raises ApiError."""
    return selector(request.query_params.get("labelSelector", ""), request.query_params.get("fieldSelector", ""))


def _preconditions(given: Tree, options: WriteOptions) -> WriteOptions:
    """What a DeleteOptions document says."""
    conditions = given.get("preconditions")
    seen = conditions if isinstance(conditions, dict) else {}
    return replace(
        options,
        dry_run=options.dry_run or given.get("dryRun") == ["All"],
        uid=str(seen.get("uid") or ""),
        revision=str(seen.get("resourceVersion") or ""),
    )


def _details(found: Target, gone: Object) -> Tree:
    kind = found.collection.kind
    return {"name": gone.name, "group": kind.group, "kind": kind.plural, "uid": gone.tree["metadata"].get("uid", "")}


def _token(revision: int, last: Object) -> str:
    """Where the next page begins."""
    return base64.urlsafe_b64encode(json.dumps([revision, last.namespace, last.name]).encode()).decode()


def _continued(token: str) -> tuple[int, tuple[str, str] | None]:
    """(revision of the first page, name of the last object so far). Raises ApiError."""
    if not token:
        return 0, None
    try:
        revision, namespace, name = json.loads(base64.urlsafe_b64decode(token.encode()))
        return int(revision), (str(namespace), str(name))
    except (ValueError, TypeError):
        raise ApiError(400, f"continue: got {token!r}, expected what a list has given") from None
