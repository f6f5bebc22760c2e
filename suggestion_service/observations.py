"""What is known of a trial's metrics: what the engine recorded of our own trials, and what was reported of any."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

from katib.core.errors import NotFoundError, PermanentError
from katib.core.objective import Measurement
from katib.core.observation_log import PUSHED
from katib.core.store_ports import LoggedStore
from katib.core.trial import Cursor, Key, Trial

DEFAULT_NAMESPACE = "default"
PUSH = "Push"
"""The collector kind of trials whose metrics come through the log."""

Namespaces = str | Callable[[str], str]
"""The namespace of trials whose messages name none: one for all, or what finds it by the trial's name."""

_KEPT = 10_000  # trials whose collector kind is remembered


def namespace_of(trial: str, namespaces: Namespaces) -> str:
    """The namespace of a trial whose message names none."""
    return namespaces if isinstance(namespaces, str) else namespaces(trial)


class Observations:
    """Reads one store and its log."""

    def __init__(self, store: LoggedStore) -> None:
        self._store = store
        self._log = store.log
        self._kind = lru_cache(maxsize=_KEPT)(self._read_kind)

    def own(self, namespace: str, name: str) -> tuple[Key, Trial] | None:
        """The trial of that name in the store, and its experiment; None if it is somebody else's."""
        key = Key(namespace, name.rpartition("-")[0])
        try:
            return key, self._store.trial(key, name)
        except NotFoundError:
            return None

    def attempt(self, namespace: str, name: str, told: int) -> int:
        """Which run of the trial is meant: the one that was told, else the one that runs now; 0 if it is not ours.

        Raises PermanentError for a trial of ours whose engine does not look here for its metrics.
        """
        own = self.own(namespace, name)
        if own is None:
            return 0
        key, trial = own
        if (kind := self._kind(key, name)) != PUSH:
            raise PermanentError(
                f"trial {name}: its metrics are collected by {kind}; the kind for metrics from here is {PUSH}"
            )
        return told if told > 0 else trial.attempt

    def _read_kind(self, key: Key, trial: str) -> str:
        """The trial is named because its name tells an experiment from one of the same name that came later."""
        return self._store.get(key).spec.collector.kind

    def read(
        self, namespace: str, name: str, metric: str = "", start: float = -math.inf, end: float = math.inf
    ) -> Sequence[Measurement]:
        """The trial's measurements in order of time, then of arrival; of one of ours, those of its newest attempt.

        What was pushed and not taken in by the engine yet is there too, and nothing twice: the log is read first, then
        how far the engine has come in it, then what it had recorded by then.
        """
        logged = self._log.read(namespace, name, metric, start, end)
        own = self.own(namespace, name)
        if own is None:
            return [row.measurement for row in logged]
        key, trial = own
        recorded = [
            item.measurement
            for _, item in self._store.curve(key, trial.number)
            if item.attempt == trial.attempt and item.sequence < trial.measured
        ]
        found = [m for m in recorded if metric in ("", m.metric) and start <= m.time <= end]
        if not trial.state.finished:
            taken = trial.cursors.get(PUSHED, Cursor()).offset
            found += [r.measurement for r in logged if r.attempt == trial.attempt and r.sequence >= taken]
        return sorted(found, key=lambda measurement: measurement.time)
