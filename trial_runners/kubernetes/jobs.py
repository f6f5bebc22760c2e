"""The jobs of one experiment: what is created for an attempt, whatever its trials are, and what its end leaves."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from katib.core.errors import RunnerError
from katib.core.experiment import TrialTemplate
from katib.core.trial import Attempt, AttemptId
from katib.resources.python_function import is_python_function
from trial_runners.kubernetes import url_checkpoints
from trial_runners.kubernetes.checkpoints import Past, ancestors, storage_of, url_of
from trial_runners.kubernetes.functions import FunctionJobs
from trial_runners.kubernetes.manifest import manifest_for
from trial_runners.kubernetes.sources import Collection
from trial_runners.settings import KubernetesSettings

# Released checkpoints that one pod removes at most.
_REMOVALS = 100

Function = tuple[Callable[[dict[str, Any]], Any], str]
"""What trials call, and the metric that a number which it returns measures."""


class Jobs:
    """Makes manifests. template: of the jobs that are really made, those of functions too."""

    def __init__(self, template: TrialTemplate, settings: KubernetesSettings, function: Function | None) -> None:
        """function: None where trials are jobs. Raises RunnerError, SpecError."""
        self._settings = settings
        self._storage = storage_of(settings)
        self._released: deque[AttemptId] = deque()
        self._functions: FunctionJobs | None = None
        self.template = template
        if function is not None:
            self._functions = FunctionJobs(*function, template.document, settings)
            self.template = self._functions.template
        elif is_python_function(template.document):
            raise RunnerError("the template is a Python function, but there is none to call")

    @property
    def kind(self) -> tuple[str, str]:
        """apiVersion and kind of the jobs."""
        document = self.template.document
        return str(document.get("apiVersion", "v1")), str(document.get("kind", ""))

    def manifest(self, attempt: Attempt) -> dict[str, Any]:
        """The job to create. Raises RunnerError, UnavailableError (an object store that does not answer)."""
        if self._functions is not None:
            attempt = self._functions.prepared(attempt)
        if not ancestors(attempt):
            return manifest_for(attempt, self.template, self._settings)
        inherited = ""
        if self._storage.url:
            inherited = url_checkpoints.first_of(url_of(self._storage, id) for id in ancestors(attempt))
        released = [self._released.popleft() for _ in range(min(len(self._released), _REMOVALS))]
        return manifest_for(attempt, self.template, self._settings, Past(inherited, released))

    def collection(self, attempt: Attempt) -> Collection:
        """How its metrics are collected. Raises RunnerError."""
        return Collection.of(attempt, self._settings)

    def removal(self, id: AttemptId) -> Callable[[], None] | None:
        """What removes an attempt's checkpoint from where it outlives its pod, None if there is nothing to do here: on
        a claim the next pod that continues another removes it."""
        if self._storage.claim:
            self._released.append(id)
        if not self._storage.url:
            return None
        url = url_of(self._storage, id)
        return lambda: url_checkpoints.remove(url)
