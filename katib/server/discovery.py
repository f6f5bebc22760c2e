"""What there is, as clients ask for it before anything else: groups, versions, kinds, and the server's own version."""

from __future__ import annotations

import platform
from typing import Any

from katib import __version__
from katib.server.kinds import Kind
from katib.server.registry import Registry

Tree = dict[str, Any]

# The release of Kubernetes whose API the answers keep to; clients compare it with their own.
_MAJOR, _MINOR = "1", "34"

#: Media types of aggregated discovery, and the version of each.
AGGREGATED = {
    f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList": version
    for version in ("v2", "v2beta1")
}


def version() -> Tree:
    """``/version``."""
    return {
        "major": _MAJOR,
        "minor": _MINOR,
        "gitVersion": f"v{_MAJOR}.{_MINOR}.0+katib.{__version__}",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": platform.python_implementation(),
        "platform": f"{platform.system().lower()}/{platform.machine()}",
    }


def core_versions(registry: Registry) -> Tree:
    """``/api``."""
    versions = [version for group, version in registry.versions if not group]
    return {"kind": "APIVersions", "versions": versions, "serverAddressByClientCIDRs": []}


def groups(registry: Registry) -> Tree:
    """``/apis``."""
    names = dict.fromkeys(group for group, _ in registry.versions if group)
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(registry, name) for name in names]}


def group(registry: Registry, name: str) -> Tree | None:
    """``/apis/GROUP``, None if there is none."""
    if not name or all(name != known for known, _ in registry.versions):
        return None
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(registry, name)}


def _group(registry: Registry, name: str) -> Tree:
    versions = [
        {"groupVersion": f"{name}/{version}", "version": version}
        for group, version in registry.versions
        if group == name
    ]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def resources(registry: Registry, group: str, version: str) -> Tree | None:
    """``/api/VERSION`` and ``/apis/GROUP/VERSION``, None if there is none."""
    kinds = registry.kinds(group, version)
    if not kinds:
        return None
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": kinds[0].api_version,
        "resources": [entry for kind in kinds for entry in (_resource(kind), *_subresources(kind))],
    }


def aggregated(registry: Registry, media_type: str, core: bool) -> Tree:
    """``/api`` or ``/apis`` with all that is below, for clients that take it in one answer."""
    names = dict.fromkeys(group for group, _ in registry.versions if (group == "") is core)
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": f"apidiscovery.k8s.io/{AGGREGATED[media_type]}",
        "metadata": {},
        "items": [{"metadata": {"name": name}, "versions": _versions(registry, name)} for name in names],
    }


def _versions(registry: Registry, group: str) -> list[Tree]:
    found = [version for name, version in registry.versions if name == group]
    return [
        {"version": version, "resources": [*map(_aggregated, registry.kinds(group, version))], "freshness": "Current"}
        for version in found
    ]


def _aggregated(kind: Kind) -> Tree:
    response = {"group": kind.group, "version": kind.version, "kind": kind.name}
    entry: Tree = {
        "resource": kind.plural,
        "responseKind": response,
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": sorted(kind.verbs),
    }
    subresources = [{"subresource": name, "responseKind": response, "verbs": ["get"]} for name in kind.subresources]
    return entry | _optional(kind) | ({"subresources": subresources} if subresources else {})


def _resource(kind: Kind) -> Tree:
    entry: Tree = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.name,
        "verbs": sorted(kind.verbs),
    }
    return entry | _optional(kind)


def _optional(kind: Kind) -> Tree:
    names = {"shortNames": list(kind.short_names), "categories": list(kind.categories)}
    return {field: value for field, value in names.items() if value}


def _subresources(kind: Kind) -> list[Tree]:
    return [
        {
            "name": f"{kind.plural}/{name}",
            "singularName": "",
            "namespaced": kind.namespaced,
            "kind": kind.name,
            "verbs": ["get"],
        }
        for name in kind.subresources
    ]
