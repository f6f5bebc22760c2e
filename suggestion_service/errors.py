"""Errors across the wire: one table pairs error classes with gRPC status codes, one context manager serves each side.

The status code and text are for any gRPC client. The error itself, with what it carries (the problems of a SpecError
and their paths), travels beside them as JSON in the trailing metadata, so that our own client raises an equal one.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import grpc

from katib.core.errors import (
    AlgorithmError,
    KatibError,
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

METADATA_KEY = "katib-error-bin"

# gRPC peers refuse more than 8 KiB of metadata by default. Text grows up to threefold on its way, JSON by a third.
_TEXT_LIMIT = 1000
_JSON_LIMIT = 3000
_LIST_LIMIT = 100

# A class that is not listed has the code of its nearest listed base.
CODE_OF_ERROR: Mapping[type[KatibError], grpc.StatusCode] = {
    SpecError: grpc.StatusCode.INVALID_ARGUMENT,
    UnknownNameError: grpc.StatusCode.NOT_FOUND,
    NotFoundError: grpc.StatusCode.NOT_FOUND,
    MissingExtraError: grpc.StatusCode.FAILED_PRECONDITION,
    AlgorithmError: grpc.StatusCode.INTERNAL,
    PermanentError: grpc.StatusCode.FAILED_PRECONDITION,
    UnavailableError: grpc.StatusCode.UNAVAILABLE,
    RetryableError: grpc.StatusCode.UNAVAILABLE,
    KatibError: grpc.StatusCode.INTERNAL,
}

# What a status of a foreign service means, one without our metadata. Any other code: the algorithm failed.
ERROR_OF_CODE: Mapping[grpc.StatusCode, type[KatibError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: SpecError,
    grpc.StatusCode.NOT_FOUND: NotFoundError,
    grpc.StatusCode.FAILED_PRECONDITION: PermanentError,
    grpc.StatusCode.UNAUTHENTICATED: PermanentError,
    grpc.StatusCode.PERMISSION_DENIED: PermanentError,
    grpc.StatusCode.UNAVAILABLE: UnavailableError,
    grpc.StatusCode.DEADLINE_EXCEEDED: UnavailableError,
    grpc.StatusCode.CANCELLED: UnavailableError,
    grpc.StatusCode.ABORTED: UnavailableError,
}

# Errors that carry more than a text: how they are written as JSON values, and made again from them.
_PARTS: Mapping[type[KatibError], tuple[Callable[[Any], list[Any]], Callable[..., KatibError]]] = {
    SpecError: (
        lambda error: [[[_clip(p.path, 500), _clip(p.message, 1000), p.line] for p in error.problems], error.source],
        lambda problems, source: SpecError([Problem(*problem) for problem in problems], source=source),
    ),
    UnknownNameError: (lambda error: [error.what, error.name, list(error.known)], UnknownNameError),
    MissingExtraError: (lambda error: [error.package, error.extra], MissingExtraError),
}
_CLASSES = {error.__name__: error for error in CODE_OF_ERROR}


@contextmanager
def errors_as_status(context: Any, refusal: grpc.StatusCode | None = None) -> Iterator[None]:
    """Server side: end the call with the status of an error raised inside.

    refusal: the code of every permanent error, where the caller knows no other way to refuse. An exception that is no
    KatibError is logged with its traceback; the peer learns its class only.
    """
    try:
        yield
    except KatibError as error:
        code = next(CODE_OF_ERROR[cls] for cls in type(error).__mro__ if cls in CODE_OF_ERROR)
        if refusal is not None and isinstance(error, PermanentError):
            code = refusal
        context.set_trailing_metadata(((METADATA_KEY, encode_error(error)),))
        context.abort(code, _clip(str(error), _TEXT_LIMIT) or type(error).__name__)
    except Exception as error:
        log.exception("a call failed by an unexpected error")
        context.abort(grpc.StatusCode.INTERNAL, f"unexpected {type(error).__name__}; see the log of the service")


@contextmanager
def status_as_errors(address: str) -> Iterator[None]:
    """Client side: raise the KatibError behind a failed call to the service at ``address``."""
    try:
        yield
    except grpc.RpcError as status:
        raise error_of(status, address) from status


def error_of(status: Any, address: str) -> KatibError:
    """The error that a failed call stands for: the one sent beside it, else the table's for its code."""
    sent = next((value for key, value in status.trailing_metadata() or () if key == METADATA_KEY), None)
    error = decode_error(sent) if sent is not None else None
    if error is not None:
        return error
    known = ERROR_OF_CODE.get(status.code(), AlgorithmError)
    if known is SpecError:
        return SpecError(status.details() or "refused without a reason")
    return known(f"service at {address}: {status.code().name}: {status.details()}")


def encode_error(error: KatibError) -> bytes:
    """Class and contents as JSON. What does not fit is left out from the end, and a last entry says so."""
    base = next(cls for cls in type(error).__mro__ if cls in CODE_OF_ERROR)
    parts = _PARTS[base][0](error) if base in _PARTS else [_clip(str(error), _JSON_LIMIT // 3)]
    listed = next((part for part in parts if isinstance(part, list)), [])
    left_out = max(len(listed) - _LIST_LIMIT, 0)
    del listed[_LIST_LIMIT:]
    while len(data := _dump(base, parts, left_out)) > _JSON_LIMIT and listed:
        left_out += 1
        listed.pop()
    return data if len(data) <= _JSON_LIMIT else _dump(PermanentError, [_clip(str(error), _JSON_LIMIT // 3)], 0)


def decode_error(data: bytes) -> KatibError | None:
    """The inverse of ``encode_error``; None for what it did not write."""
    try:
        name, *parts = json.loads(data)
        cls = _CLASSES[name]
        return _PARTS[cls][1](*parts) if cls in _PARTS else cls(*parts)
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _dump(cls: type[KatibError], parts: list[Any], left_out: int) -> bytes:
    shown = parts
    if left_out and cls is SpecError:
        shown = [[*parts[0], ["", f"and {left_out} more problems", None]], *parts[1:]]
    return json.dumps([cls.__name__, *shown], ensure_ascii=False).encode("utf-8", "replace")


def _clip(text: str, limit: int) -> str:
    """At most ``limit`` bytes of ``text`` in UTF-8."""
    return text.encode("utf-8", "replace")[:limit].decode("utf-8", "ignore")
