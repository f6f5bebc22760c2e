"""What every servicer does with the bytes of a request: a malformed one is refused like any other bad argument."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from katib.core.errors import KatibError, Problem, SpecError

MAX_NAME = 253  # characters of a name, as in Kubernetes

_M = TypeVar("_M", bound=Message)
_T = TypeVar("_T")


def parse(kind: type[_M], data: bytes) -> _M:
    """The message in ``data``. Raises SpecError."""
    try:
        return kind.FromString(data)
    except DecodeError as error:
        raise SpecError(f"malformed request: the bytes are no {kind.__name__}") from error


def decoded(decode: Callable[[], _T]) -> _T:
    """What ``decode`` makes of a peer's message; whatever trips over its contents becomes a SpecError."""
    try:
        return decode()
    except KatibError:
        raise
    except (ValueError, TypeError, LookupError, ArithmeticError, RecursionError) as error:
        raise SpecError(f"malformed request: {error}") from error


def name_of(text: str, path: str) -> str:
    """``text``, if it can be a name. Raises SpecError that names ``path``."""
    if not text or len(text) > MAX_NAME or not text.isprintable():
        expected = f"a name of 1 to {MAX_NAME} printable characters"
        raise SpecError([Problem(path, f"got {text[:80]!r}, expected {expected}")])
    return text
