"""A Ray as the runner uses it: nodes, amounts, actors by name."""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import ray

from katib.core.errors import UnavailableError
from trial_runners.ray.connection import Connection
from trial_runners.ray.names import NAMESPACE
from trial_runners.ray.place import SCOPE_FILE, Place
from trial_runners.settings import RaySettings

_NODES_SECONDS = 1.0


class Cluster:
    """A Ray that this process is connected to. place: where its nodes keep attempts. new: nothing ran below the root
    before."""

    def __init__(self, root: Path, settings: RaySettings) -> None:
        """Join or start it. Raises UnavailableError if it cannot be reached."""
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._connection: Connection | None = Connection.shared(root, settings.address)
        modules = [entry or os.getcwd() for entry in sys.path]
        checkpoints = settings.checkpoints
        if checkpoints and "://" not in checkpoints:
            checkpoints = os.path.abspath(checkpoints)
        scope, self.new = _scope(root)
        self.place = Place(str(root), scope, settings.folder, checkpoints, os.getcwd(), modules)
        self._alive: dict[str, str] = {}
        self._called: dict[str, str] = {}
        self._looked = -_NODES_SECONDS
        self._amounts: tuple[list[Mapping[str, float]], Mapping[str, float]] = [], {}
        self._counted_at = -_NODES_SECONDS
        self._runtime_env = dict(settings.runtime_env)

    @property
    def scope(self) -> str:
        """The word behind the names of this runner's actors."""
        return self.place.scope

    def nodes(self, *, now: bool = False) -> Mapping[str, str]:
        """Living nodes: what people call them, by Ray's ids; as they were within the last second, or are ``now``.
        Raises UnavailableError."""
        if now or time.monotonic() - self._looked >= _NODES_SECONDS:
            with _answering():
                nodes = ray.nodes()  # type: ignore[no-untyped-call]
            self._alive = {
                node["NodeID"]: f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})"
                for node in nodes
                if node["Alive"]
            }
            self._called |= self._alive
            self._looked = time.monotonic()
        return self._alive

    def known(self, node: str) -> str:
        """What people call a node, living or dead."""
        return self._called.get(node, node)

    def resources(self) -> tuple[list[Mapping[str, float]], Mapping[str, float]]:
        """Amounts by name: what each living node has, and what is free in all; as they were within the last second.
        Raises UnavailableError."""
        if time.monotonic() - self._counted_at >= _NODES_SECONDS:
            with _answering():
                nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
                self._amounts = nodes, ray.available_resources()  # type: ignore[no-untyped-call]
            self._counted_at = time.monotonic()
        return self._amounts

    def create(self, kind: type, name: str, options: Mapping[str, Any], *arguments: Any) -> ray.actor.ActorHandle[Any]:
        """A detached actor of the class ``kind``; the one of that name if there is one. options: as Ray has them."""
        named = {"name": name, "namespace": NAMESPACE, "lifetime": "detached", "get_if_exists": True}
        env = {"runtime_env": self._runtime_env} if self._runtime_env else {}
        actor: ray.actor.ActorHandle[Any] = _actor_class(kind).options(**named, **env, **options).remote(*arguments)
        return actor

    def named(self) -> list[str]:
        """Names of this runner's actors, those included that wait for their resources."""
        with _answering():
            actors = ray.util.list_named_actors(all_namespaces=True)
        named = [actor["name"] for actor in actors if actor["namespace"] == NAMESPACE]
        return [name for name in named if name.endswith(f"@{self.scope}")]

    def close(self) -> None:
        """Leave it, if nobody else in this process uses it. One of its own ends when nothing runs on it any more."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.leave()


@contextlib.contextmanager
def _answering() -> Iterator[None]:
    """Raises UnavailableError if Ray does not answer a question."""
    try:
        yield
    except Exception as error:  # whatever Ray's many layers raise
        raise UnavailableError(f"the Ray cluster does not answer: {type(error).__name__}: {error}") from error


@functools.cache
def _actor_class(kind: type) -> Any:
    """Made once: Ray ships each that is made anew, and takes it apart for that, which costs more than an actor."""
    return ray.remote(kind)


def find(name: str) -> ray.actor.ActorHandle[Any] | None:
    """An actor by its name, None if it is gone."""
    try:
        return ray.get_actor(name, namespace=NAMESPACE)
    except ValueError:
        return None


def _scope(root: Path) -> tuple[str, bool]:
    """The word in the root's file, made when it is first asked for, and whether it was made now."""
    file = root / SCOPE_FILE
    aside = root / f"{SCOPE_FILE}.{os.getpid()}.partial"
    aside.write_text(secrets.token_hex(4), encoding="utf-8")
    try:
        os.link(aside, file)
        new = True
    except FileExistsError:
        new = False
    aside.unlink()
    return file.read_text(encoding="utf-8"), new
