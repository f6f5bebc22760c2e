"""The ports of what a database holds beside experiments: the observation log, documents, and a store with both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

from katib.core.documents import Document, DocumentKey
from katib.core.observation_log import LogRow, News, Report
from katib.core.ports import Store


class ObservationLog(Protocol):
    """Metrics that were handed in over the network, by namespace and trial; trials of other engines too."""

    def append(self, namespace: str, trial: str, report: Report) -> bool:
        """Add the report's rows, all or none. False if a report with its id was taken before: nothing is added then."""
        ...

    def read(
        self, namespace: str, trial: str, metric: str = "", start: float = -math.inf, end: float = math.inf
    ) -> Sequence[LogRow]:
        """Rows from ``start`` to ``end`` (seconds since the epoch, both included) in order of time, then of arrival;
        ``metric``: of this one only."""
        ...

    def news(self, namespace: str, trial: str, attempt: int, first: int, limit: int) -> News:
        """At most ``limit`` rows of one attempt from the sequence ``first`` on, and whether it was stopped early."""
        ...

    def mark_early_stopped(self, namespace: str, trial: str, attempt: int) -> None:
        """Note that an early-stopping rule ended the attempt; once more changes nothing."""
        ...

    def early_stopped(self, namespace: str, trial: str) -> bool:
        """Whether any attempt of the trial is so marked."""
        ...

    def delete(self, namespace: str, trial: str) -> None:
        """Remove rows and marks of the trial; nothing if there are none."""
        ...

    def check(self) -> None:
        """Raises UnavailableError if the log does not answer."""
        ...


class Documents(Protocol):
    """Documents beside the experiments. Each write is a commit of the store, with a revision, and in its feed."""

    def get(self, key: DocumentKey) -> Document:
        """The document. Raises NotFoundError, CorruptRecordError."""
        ...

    def list(self, kind: str) -> Sequence[Document]:
        """All documents of a kind, in order of (namespace, name)."""
        ...

    def put(self, document: Document, expected: int) -> Document:
        """Write it, if the stored one has the revision ``expected``, 0 for a new one; returned with its generation and
        revision. Raises AlreadyExistsError, NotFoundError, ConflictError."""
        ...

    def delete(self, key: DocumentKey, expected: int) -> int:
        """Remove it, if it has the revision ``expected``; the revision of that. Raises NotFoundError, ConflictError."""
        ...


class LoggedStore(Store, Protocol):
    """A store with the observation log and the documents of the same database; ``close`` gives back what all hold."""

    @property
    def documents(self) -> Documents:
        """The documents."""
        ...

    @property
    def log(self) -> ObservationLog:
        """The log."""
        ...
