"""The API described for programs: OpenAPI 3, one document a group and version, as Kubernetes serves it."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Any

from katib.server.objects import encode
from katib.server.openapi_paths import kind_paths
from katib.server.openapi_schemas import INFO, kind_schemas, shared_schemas
from katib.server.openapi_v2 import as_protobuf, describe_v2
from katib.server.registry import Registry

Tree = dict[str, Any]


class OpenApi:
    """The documents of these collections, each made when it is first asked for."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    @cached_property
    def documents(self) -> dict[str, bytes]:
        """Path below ``/openapi/v3`` -> document."""
        return {
            f"apis/{group}/{version}" if group else f"api/{version}": encode(describe(self._registry, group, version))
            for group, version in self._registry.versions
        }

    @cached_property
    def second(self) -> tuple[bytes, bytes]:
        """``/openapi/v2``, as JSON and as protocol buffers."""
        document = describe_v2(self._registry)
        return encode(document), as_protobuf(document)

    @property
    def index(self) -> Tree:
        """``/openapi/v3``: where the documents are; the hash changes when a document does."""
        return {
            "paths": {
                path: {"serverRelativeURL": f"/openapi/v3/{path}?hash={hashlib.sha256(body).hexdigest()[:32]}"}
                for path, body in self.documents.items()
            }
        }


def describe(registry: Registry, group: str, version: str) -> Tree:
    """The document of one version of a group."""
    kinds = registry.kinds(group, version)
    schemas = shared_schemas()
    for kind in kinds:
        schemas |= kind_schemas(kind)
    return {
        "openapi": "3.0.0",
        "info": INFO,
        "paths": {path: item for kind in kinds for path, item in kind_paths(kind)},
        "components": {"schemas": schemas},
    }
