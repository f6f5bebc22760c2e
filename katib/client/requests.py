"""What all methods of the client rest on: objects by kind and name, and errors of the classes that Katib's SDK has."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from katib.client.backend import Backend, Place
from katib.client.model_base import ClientModel
from katib.core.errors import AlreadyExistsError, KatibError, UnavailableError
from katib.server.kinds import Kind
from katib.server.status import ApiError

TIMEOUT = 120
"""Seconds that an answer is waited for, unless a call says otherwise."""

M = TypeVar("M", bound=ClientModel)


class Requests:
    """The place that a client works with. namespace: where methods that name none look."""

    def __init__(self, backend: Backend, namespace: str) -> None:
        self._backend = backend
        self.namespace = namespace

    def _place(self, kind: Kind, namespace: str | None, name: str = "") -> Place:
        return Place(kind, namespace or self.namespace, name)

    def _get(self, model: type[M], place: Place, timeout: float) -> M:
        with told("get", place, timeout):
            return model.model_validate(self._backend.get(place, timeout))

    def _list(self, model: type[M], place: Place, timeout: float, labels: str = "") -> list[M]:
        with told("list", place, timeout):
            return [model.model_validate(tree) for tree in self._backend.list(place, labels, timeout)]


@contextmanager
def told(verb: str, place: Place, timeout: float) -> Iterator[None]:
    """Errors of ours as Katib's SDK has them: TimeoutError if no answer came in ``timeout`` seconds, RuntimeError for
    any other but AlreadyExistsError, all with the reason."""
    began = time.monotonic()
    try:
        yield
    except AlreadyExistsError as error:
        raise AlreadyExistsError(_message(verb, place, error)) from error
    except UnavailableError as error:
        kind = TimeoutError if time.monotonic() - began >= timeout else RuntimeError
        raise kind(_message(verb, place, error)) from error
    except (KatibError, ApiError) as error:
        raise RuntimeError(_message(verb, place, error)) from error


def _message(verb: str, place: Place, error: Exception) -> str:
    kind, namespace = place.kind.name, place.namespace
    what = f"{kind} {namespace}/{place.name}" if place.name else f"{kind}s of namespace {namespace}"
    return f"Failed to {verb} Katib {what}: {error}"


def holds(conditions: Sequence[object], type: str) -> bool:
    """Whether the condition is there and True."""
    return any(getattr(c, "type", "") == type and getattr(c, "status", "") == "True" for c in conditions)
