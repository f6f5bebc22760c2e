"""The application: which path is answered by what."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from katib.server import discovery, review
from katib.server.handlers import Handlers, failed, respond
from katib.server.mirror import Mirror
from katib.server.objects import encode
from katib.server.openapi import OpenApi
from katib.server.openapi_v2 import PROTOBUF, PROTOBUF_TYPE
from katib.server.registry import Registry
from katib.server.requests import body, media_type, parse
from katib.server.status import ApiError, as_api_error

_OBJECT_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def make_app(registry: Registry, mirror: Mirror, also: Sequence[Route] = ()) -> Starlette:
    """The API over these collections. also: what else is answered."""
    objects = Handlers(registry, mirror)
    return Starlette(
        routes=[
            Route("/healthz", _ok),
            Route("/livez", _ok),
            Route("/readyz", _ok),
            Route("/version", _told(lambda _: discovery.version())),
            *_openapi_routes(OpenApi(registry)),
            Route("/api", _discovery(registry, core=True)),
            Route("/apis", _discovery(registry, core=False)),
            Route("/apis/{group}", _told(lambda r: discovery.group(registry, r.path_params["group"]))),
            Route("/api/{version}", _told(lambda r: discovery.resources(registry, "", r.path_params["version"]))),
            Route("/apis/{group}/{version}", _told(lambda r: discovery.resources(registry, **r.path_params))),
            Route(review.PATH, _review(registry), methods=["POST"]),
            *_object_routes("/api/{version}", objects),
            *_object_routes("/apis/{group}/{version}", objects),
            *also,
        ],
        exception_handlers={ApiError: _failed, HTTPException: _refused, Exception: _broken},
    )


def _review(registry: Registry) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        given = parse(await body(request), media_type(request))
        return respond(encode(review.reviewed(registry, given)), 201)

    return endpoint


def _openapi_routes(documents: OpenApi) -> list[Route]:
    def one(request: Request) -> Response:
        found = documents.documents.get(request.path_params["path"])
        if found is None:
            raise ApiError(404, "the server could not find the requested resource")
        return respond(found)

    def second(request: Request) -> Response:
        document, protobuf = documents.second
        if PROTOBUF not in request.headers.get("accept", ""):
            return respond(document)
        return Response(protobuf, media_type=PROTOBUF_TYPE)

    return [
        Route("/openapi/v2", second),
        Route("/openapi/v3", _told(lambda _: documents.index)),
        Route("/openapi/v3/{path:path}", one),
    ]


def _object_routes(base: str, objects: Handlers) -> list[Route]:
    """Lists and objects, of a namespace and of the cluster."""
    places = ("/namespaces/{namespace}/{plural}", "/{plural}")
    tails = ("", "/{name}", "/{name}/{subresource}")
    return [
        Route(f"{base}{place}{tail}", objects.__call__, methods=_OBJECT_METHODS) for tail in tails for place in places
    ]


def _discovery(registry: Registry, core: bool) -> Callable[[Request], Response]:
    """The groups; with all that they have, for clients that accept it so."""

    def endpoint(request: Request) -> Response:
        accepted = request.headers.get("accept", "").replace(" ", "").split(",")
        for form in (each for each in accepted if each in discovery.AGGREGATED):
            response = respond(encode(discovery.aggregated(registry, form, core)))
            response.headers["content-type"] = form
            return response
        return respond(encode(discovery.core_versions(registry) if core else discovery.groups(registry)))

    return endpoint


def _told(tell: Callable[[Request], dict[str, Any] | None]) -> Callable[[Request], Response]:
    def endpoint(request: Request) -> Response:
        found = tell(request)
        if found is None:
            raise ApiError(404, "the server could not find the requested resource")
        return respond(encode(found))

    return endpoint


def _ok(request: Request) -> Response:
    return PlainTextResponse("ok")


async def _failed(request: Request, error: Exception) -> Response:
    return failed(as_api_error(error))


async def _refused(request: Request, error: Exception) -> Response:
    """What the router itself refuses."""
    code = error.status_code if isinstance(error, HTTPException) else 500
    messages = {404: "the server could not find the requested resource", 405: f"{request.method} is not supported here"}
    return await _failed(request, ApiError(code if code in messages else 400, messages.get(code, str(error))))


async def _broken(request: Request, error: Exception) -> Response:
    return await _failed(request, error)
