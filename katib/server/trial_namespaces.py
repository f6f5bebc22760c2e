"""In which namespace a trial is that a message of Katib's names by its name alone."""

from __future__ import annotations

from katib.core.errors import NotFoundError
from katib.core.ports import Store
from katib.core.trial import Key
from katib.server.mirror import Mirror


class TrialNamespaces:
    """Finds the namespaces of trials. Their names are random, so there is hardly ever more than one of a name."""

    def __init__(self, mirror: Mirror, store: Store, default: str) -> None:
        """default: for trials that are in no namespace, or in several."""
        self._mirror = mirror
        self._store = store
        self._default = default

    def __call__(self, trial: str) -> str:
        """The namespace of a trial. Raises UnavailableError."""
        experiment = trial.rpartition("-")[0]
        snapshot = self._mirror.snapshot(Key(self._default, experiment))
        if snapshot is not None and trial in snapshot.trials:
            return self._default
        found = [each.key for each in self._mirror.snapshots() if each.key.name == experiment]
        if len(found) > 1:  # the mirror may not have come to the trial yet
            found = [key for key in found if self._has(key, trial)]
        return found[0].namespace if len(found) == 1 else self._default

    def _has(self, key: Key, trial: str) -> bool:
        try:
            self._store.trial(key, trial)
        except NotFoundError:
            return False
        return True
