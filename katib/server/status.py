"""Errors as Kubernetes tells them: a ``Status`` with code, reason and causes. One table pairs classes with codes."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from katib.core.errors import (
    AlreadyExistsError,
    ConflictError,
    CorruptRecordError,
    FencedError,
    KatibError,
    LeaseHeldError,
    MissingExtraError,
    NotFoundError,
    PermanentError,
    Problem,
    RetryableError,
    SpecError,
    UnavailableError,
    UnknownNameError,
)

log = logging.getLogger(__name__)

Tree = dict[str, Any]

# A class that is not listed has the answer of its nearest listed base.
_ANSWERS: Mapping[type[KatibError], tuple[int, str]] = {
    SpecError: (422, "Invalid"),
    UnknownNameError: (422, "Invalid"),
    MissingExtraError: (422, "Invalid"),
    NotFoundError: (404, "NotFound"),
    AlreadyExistsError: (409, "AlreadyExists"),
    ConflictError: (409, "Conflict"),
    FencedError: (409, "Conflict"),
    LeaseHeldError: (409, "Conflict"),
    CorruptRecordError: (500, "InternalError"),
    UnavailableError: (503, "ServiceUnavailable"),
    RetryableError: (503, "ServiceUnavailable"),
    PermanentError: (409, "Conflict"),
    KatibError: (500, "InternalError"),
}
_REASONS = {
    400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 405: "MethodNotAllowed",
    406: "NotAcceptable", 408: "Timeout", 410: "Expired", 413: "RequestEntityTooLarge", 415: "UnsupportedMediaType",
    421: "Misdirected", 429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable",
}  # fmt: skip


class ApiError(Exception):
    """An answer other than the one that was asked for. details: of the object concerned."""

    def __init__(self, code: int, message: str, reason: str = "", details: Tree | None = None) -> None:
        self.code = code
        self.reason = reason or _REASONS[code]
        self.details = details
        super().__init__(message)

    @property
    def status(self) -> Tree:
        """The answer's body."""
        return failure(self.code, self.reason, str(self), self.details)


def failure(code: int, reason: str, message: str, details: Tree | None = None) -> Tree:
    """A Status that tells of a failure."""
    status: Tree = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message}
    return status | {"reason": reason} | ({"details": details} if details else {}) | {"code": code}


def success(details: Tree) -> Tree:
    """A Status that tells what was deleted."""
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def as_api_error(error: Exception, kind: str = "", name: str = "") -> ApiError:
    """What a client is told of ``error``, which came of work on the object ``name`` of ``kind`` (plural.group)."""
    if isinstance(error, ApiError):
        return error
    plural, _, group = kind.partition(".")
    details: Tree = {key: value for key, value in (("name", name), ("group", group), ("kind", plural)) if value}
    if not isinstance(error, KatibError):
        log.exception("a request failed", exc_info=error)
        return ApiError(500, f"internal error: {type(error).__name__}", details=details)
    if isinstance(error, AlreadyExistsError) and name:
        return ApiError(409, f'{kind} "{name}" already exists', "AlreadyExists", details)
    code, reason = next(_ANSWERS[base] for base in type(error).__mro__ if base in _ANSWERS)
    message = str(error)
    if isinstance(error, SpecError):
        details["causes"] = _causes(error.problems)
        message = f'{kind} "{name}" is invalid: {"; ".join(map(str, error.problems))}'
    return ApiError(code, message, reason, details)


def not_found(kind: str, name: str) -> ApiError:
    """There is no such object. kind: plural.group."""
    plural, _, group = kind.partition(".")
    return ApiError(404, f'{kind} "{name}" not found', details={"name": name, "group": group, "kind": plural})


def _causes(problems: Sequence[Problem]) -> list[Tree]:
    return [{"reason": "FieldValueInvalid", "message": each.message, "field": each.path} for each in problems]
