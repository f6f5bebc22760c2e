"""A history seen with other parameters, as points of another space; what was translated once stays."""

from __future__ import annotations

import threading
from collections.abc import Callable

from katib.core.history import History
from katib.core.space import SearchSpace
from katib.core.trial import Parameters, Trial, evolve


class Translation:
    """Translates the trials of a history that grows. It changes no answer: a new one gives the same."""

    def __init__(self, space: SearchSpace, translate: Callable[[Parameters], Parameters]) -> None:
        self._space = space
        self._translate = translate
        self._lock = threading.Lock()
        self._source: History | None = None
        self._target: History | None = None
        self._known: dict[int, Trial] = {}

    def of(self, history: History) -> History:
        """``history`` in the other space."""
        with self._lock:
            if self._target is None or self._source is not history:
                self._source, self._target = history, history.translated(self._space, self._translate)
            else:
                known = self._known
                changed = [trial for number, trial in history.trials.items() if known.get(number) is not trial]
                for trial in sorted(changed, key=lambda each: each.seq):
                    self._target.record(evolve(trial, parameters=self._translate(trial.parameters)))
            self._known = dict(history.trials)
            return self._target
