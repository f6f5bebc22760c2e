"""``kubectl auth can-i``: whether the one who asks may do something. Whoever is let in may do all that is served."""

from __future__ import annotations

from typing import Any

from katib.server.registry import Registry
from katib.server.status import ApiError

Tree = dict[str, Any]

PATH = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def reviewed(registry: Registry, review: Any) -> Tree:
    """The SelfSubjectAccessReview with its answer. Raises ApiError if it is none."""
    spec = review.get("spec") if isinstance(review, dict) else None
    if not isinstance(spec, dict):
        raise ApiError(400, "spec: missing, expected an object")
    wanted = spec.get("resourceAttributes")
    if isinstance(spec.get("nonResourceAttributes"), dict):
        verb = spec["nonResourceAttributes"].get("verb")
        return _answered(spec, verb in ("get", "head"), f"paths are not changed: {verb}")
    if not isinstance(wanted, dict):
        raise ApiError(400, "spec: expected resourceAttributes or nonResourceAttributes")
    group, resource, verb = (wanted.get(name, "") for name in ("group", "resource", "verb"))
    kinds = [c.kind for c in registry if group in ("*", c.kind.group) and resource in ("*", c.kind.plural)]
    allowed = any(verb in each.verbs or (verb == "*" and "create" in each.verbs) for each in kinds)
    return _answered(spec, allowed, f"{verb} of {resource} is not served")


def _answered(spec: Tree, allowed: bool, reason: str) -> Tree:
    status = {"allowed": allowed} | ({} if allowed else {"reason": reason})
    kind = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
    return {**kind, "metadata": {}, "spec": spec, "status": status}
