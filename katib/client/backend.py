"""What the client needs of a place where experiments are: this machine, ``katib serve`` or a cluster.

Objects are trees of JSON, as they travel. Every method raises NotFoundError, AlreadyExistsError, UnavailableError (no
answer within ``timeout`` seconds, or none at all), or another KatibError with the reason of whoever refuses.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from katib.core.objective import Measurement
from katib.server.kinds import Kind

Tree = dict[str, Any]

DB_MANAGER = "katib-db-manager.kubeflow:6789"
"""Where Katib's default installation has its DBManager."""


class Place(NamedTuple):
    """An object, or all of a kind in a namespace where there is no name. part: of the object (``log``)."""

    kind: Kind
    namespace: str
    name: str = ""
    part: str = ""


class Backend(Protocol):
    """One place. For any number of threads."""

    def get(self, place: Place, timeout: float) -> Tree:
        """The object."""
        ...

    def list(self, place: Place, labels: str, timeout: float) -> Sequence[Tree]:
        """The objects, of those with ``labels`` (``key=value,...``; empty for any)."""
        ...

    def create(self, place: Place, tree: Tree, timeout: float) -> Tree:
        """Make the object; returned as it is stored."""
        ...

    def patch(self, place: Place, change: Tree, timeout: float) -> Tree:
        """Merge ``change`` into the object."""
        ...

    def delete(self, place: Place, options: Tree, timeout: float) -> None:
        """Ask for the object's end. options: Kubernetes' DeleteOptions."""
        ...

    def await_change(self, place: Place, seen: str, timeout: float) -> None:
        """Return after ``timeout`` seconds, or sooner if the object may be another than at the resourceVersion
        ``seen``. Only a wake-up: it raises nothing that asking for the object would not."""
        ...

    def metrics(self, place: Place, address: str, timeout: float) -> Sequence[Measurement]:
        """What a trial reported, in order of time. address: HOST:PORT of the DBManager, where one is asked."""
        ...

    def logs(self, place: Place, follow: bool) -> Iterator[str]:
        """The lines that a trial printed. follow: go on until it ends."""
        ...

    def close(self) -> None:
        """Give up what this holds."""
        ...
